export { bg, health } from './bg/bg.js';
export type { BackgroundStatus, Bg, Health, Read, ShutdownOptions } from './bg/bg.js';
export { healthHandler } from './bg/health-handler.js';
export type { HealthHandlerOptions } from './bg/health-handler.js';
export type { HttpHandler } from './bg/http.js';
export type { Background, BackgroundOptions } from './bg/background.js';
export type { KeyedMirror, KeyedMirrorStatus } from './bg/keyed-mirror.js';
export type { KeyedReadOptions } from './bg/keyed-read.js';
export type { Change, Mirror, MirrorStatus, OnStale } from './bg/mirror.js';
export type { RefreshOptions } from './bg/options.js';
export type { ReadOptions } from './bg/read.js';
export type { Validate } from './bg/plan.js';
export { configure } from './bg/settings.js';
export type { Settings } from './bg/settings.js';
export type { MirrorState, Via } from './bg/source.js';
export type { KeyedLoader, KeyedWriteOptions, WriteOptions } from './bg/write.js';
export type { Scope, Writer, WriterState, WriterStatus } from './bg/writer.js';
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
  MissingDependencyError,
  ProtocolError,
  SerializationError,
  SnapshotTooLargeError,
  StaleError,
  StoppedError,
  StoreError,
  TimeoutError,
  ValidationError,
  ViewExpiredError,
  WireFormatError,
} from './core/errors.js';
export type { LoadTrace, MetricsCollector } from './core/metrics.js';
export type { OnError } from './core/report.js';
export type { Serializer } from './core/serializer.js';
export { isCacheStorage, isSyncCacheStorage } from './core/store.js';
export type { CacheStorage, OnFault, StoreOption, SyncCacheStorage } from './core/store.js';
export type { KeyedSource } from './keyed/builder.js';
export type { KeyedChange } from './keyed/feed.js';
export type { KeyedLookups, KeyedView, Lookups } from './keyed/lookups.js';
export type { KeyedFigures } from './keyed/reader.js';
export { guardMetrics } from './metrics/guard.js';
export type { ErrorEvent, HitEvent, LoadEvent, MissEvent, PublishEvent, TakeoverEvent } from './metrics/events.js';
export { InMemoryMetrics } from './metrics/in-memory.js';
export type { InMemoryMetricsOptions, ThreadStats } from './metrics/in-memory.js';
export type { CacheCounts, LatencyStats, MemoryStats, MetricsStats } from './metrics/stats.js';
export { NULL_METRICS } from './metrics/null.js';
export type { Loader, LoaderContext } from './scheduler/loader.js';
export { piscinaLoader } from './scheduler/piscina.js';
export type { PiscinaLoaderOptions, PiscinaPool, PiscinaTask } from './scheduler/piscina.js';
export { serializers } from './serializers/resolve.js';
export type { ProtobufType } from './serializers/protobuf.js';
export type { SerializerName, SerializerOption } from './serializers/resolve.js';
export { ChainCache } from './stores/chain.js';
export type { ChainOptions } from './stores/chain-options.js';
export { HybridCache } from './stores/hybrid.js';
export type { HybridOptions } from './stores/hybrid.js';
export { InMemCache } from './stores/in-mem.js';
export type { InMemCacheOptions } from './stores/in-mem.js';
export { InstrumentedStorage } from './stores/instrumented.js';
export { LocalFileCache } from './stores/local-file.js';
export type { LocalFileCacheOptions } from './stores/local-file.js';
export { GCSCache } from './stores/gcs.js';
export type { GCSCacheOptions, GCSClientLike } from './stores/gcs.js';
export type { ObjectStoreOptions } from './stores/objects/store.js';
export { RedisCache } from './stores/redis/redis-cache.js';
export type { RedisCacheOptions } from './stores/redis/redis-cache.js';
export type { RedisClient } from './stores/redis/client.js';
export type { RemoteOptions } from './stores/remote/options.js';
export { S3Cache } from './stores/s3.js';
export type { S3CacheOptions, S3ClientLike } from './stores/s3.js';
