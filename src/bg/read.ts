import { type Duration } from '../core/duration.js';
import type { MetricsCollector } from '../core/metrics.js';
import { checkBoolean, checkCount, checkFunction, checkOneOf, checkOptions, refuse } from '../core/options.js';
import type { OnError } from '../core/report.js';
import { DEFAULT_MAX_BYTES } from '../core/snapshot.js';
import { isCacheStorage, type CacheStorage } from '../core/store.js';
import { checkMetrics, guardMetrics } from '../metrics/guard.js';
import { resolveSerializer, type SerializerOption } from '../serializers/resolve.js';
import { isFleetStore } from './fleet-options.js';
import { fleetReading } from './fleet-source.js';
import { createMirror, type Mirror, type MirrorOptions, type OnStale } from './mirror.js';
import { checkStaticKey, intervalOf, milliseconds } from './options.js';
import { mirrors } from './registry.js';
import { RingSource, type RingSourceOptions } from './ring-source.js';
import { StoreSource } from './store-source.js';
import type { Source } from './source.js';

export interface ReadOptions {
  /**
   * How often the store (default 30 s), or without one the host's file (default 1 s), is looked into in any case, so that a
   * lost announcement costs at most that. 0: never again after the first look.
   */
  readonly interval?: Duration | undefined;
  /** The age past which `onStale` decides. Default: none, the last good value is served for ever. */
  readonly ttl?: Duration | undefined;
  /** Default `'undefined'`. */
  readonly onStale?: OnStale | undefined;
  /** Follows this store. Default: finds the writer, in this thread, this process or another process of the host. */
  readonly store?: CacheStorage | undefined;
  /**
   * With a RedisCache. `'host'` (default): one process of the host follows Redis, the others get the value from it, and look themselves every
   * `interval` whether it does. `'direct'`: this thread follows Redis itself.
   */
  readonly via?: 'host' | 'direct' | undefined;
  readonly metrics?: MetricsCollector | undefined;
  /** Gets what fails in the background, each failure once; default a process warning. */
  readonly onError?: OnError | undefined;
  /** Whether a store is looked into at once (default) or after one interval. */
  readonly runImmediately?: boolean | undefined;
  /** For a custom format; by default a snapshot names its own. */
  readonly serializer?: SerializerOption | undefined;
  /** Whether the value, which all callers of the thread share, is deeply frozen; default `true`. */
  readonly freeze?: boolean | undefined;
  /** A larger snapshot from another process is refused. Default 64 MiB. */
  readonly maxBytes?: number | undefined;
}

const KNOWN = ['interval', 'ttl', 'onStale', 'store', 'via', 'metrics', 'onError', 'runImmediately', 'serializer', 'freeze', 'maxBytes'];
const STORE_INTERVAL = 30;
const HOST_INTERVAL = 1;

export function read<T = unknown>(key: string, options: ReadOptions = {}): Mirror<T> {
  const { interval, metrics, ring, mirror: common } = checkReadOptions('bg.read', key, options, KNOWN);
  const { store, runImmediately = true } = options;
  const source: Source<T> =
    store && !isFleetStore(store)
      ? new StoreSource<T>({
          key,
          store,
          interval,
          runImmediately,
          freeze: ring.freeze,
          onError: ring.onError,
          onPolled: (success, durationMs) => metrics?.recordBackgroundRefresh(key, { success, durationSeconds: durationMs / 1000 }),
        })
      : new RingSource<T>(ring);
  const mirror: Mirror<T> = createMirror<T>(source, { ...common, onClose: () => mirrors.delete(mirror) });
  mirrors.add(mirror);
  return mirror;
}

/** What `bg.read` and `bg.read.keyed` make of their options. */
export interface Reading {
  /** Milliseconds; 0 for no looks after the first. */
  readonly interval: number;
  readonly metrics: MetricsCollector | undefined;
  readonly ring: RingSourceOptions<never>;
  readonly mirror: Omit<MirrorOptions, 'onClose'>;
}

/** @throws TypeError, RangeError */
export function checkReadOptions(where: string, key: string, options: ReadOptions, known: readonly string[]): Reading {
  checkStaticKey(key);
  checkOptions(where, options, known);
  const { store, via = 'host', ttl, onStale = 'undefined', onError, freeze = true, serializer, maxBytes, runImmediately = true } = options;
  if (store !== undefined && !isCacheStorage(store)) refuse('store', 'a store', store);
  const interval = intervalOf(options.interval ?? (store ? STORE_INTERVAL : HOST_INTERVAL));
  const limit = ttl === undefined ? undefined : milliseconds(ttl, 'ttl');
  checkOneOf('onStale', options.onStale, ['undefined', 'throw', 'serve']);
  checkOneOf('via', options.via, ['host', 'direct']);
  checkFunction('onError', onError);
  checkBoolean('freeze', options.freeze);
  checkBoolean('runImmediately', options.runImmediately);
  checkCount('maxBytes', maxBytes);
  if (options.metrics !== undefined) checkMetrics(options.metrics);
  const own = serializer === undefined ? undefined : resolveSerializer(serializer);
  const metrics = options.metrics && guardMetrics(options.metrics, onError);
  const redis = isFleetStore(store) ? store : undefined;
  const pollInterval = interval > 0 ? Math.max(1, Math.round(interval)) : Number.MAX_SAFE_INTEGER;
  return {
    interval,
    metrics,
    ring: {
      ...{ key, pollInterval, maxBytes, freeze, onError },
      serializer: own ?? redis?.serializer,
      ...(redis && fleetReading({ key, store: redis, via, interval, runImmediately, maxBytes: maxBytes ?? DEFAULT_MAX_BYTES, metrics })),
    },
    mirror: { key, ttl: limit, onStale, onError },
  };
}
