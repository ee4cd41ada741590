import { COUNTER_WORDS, add } from './counter.js';
import { HistogramWriter, OCTAVE_WORDS } from './histogram.js';
import type { Memory } from './memory/memory.js';
import { MAX_CACHES, MAX_ERROR_TYPES, MAX_OPERATIONS, Names, OTHER, cacheNameOf, wordOf } from './names.js';
import { COUNTS_WORDS, Tally } from './tally.js';

/**
 * The words of a cache's memory: the bytes and the entries, a float64 each, and one more than they are: 0 is "nobody said". The last
 * reading counts, so one that is torn, on a processor of 32 bits, is made good by the next.
 */
const MEMORY_WORDS = 4;

const memoryOf = ({ buffer, byteOffset }: Int32Array): Float64Array => new Float64Array(buffer, byteOffset, MEMORY_WORDS / 2);

export function readMemory(words: Int32Array): { bytes: number | undefined; entries: number | undefined } {
  const [bytes = 0, entries = 0] = memoryOf(words);
  return { bytes: bytes > 0 ? bytes - 1 : undefined, entries: entries > 0 ? entries - 1 : undefined };
}

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
    const { memory: words, collector } = this.#ledger;
    this.#memory ??= memoryOf(words.open([collector, 'memory', this.#name], MEMORY_WORDS));
    if (bytesUsed !== undefined && bytesUsed >= 0) this.#memory[0] = bytesUsed + 1;
    if (entryCount !== undefined && entryCount >= 0) this.#memory[1] = entryCount + 1;
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
    for (const { key } of this.memory.series()) if (key[0] === this.collector && key[1] !== 'reporter') names.of(key[2]);
    return names;
  }
}
