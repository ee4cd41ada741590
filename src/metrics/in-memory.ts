import { type RecordableHistogram, createHistogram, performance } from 'node:perf_hooks';
import type { MetricsCollector } from '../core/metrics.js';

/** What one cache did. */
export interface CacheCounts {
  hits: number;
  misses: number;
  sets: number;
  deletes: number;
  /** `hits` of all lookups, in percent; 0 before the first one. */
  hitRatePercent: number;
}

export interface LatencyStats {
  count: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  avgMs: number;
}

export interface MemoryStats {
  bytes: number;
  entries: number;
  /** `bytes` in MiB. */
  mb: number;
}

export interface MetricsStats {
  /** Since the collector was made. */
  uptimeSeconds: number;
  caches: Record<string, CacheCounts>;
  /** By `name.operation`. */
  latency: Record<string, LatencyStats>;
  /** By `name.operation`: how many errors of each type. */
  errors: Record<string, Record<string, number>>;
  memory: Record<string, MemoryStats>;
  backgroundRefresh: Record<string, { success: number; failure: number }>;
}

type Detail<M extends keyof MetricsCollector> = NonNullable<Parameters<MetricsCollector[M]>[1]>;

/** Names (and `name.operation`s) past this many are counted together, under `other`: a name made from a key must not fill the memory. */
const MAX_NAMES = 1000;
const NS_PER_SECOND = 1e9;
const NS_PER_MS = 1e6;
/** An hour. Longer ones count as one. */
const LONGEST_NS = 3.6e12;

/**
 * Counts and latencies in this thread's memory, for a status page or a test. A histogram costs about 36 KiB a
 * `name.operation` and is exact to 1 %. Keys are not kept.
 *
 * @example
 * const metrics = new InMemoryMetrics();
 * const getUser = cache(60, { key: 'user:{id}', metrics })(async function getUser(id: number) { … });
 * metrics.getStats().caches['getUser']; // { hits: 120, misses: 5, sets: 5, deletes: 0, hitRatePercent: 96 }
 */
export class InMemoryMetrics implements MetricsCollector {
  readonly #started = performance.now();
  readonly #caches = new Named(() => ({ hits: 0, misses: 0, sets: 0, deletes: 0 }));
  readonly #latency = new Named<RecordableHistogram>(() => createHistogram({ lowest: 1, highest: LONGEST_NS, figures: 2 }));
  readonly #errors = new Named(() => new Named(() => ({ count: 0 })));
  readonly #memory = new Named(() => ({ bytes: 0, entries: 0 }));
  readonly #refreshes = new Named(() => ({ success: 0, failure: 0 }));

  recordHit(cacheName: string): void {
    this.#caches.of(cacheName).hits++;
  }

  recordMiss(cacheName: string): void {
    this.#caches.of(cacheName).misses++;
  }

  recordSet(cacheName: string): void {
    this.#caches.of(cacheName).sets++;
  }

  recordDelete(cacheName: string): void {
    this.#caches.of(cacheName).deletes++;
  }

  /** Without a `durationSeconds` there is nothing to record. */
  recordLatency(cacheName: string, { operation = 'call', durationSeconds }: Detail<'recordLatency'> = {}): void {
    if (durationSeconds === undefined || !(durationSeconds >= 0)) return;
    const nanoseconds = Math.min(Math.max(Math.round(durationSeconds * NS_PER_SECOND), 1), LONGEST_NS);
    this.#latency.of(`${cacheName}.${operation}`).record(nanoseconds);
  }

  recordError(cacheName: string, { operation = 'call', errorType = 'Error' }: Detail<'recordError'> = {}): void {
    this.#errors.of(`${cacheName}.${operation}`).of(errorType).count++;
  }

  recordMemoryUsage(cacheName: string, { bytesUsed, entryCount }: Detail<'recordMemoryUsage'> = {}): void {
    const memory = this.#memory.of(cacheName);
    if (bytesUsed !== undefined) memory.bytes = bytesUsed;
    if (entryCount !== undefined) memory.entries = entryCount;
  }

  recordBackgroundRefresh(cacheName: string, { success = true }: Detail<'recordBackgroundRefresh'> = {}): void {
    this.#refreshes.of(cacheName)[success ? 'success' : 'failure']++;
  }

  /** Everything so far, as plain data that belongs to the caller. */
  getStats(): MetricsStats {
    return {
      uptimeSeconds: (performance.now() - this.#started) / 1000,
      caches: this.#caches.map((counts) => ({ ...counts, hitRatePercent: percent(counts.hits, counts.hits + counts.misses) })),
      latency: this.#latency.map(latencyOf),
      errors: this.#errors.map((types) => types.map(({ count }) => count)),
      memory: this.#memory.map((memory) => ({ ...memory, mb: memory.bytes / 2 ** 20 })),
      backgroundRefresh: this.#refreshes.map((refreshes) => ({ ...refreshes })),
    };
  }
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part * 100) / whole;
}

function latencyOf(histogram: RecordableHistogram): LatencyStats {
  return {
    count: histogram.count,
    p50Ms: histogram.percentile(50) / NS_PER_MS,
    p95Ms: histogram.percentile(95) / NS_PER_MS,
    p99Ms: histogram.percentile(99) / NS_PER_MS,
    avgMs: histogram.mean / NS_PER_MS,
  };
}

/** A bounded Map that makes what it lacks. */
class Named<T> {
  readonly #items = new Map<string, T>();
  readonly #make: () => T;

  constructor(make: () => T) {
    this.#make = make;
  }

  of(name: string): T {
    return this.#items.get(name) ?? this.#add(this.#items.size < MAX_NAMES ? name : 'other');
  }

  map<U>(change: (item: T) => U): Record<string, U> {
    return Object.fromEntries([...this.#items].map(([name, item]) => [name, change(item)]));
  }

  #add(name: string): T {
    const there = this.#items.get(name);
    if (there !== undefined) return there;
    const item = this.#make();
    this.#items.set(name, item);
    return item;
  }
}
