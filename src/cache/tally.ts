import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';
import { isThenable } from '../concurrency/single-flight.js';
import { systemClock } from '../core/clock.js';
import type { MetricsCollector } from '../core/metrics.js';
import type { Wrapper } from './fast.js';
import type { Setup } from './setup.js';

/** In seconds; percentiles are exact to 1 %. */
export interface Latency {
  readonly count: number;
  readonly avg: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** Errors of one type in one operation. `time`: of the last one, Unix time in seconds. */
export interface TalliedError {
  readonly operation: string;
  readonly type: string;
  count: number;
  time: number;
}

const LONGEST_NS = 3.6e12;
const NS_PER_SECOND = 1e9;
/** A histogram takes about 36 KiB: a thread with thousands of cached functions gets them for the first ones that have something to say. */
const MAX_HISTOGRAMS = 500;
/** Errors past so many kinds are counted together. */
const MAX_ERRORS = 50;

let histograms = 0;
/** Those of a function that is gone are free again. */
const freed = new FinalizationRegistry<ReadonlyMap<string, unknown>>((latencies) => {
  histograms -= latencies.size;
});

/**
 * What one cached function did, counted for the inspector. A collector like others, beside the one that the user may have given,
 * but for two things that cost too much there: a hit on the fast path is one addition, without a key, a clock or a call; and
 * loads are timed.
 */
export class Tally implements MetricsCollector {
  hits = 0;
  misses = 0;
  sets = 0;
  deletes = 0;
  refreshes = 0;
  failedRefreshes = 0;
  readonly #errors = new Map<string, TalliedError>();
  readonly #latencies = new Map<string, RecordableHistogram>();
  readonly #beside: MetricsCollector | undefined;

  constructor(beside: MetricsCollector | undefined) {
    this.#beside = beside;
  }

  /** Whether nobody else wants to hear of each hit: then the fast path is open. */
  get isAlone(): boolean {
    return this.#beside === undefined;
  }

  errors(): readonly TalliedError[] {
    return [...this.#errors.values()];
  }

  /** By operation: `load`, `get`, `set`. */
  latencies(): Record<string, Latency> {
    return Object.fromEntries(
      [...this.#latencies].map(([operation, histogram]) => {
        const at = (percent: number): number => histogram.percentile(percent) / NS_PER_SECOND;
        return [operation, { count: histogram.count, avg: histogram.mean / NS_PER_SECOND, p50: at(50), p95: at(95), p99: at(99) }];
      }),
    );
  }

  /** A span in seconds. */
  time(operation: string, seconds: number): void {
    let histogram = this.#latencies.get(operation);
    if (!histogram) {
      if (histograms >= MAX_HISTOGRAMS) return;
      if (this.#latencies.size === 0) freed.register(this, this.#latencies);
      histograms++;
      histogram = createHistogram({ lowest: 1, highest: LONGEST_NS, figures: 2 });
      this.#latencies.set(operation, histogram);
    }
    histogram.record(Math.min(Math.max(Math.round(seconds * NS_PER_SECOND), 1), LONGEST_NS));
  }

  recordHit(...args: Parameters<MetricsCollector['recordHit']>): void {
    this.hits++;
    return this.#beside?.recordHit(...args);
  }

  recordMiss(...args: Parameters<MetricsCollector['recordMiss']>): void {
    this.misses++;
    return this.#beside?.recordMiss(...args);
  }

  recordSet(...args: Parameters<MetricsCollector['recordSet']>): void {
    this.sets++;
    return this.#beside?.recordSet(...args);
  }

  recordDelete(...args: Parameters<MetricsCollector['recordDelete']>): void {
    this.deletes++;
    return this.#beside?.recordDelete(...args);
  }

  recordLatency(...args: Parameters<MetricsCollector['recordLatency']>): void {
    const { operation = 'call', durationSeconds } = args[1] ?? {};
    // Loads are timed here, where each of them passes.
    if (durationSeconds !== undefined && operation !== 'load') this.time(operation, durationSeconds);
    return this.#beside?.recordLatency(...args);
  }

  recordError(...args: Parameters<MetricsCollector['recordError']>): void {
    const { operation = 'call', errorType = 'Error' } = args[1] ?? {};
    this.#count(operation, errorType);
    return this.#beside?.recordError(...args);
  }

  recordMemoryUsage(...args: Parameters<MetricsCollector['recordMemoryUsage']>): void {
    return this.#beside?.recordMemoryUsage(...args);
  }

  recordBackgroundRefresh(...args: Parameters<MetricsCollector['recordBackgroundRefresh']>): void {
    if (args[1]?.success === false) this.failedRefreshes++;
    else this.refreshes++;
    return this.#beside?.recordBackgroundRefresh(...args);
  }

  #count(operation: string, type: string): void {
    const name = `${operation} ${type}`;
    const isFull = this.#errors.size >= MAX_ERRORS && !this.#errors.has(name);
    const kind = isFull ? 'other' : name;
    let error = this.#errors.get(kind);
    if (!error) this.#errors.set(kind, (error = { operation, type: isFull ? 'other' : type, count: 0, time: 0 }));
    error.count++;
    error.time = systemClock.wall() / 1000;
  }
}

/** A wrapper that counts those hits of the fast path that nobody records: all calls that neither miss nor are recorded as a hit. */
export function counting(tally: Tally, inner: Wrapper): Wrapper {
  return function () {
    const before = tally.hits + tally.misses;
    const result = Reflect.apply(inner, this, arguments);
    if (tally.hits + tally.misses === before) tally.hits++;
    return result;
  };
}

/** The function, its runs timed. `then` of what it answers is called once: of a lazy query that is what runs it. */
export function timed(tally: Tally, fn: Setup['fn']): Setup['fn'] {
  return function (this: unknown, ...args) {
    const started = performance.now();
    const ended = (): void => tally.time('load', (performance.now() - started) / 1000);
    let isPending = false;
    try {
      const result: unknown = Reflect.apply(fn, this, args);
      isPending = isThenable(result);
      return isPending ? Promise.resolve(result).finally(ended) : result;
    } finally {
      if (!isPending) ended();
    }
  };
}
