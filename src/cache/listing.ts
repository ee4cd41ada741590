/** The cached functions of this thread, for the inspector. A function that is dropped is gone from here too. */
import type { MetricsCollector } from '../core/metrics.js';
import type { CacheStorage } from '../core/store.js';
import { CountingMetrics } from '../metrics/counting.js';
import { InMemoryMetrics } from '../metrics/in-memory.js';
import { NULL_METRICS } from '../metrics/null.js';
import { tee } from '../metrics/tee.js';

export interface CacheListing {
  readonly name: string;
  /** The key option, where it is a template. */
  readonly template: string | undefined;
  /** Seconds. */
  readonly ttl: number;
  readonly stale: number;
  readonly store: CacheStorage;
  /** Where what it did is counted, under its name; `undefined` where it isn't. */
  readonly counts: CountingMetrics | undefined;
  /** Removes the value of a key, and keeps loads under way from storing theirs. Answers what the store's `delete` answers. */
  remove(key: string): unknown;
  clear(): unknown;
}

/** Only the cached function itself holds its listing. */
const known = new Set<WeakRef<CacheListing>>();
/** Looked through for those that are gone whenever it has doubled: a function made for each request must not fill the memory. */
let sweepAt = 64;
let isCounting = false;

export function list(listing: CacheListing): void {
  known.add(new WeakRef(listing));
  if (known.size < sweepAt) return;
  sweepAt = 2 * listings().length + 64;
}

export function listings(): CacheListing[] {
  const alive: CacheListing[] = [];
  for (const reference of known) {
    const listing = reference.deref();
    if (listing) alive.push(listing);
    else known.delete(reference);
  }
  return alive;
}

/** Functions that are cached from now on are counted. Those before aren't, for nothing on their way to a hit asks for it. */
export function startCounting(): void {
  isCounting = true;
}

/**
 * The collector that a new cached function is to have, and where its figures can be read. A function whose collector counts needs no
 * other; without one it gets one of its own; any other hears of everything, as before, beside that one.
 */
export function counted(metrics: MetricsCollector | undefined): {
  metrics: MetricsCollector | undefined;
  counts: CountingMetrics | undefined;
} {
  if (metrics instanceof CountingMetrics) return { metrics, counts: metrics };
  if (!isCounting) return { metrics, counts: undefined };
  // No lookup in memory is timed: it would say nothing but how fast memory is.
  const counts = new InMemoryMetrics({ sampleEvery: Number.POSITIVE_INFINITY });
  return { metrics: metrics === undefined || metrics === NULL_METRICS ? counts : tee(counts, metrics), counts };
}
