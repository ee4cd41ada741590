import { COUNTER_WORDS, add } from './counter.js';
import { HistogramWriter, OCTAVE_WORDS } from './histogram.js';
import type { Memory } from './memory/memory.js';
import { MAX_CACHES, MAX_ERROR_TYPES, MAX_OPERATIONS, Names, OTHER, cacheNameOf, wordOf } from './names.js';
import { COUNTS_WORDS, Tally } from './tally.js';

/** The words of a cache's memory: two float64, the bytes and the entries. The last reading counts, so it may be torn where 64 bits are. */
const MEMORY_WORDS = 4;

/** One cache in one thread. */
class Account {
  readonly tally: Tally;
  readonly #name: string;
  readonly #ledger: Ledger;
  readonly #histograms = new Map<string, HistogramWriter>();
  readonly #errors = new Map<string, Int32Array>();
  #memory: Float64Array | undefined;

  constructor(ledger: Ledger, name: string) {
    this.#ledger = ledger;
    this.#name = name;
    const words = ledger.memory.open([ledger.collector, 'counts', name], COUNTS_WORDS);
    this.tally = new Tally(words, ledger.sampleEvery, (durationSeconds, count) => this.latency('get', durationSeconds, count));
  }

  latency(operation: string, durationSeconds: number, count: number): void {
    const { memory, collector, operations } = this.#ledger;
    const op = operations.of(wordOf(operation, OTHER));
    let histogram = this.#histograms.get(op);
    if (!histogram) {
      histogram = new HistogramWriter((octave) => memory.open([collector, 'latency', this.#name, op, octave], OCTAVE_WORDS));
      this.#histograms.set(op, histogram);
    }
    histogram.record(durationSeconds, count);
  }

  error(operation: string, errorType: string): void {
    const { memory, collector, operations, errorTypes } = this.#ledger;
    const op = operations.of(wordOf(operation, OTHER));
    const type = errorTypes.of(wordOf(errorType, 'Error'));
    let words = this.#errors.get(`${op}.${type}`);
    if (!words) this.#errors.set(`${op}.${type}`, (words = memory.open([collector, 'error', this.#name, op, type], COUNTER_WORDS)));
    add(words, 0, 1);
  }

  memory(bytesUsed: number | undefined, entryCount: number | undefined): void {
    if (!this.#memory) {
      const { buffer, byteOffset } = this.#ledger.memory.open([this.#ledger.collector, 'memory', this.#name], MEMORY_WORDS);
      this.#memory = new Float64Array(buffer, byteOffset, MEMORY_WORDS / 2);
    }
    if (bytesUsed !== undefined) this.#memory[0] = bytesUsed;
    if (entryCount !== undefined) this.#memory[1] = entryCount;
  }
}

/** What one thread counts for a collector: each cache has an account, and what is counted has few names. */
export class Ledger {
  readonly memory: Memory;
  readonly collector: string;
  readonly sampleEvery: number;
  readonly operations: Names = new Names(MAX_OPERATIONS);
  readonly errorTypes: Names = new Names(MAX_ERROR_TYPES);
  readonly #accounts = new Map<string, Account>();
  /** The names there may be, once there are as many. */
  #full: Names | undefined;

  constructor(memory: Memory, collector: string, sampleEvery: number) {
    this.memory = memory;
    this.collector = collector;
    this.sampleEvery = sampleEvery;
  }

  of(cacheName: string): Account {
    return this.#accounts.get(cacheName) ?? this.#open(cacheNameOf(cacheName));
  }

  /** Makes the account of a new name, unless the threads of the process have as many as there may be. */
  #open(name: string): Account {
    const known = this.#full ?? this.#namesInUse();
    const allowed = known.of(name);
    if (known.isFull) this.#full = known;
    let account = this.#accounts.get(allowed);
    if (!account) this.#accounts.set(allowed, (account = new Account(this, allowed)));
    return account;
  }

  #namesInUse(): Names {
    const names = new Names(MAX_CACHES);
    for (const { key } of this.memory.series()) if (key[0] === this.collector) names.of(key[2]);
    return names;
  }
}
