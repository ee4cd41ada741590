import { checkCount, checkOptions, refuse } from '../core/options.js';
import type { KeyedLookups } from '../keyed/lookups.js';
import { createKeyedReader, type KeyedReader } from '../keyed/reader.js';
import type { RedisCache } from '../stores/redis/redis-cache.js';
import { isFleetStore } from './fleet-options.js';
import { createKeyedMirror, type KeyedMirror } from './keyed-mirror.js';
import { checkReadOptions, type ReadOptions } from './read.js';
import { mirrors } from './registry.js';
import { RingSource } from './ring-source.js';

export interface KeyedReadOptions extends Omit<ReadOptions, 'store' | 'runImmediately' | 'metrics'> {
  /** Follows this store, into which a writer of scope `'fleet'` puts its records. */
  readonly store?: RedisCache | undefined;
  /** How many decoded values this thread keeps, so that a second lookup answers the same object. */
  readonly memo?: {
    /** Default 4096; 0 keeps none. */
    readonly maxEntries?: number | undefined;
    /** Of the records as they are encoded, and 100 for each. Default 16 MiB. */
    readonly maxBytes?: number | undefined;
  };
}

const KNOWN = ['interval', 'ttl', 'onStale', 'store', 'via', 'onError', 'serializer', 'freeze', 'maxBytes', 'memo'];
const MEMO = { maxEntries: 4096, maxBytes: 16 * 1024 * 1024 };

/**
 * Follows a writer of records (`bg.write` with `keyed: true`), and looks them up without decoding the others.
 *
 * @throws TypeError, RangeError for wrong options
 * @example
 * const cities = bg.read.keyed<City>('cities');
 * cities.get('NL/Amsterdam');      // City | undefined
 */
export function readKeyed<V = unknown>(key: string, options: KeyedReadOptions = {}): KeyedMirror<V> {
  const { ring, mirror: common } = checkReadOptions('bg.read.keyed', key, options, KNOWN);
  const memo = checkMemo(options.memo);
  if (options.store !== undefined && !isFleetStore(options.store)) refuse('store', 'a RedisCache', options.store);
  let reader: KeyedReader<V> | undefined;
  const source = new RingSource<KeyedLookups<V>>({
    ...ring,
    makeReader: (made) => (reader = createKeyedReader<V>({ ...made, memo })),
  });
  const mirror = createKeyedMirror<V>(source, reader as KeyedReader<V>, { ...common, onClose: () => mirrors.delete(mirror) });
  mirrors.add(mirror);
  return mirror;
}

function checkMemo(memo: KeyedReadOptions['memo'] = {}): typeof MEMO {
  checkOptions('bg.read.keyed memo', memo, Object.keys(MEMO));
  const { maxEntries = MEMO.maxEntries, maxBytes = MEMO.maxBytes } = memo;
  checkCount('memo.maxEntries', maxEntries, 0);
  checkCount('memo.maxBytes', maxBytes, 0);
  return { maxEntries, maxBytes };
}
