import { COUNTER_WORDS, countOf } from './counter.js';
import { Distribution } from './histogram.js';
import { readMemory } from './ledger.js';
import type { Lane, Series } from './memory/memory.js';
import { MAX_CACHES, MAX_ERROR_TYPES, MAX_OPERATIONS, Names } from './names.js';
import { COUNTS, type Count } from './tally.js';

/** What one cache did: in one thread, or in all of them. */
export interface CacheTotals {
  readonly counts: Record<Count, number>;
  /** In use now, by the threads that are alive; `undefined` where nobody said. */
  readonly memory: { bytes: number | undefined; entries: number | undefined };
  /** By operation. */
  readonly latency: Map<string, Distribution>;
  /** By operation and type. */
  readonly errors: Map<string, Map<string, number>>;
}

/** By the cache's name, in the order of its first appearance: at most `MAX_CACHES`, and `other`. */
export type Totals = Map<string, CacheTotals>;

/** Each thread keeps to the bounds by itself; here they are kept for all of them. */
interface Bounds {
  readonly caches: Names;
  readonly operations: Names;
  readonly types: Names;
}

/** Adds up what a collector counted, `of` all threads or of those that are asked for. */
export function totalsOf(all: readonly Series[], collector: string, of?: Lane): Totals {
  const names: Bounds = { caches: new Names(MAX_CACHES), operations: new Names(MAX_OPERATIONS), types: new Names(MAX_ERROR_TYPES) };
  const totals: Totals = new Map();
  for (const series of all) {
    if (series.key[0] !== collector || series.key[1] === 'reporter') continue;
    // Asked for each, so that a name means the same in the sum and in the figures of one thread.
    const name = names.caches.of(series.key[2]);
    if (of !== undefined && series.lane !== of) continue;
    let cache = totals.get(name);
    if (!cache) totals.set(name, (cache = noTotals()));
    addTo(cache, series, names);
  }
  return totals;
}

/** The figures of each thread that counted for a collector; those of a thread that ended are with the one that took its lane. */
export function totalsByThread(all: readonly Series[], collector: string): { threadId: number | undefined; totals: Totals }[] {
  const lanes = new Set(all.filter(({ key }) => key[0] === collector).map(({ lane }) => lane));
  return [...lanes].map((lane) => ({ threadId: lane.thread(), totals: totalsOf(all, collector, lane) }));
}

function noTotals(): CacheTotals {
  return {
    counts: { hits: 0, misses: 0, sets: 0, deletes: 0, refreshes: 0, failedRefreshes: 0 },
    memory: { bytes: undefined, entries: undefined },
    latency: new Map(),
    errors: new Map(),
  };
}

function addTo(cache: CacheTotals, { key, words, lane }: Series, names: Bounds): void {
  switch (key[1]) {
    case 'counts':
      for (const [i, count] of COUNTS.entries()) cache.counts[count] += countOf(words, i * COUNTER_WORDS);
      return;
    case 'memory': {
      // What a thread that has ended had in its memory is gone.
      if (lane.thread() === undefined) return;
      const { bytes, entries } = readMemory(words);
      const { memory } = cache;
      if (bytes !== undefined) memory.bytes = (memory.bytes ?? 0) + bytes;
      if (entries !== undefined) memory.entries = (memory.entries ?? 0) + entries;
      return;
    }
    case 'latency': {
      const operation = names.operations.of(key[3]);
      const distribution = cache.latency.get(operation) ?? new Distribution();
      cache.latency.set(operation, distribution);
      distribution.addOctave(key[4], words);
      return;
    }
    case 'error': {
      const operation = names.operations.of(key[3]);
      const type = names.types.of(key[4]);
      const types = cache.errors.get(operation) ?? new Map<string, number>();
      cache.errors.set(operation, types);
      types.set(type, (types.get(type) ?? 0) + countOf(words, 0));
      return;
    }
    default:
      // A kind that a newer copy of the package counts.
      return;
  }
}
