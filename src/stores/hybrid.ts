import { type Duration, toSeconds } from '../core/duration.js';
import { checkOptions } from '../core/options.js';
import type { CacheStorage } from '../core/store.js';
import { ChainCache } from './chain.js';
import type { ChainOptions } from './chain-options.js';
import { InMemCache } from './in-mem.js';

export interface HybridOptions<L1 extends CacheStorage, L2 extends CacheStorage> extends Omit<ChainOptions, 'ttls'> {
  /** The longest life in the first tier. */
  readonly l1Ttl: Duration;
  /** Default: a new, unbounded `InMemCache`. */
  readonly l1Cache?: L1;
  /** The longest life in the second tier. Default: twice `l1Ttl`. */
  readonly l2Ttl?: Duration;
  readonly l2Cache: L2;
}

/**
 * A {@link ChainCache} of two: memory before a store that is shared.
 *
 * @example
 * const store = new HybridCache({ l1Ttl: '1m', l2Ttl: '1h', l2Cache: new RedisCache(redis, { prefix: 'v1:' }) });
 */
export class HybridCache<L2 extends CacheStorage = CacheStorage, L1 extends CacheStorage = InMemCache> extends ChainCache<L1 | L2> {
  /** @throws TypeError for what isn't a store or an option, RangeError for a ttl that isn't a duration above 0 */
  constructor(options: HybridOptions<L1, L2>) {
    checkOptions('HybridCache', options, ['l1Ttl', 'l1Cache', 'l2Ttl', 'l2Cache', 'timeout', 'metrics', 'name', 'onError', 'clock']);
    const { l1Ttl, l1Cache = new InMemCache() as CacheStorage as L1, l2Ttl, l2Cache, ...rest } = options;
    const first = toSeconds(l1Ttl, 'l1Ttl');
    super([l1Cache, l2Cache], { ...rest, ttls: [first, toSeconds(l2Ttl ?? 2 * first, 'l2Ttl')] });
  }
}
