export { cache } from './cache/cache.js';
export type { AnyFunction, CacheControls, CacheDecorator, CacheOptions, Cached, CachedSignature } from './cache/types.js';
export type { Clock, Timer } from './core/clock.js';
export type { Duration } from './core/duration.js';
export type { CacheEntry } from './core/entry.js';
export {
  AdvancedCachingError,
  DuplicateWriterError,
  KeyTemplateError,
  MirrorClosedError,
  ProtocolError,
  SerializationError,
  SnapshotTooLargeError,
  StaleError,
  StoreError,
  TimeoutError,
  ValidationError,
  WireFormatError,
} from './core/errors.js';
export type { MetricsCollector } from './core/metrics.js';
export type { OnError } from './core/report.js';
export type { Serializer } from './core/serializer.js';
export { isCacheStorage, isSyncCacheStorage } from './core/store.js';
export type { CacheStorage, StoreOption, SyncCacheStorage } from './core/store.js';
export { guardMetrics } from './metrics/guard.js';
export { InMemoryMetrics } from './metrics/in-memory.js';
export type { CacheCounts, LatencyStats, MemoryStats, MetricsStats } from './metrics/in-memory.js';
export { NULL_METRICS } from './metrics/null.js';
export { serializers } from './serializers/resolve.js';
export type { SerializerName, SerializerOption } from './serializers/resolve.js';
export { InMemCache } from './stores/in-mem.js';
export type { InMemCacheOptions } from './stores/in-mem.js';
export { InstrumentedStorage } from './stores/instrumented.js';
