import { threadId } from 'node:worker_threads';
import type { MetricsCollector } from '../core/metrics.js';
import { refuse, show } from '../core/options.js';
import { LARGEST_STEP } from './counter.js';
import { Ledger } from './ledger.js';
import type { Memory } from './memory/memory.js';
import { PrivateMemory } from './memory/private.js';
import { processMemory } from './memory/process.js';
import { Reporter } from './memory/reporter.js';
import type { Tally } from './tally.js';
import { type Totals, totalsByThread, totalsOf } from './totals.js';

/** What every collector that counts takes. */
export interface CountingOptions {
  /**
   * Which counts these are. Collectors of one name in all threads of the process are one: each thread counts for itself, in memory that all
   * of them read, and the figures are the sum. An `InMemoryMetrics` and exporters of one name tell of the same counts.
   */
  readonly name?: string | undefined;
  /**
   * Of how many lookups in memory at least one is timed, which counts for as many. Default 1024; 1 times each, `Infinity` none. What isn't
   * a lookup in memory takes so long that it is always timed. In a thread the first collector of a name decides.
   */
  readonly sampleEvery?: number | undefined;
}

export const COUNTING_OPTIONS: readonly (keyof CountingOptions)[] = ['name', 'sampleEvery'];

const SAMPLE_EVERY = 1024;

type Detail<M extends keyof MetricsCollector> = NonNullable<Parameters<NonNullable<MetricsCollector[M]>>[1]>;

/**
 * The tally that a collector counts the hits and misses of a cache with, where it has one: a hit is then a few machine instructions
 * rather than a call. Not of a subclass, or of an object, whose `recordHit` or `recordMiss` is its own: that one wants to be called.
 */
export let tallyOf: (collector: MetricsCollector, cacheName: string) => Tally | undefined;

/** What this thread counted for a collector, by the name of the cache (see `cacheNameOf`). */
export let ownTotalsOf: (collector: CountingMetrics) => Totals;

/** Of the collectors of one name in this thread: they count in the same words, so they must take turns. */
const ledgers = new Map<string, Ledger>();

function sharedLedger(name: string, sampleEvery: number): Ledger {
  let ledger = ledgers.get(name);
  if (!ledger) ledgers.set(name, (ledger = new Ledger(processMemory(), name, sampleEvery)));
  return ledger;
}

/** Counts, durations and errors of caches, for `InMemoryMetrics` and the exporters. Keys are not kept; what is counted has few names. */
export abstract class CountingMetrics implements MetricsCollector {
  readonly #memory: Memory;
  readonly #ledger: Ledger;

  /**
   * @param defaultName without one, and without a name among the options, the counts are the collector's own
   * @throws TypeError or RangeError for options that can't be meant
   */
  constructor(options: CountingOptions, defaultName?: string) {
    const { name = defaultName, sampleEvery = SAMPLE_EVERY } = options;
    if (name !== undefined && (typeof name !== 'string' || name === '')) refuse('name', 'a non-empty string', name);
    if (sampleEvery !== Infinity && !(Number.isSafeInteger(sampleEvery) && sampleEvery >= 1 && sampleEvery < LARGEST_STEP / 2)) {
      throw new RangeError(`Expected \`sampleEvery\` to be a whole number of 1 or more, or Infinity, got ${show(sampleEvery)}`);
    }
    this.#ledger = name === undefined ? new Ledger(new PrivateMemory(), '', sampleEvery) : sharedLedger(name, sampleEvery);
    this.#memory = this.#ledger.memory;
  }

  recordHit(cacheName: string, _detail?: Detail<'recordHit'>): void {
    this.#ledger.of(cacheName).tally.add('hits');
  }

  recordMiss(cacheName: string, _detail?: Detail<'recordMiss'>): void {
    this.#ledger.of(cacheName).tally.add('misses');
  }

  recordSet(cacheName: string, _detail?: Detail<'recordSet'>): void {
    this.#ledger.of(cacheName).tally.add('sets');
  }

  recordDelete(cacheName: string, _detail?: Detail<'recordDelete'>): void {
    this.#ledger.of(cacheName).tally.add('deletes');
  }

  /** Without a `durationSeconds` there is nothing to record. */
  recordLatency(cacheName: string, { operation = 'call', durationSeconds }: Detail<'recordLatency'> = {}): void {
    if (durationSeconds !== undefined && durationSeconds >= 0) this.#ledger.of(cacheName).latency(operation, durationSeconds, 1);
  }

  recordError(cacheName: string, { operation = 'call', errorType = 'Error' }: Detail<'recordError'> = {}): void {
    this.#ledger.of(cacheName).error(operation, errorType);
  }

  /** What is in use now. In the sum, the threads that are alive. */
  recordMemoryUsage(cacheName: string, { bytesUsed, entryCount }: Detail<'recordMemoryUsage'> = {}): void {
    this.#ledger.of(cacheName).memory(bytesUsed, entryCount);
  }

  /** A duration is also the latency of the operation `refresh`. */
  recordBackgroundRefresh(cacheName: string, { success = true, durationSeconds }: Detail<'recordBackgroundRefresh'> = {}): void {
    this.#ledger.of(cacheName).tally.add(success ? 'refreshes' : 'failedRefreshes');
    this.recordLatency(cacheName, { operation: 'refresh', ...(durationSeconds === undefined ? {} : { durationSeconds }) });
  }

  /** Unix time in milliseconds: nothing was counted before. */
  protected get since(): number {
    return this.#memory.since;
  }

  /** The sum over all threads that count under this collector's name, those that have ended among them. */
  protected totals(): Totals {
    return totalsOf(this.#memory.series(), this.#ledger.collector);
  }

  /** For collectors that send: whether this thread is the one that does. */
  protected reporter(exporter: string): Reporter {
    return new Reporter(this.#memory, this.#ledger.collector, exporter);
  }

  protected totalsByThread(): ReturnType<typeof totalsByThread> {
    return totalsByThread(this.#memory.series(), this.#ledger.collector);
  }

  static {
    const own: CountingMetrics = this.prototype;
    tallyOf = (collector, cacheName) => {
      if (!(#ledger in collector) || collector.recordHit !== own.recordHit || collector.recordMiss !== own.recordMiss) return undefined;
      return collector.#ledger.of(cacheName).tally;
    };
    ownTotalsOf = (collector) => collector.totalsByThread().find((one) => one.threadId === threadId)?.totals ?? new Map();
  }
}
