/** The cached functions of this thread, for the inspector. A function that is dropped is gone from here too. */
import type { MetricsCollector } from '../core/metrics.js';
import type { CacheStorage } from '../core/store.js';
import { InMemoryMetrics } from '../metrics/in-memory.js';
import { NULL_METRICS } from '../metrics/null.js';
import { Tally } from './tally.js';

export interface CacheListing {
  readonly name: string;
  /** The key option, where it is a template. */
  readonly template: string | undefined;
  /** Seconds. */
  readonly ttl: number;
  readonly stale: number;
  readonly store: CacheStorage;
  /** As the user gave it. */
  readonly metrics: MetricsCollector | undefined;
  /** What it did; `undefined` for a function that was cached before `startTallies()`. */
  readonly tally: Tally | undefined;
  /** Removes the value of a key, and keeps loads under way from storing theirs. Answers what the store's `delete` answers. */
  remove(key: string): unknown;
  clear(): unknown;
}

/** Only the cached function itself holds its listing. */
const known = new Set<WeakRef<CacheListing>>();
/** Looked through for those that are gone whenever it has doubled: a function made for each request must not fill the memory. */
let sweepAt = 64;
let tallies = false;

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

/** Functions that are cached from now on count what they do. Those before don't: nothing on their path to a hit asks for it. */
export function startTallies(): void {
  tallies = true;
}

/** The tally of a new cached function. One whose collector can tell its figures needs none. */
export function newTally(metrics: MetricsCollector | undefined): Tally | undefined {
  if (!tallies || metrics instanceof InMemoryMetrics) return undefined;
  return new Tally(metrics === NULL_METRICS ? undefined : metrics);
}
