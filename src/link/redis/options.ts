import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { type Clock, systemClock } from '../../core/clock.js';
import { checkBoolean, checkCount, checkKey, refuse } from '../../core/options.js';
import { DEFAULT_MAX_BYTES, type Snapshot } from '../../core/snapshot.js';
import { RedisCache } from '../../stores/redis/redis-cache.js';
import type { LinkOptions } from '../ports.js';
import { type Names, namesOf } from './names.js';
import { type Sealing, sealingOf } from './sealing.js';

export interface RedisLinkOptions extends LinkOptions {
  /** Gives the client whose servers are used, the prefix of the key, and the name of the serializer for values that nobody announces. */
  readonly store: RedisCache;
  /** For how many milliseconds a candidate holds the writer's role without a sign of life; default 10,000. */
  readonly leaseMs?: number;
  /** Who this candidate is, shown to the others; default `hostname:pid:thread:random`. Must be its alone. */
  readonly id?: string;
  /** Whether a holder of the lease is provably dead, so that its time needn't be waited for. Default: nobody is. */
  readonly isGone?: (holder: string) => boolean;
  /** What this process has already, from elsewhere: it isn't fetched again, and nothing older is handed over. Its bytes must not be changed. */
  readonly last?: Snapshot | undefined;
}

/** The same, checked. */
export interface RedisLinkSettings {
  readonly store: RedisCache;
  readonly names: Names;
  readonly sealing: Sealing | undefined;
  readonly maxBytes: number;
  readonly pollInterval: number;
  readonly leaseMs: number;
  readonly id: string;
  readonly isGone: (holder: string) => boolean;
  readonly last: Snapshot | undefined;
  readonly clock: Clock;
  readonly ref: boolean;
}

/** @throws TypeError or RangeError for options that can't be meant, and on a Cluster for a key whose braces don't allow its companions */
export function linkSettings(options: RedisLinkOptions): RedisLinkSettings {
  const { store, key, maxBytes = DEFAULT_MAX_BYTES, pollInterval = 1000, leaseMs = 10_000, clock = systemClock, ref = false } = options;
  const { id = `${hostname()}:${process.pid}:${threadId}:${randomBytes(4).toString('hex')}`, isGone = () => false, last } = options;
  if (!(store instanceof RedisCache)) refuse('store', 'a RedisCache', store);
  checkKey('key', key);
  checkCount('maxBytes', maxBytes);
  checkCount('pollInterval', pollInterval);
  checkCount('leaseMs', leaseMs, 100);
  checkBoolean('ref', ref);
  checkKey('id', id);
  const names = namesOf(store, key);
  return { store, names, sealing: sealingOf(store, names.value), maxBytes, pollInterval, leaseMs, id, isGone, last, clock, ref };
}
