import { threadId } from 'node:worker_threads';
import { HAS_REPORTED, type Memory, REPORTER_WORDS, REPORTS, type Series } from './memory.js';

/**
 * Which of several threads sends what all of them counted: each could, and one must. It is the first (in the order in which they were made)
 * that is alive and has begun to report; when it ends or retires, the next one goes on. Every thread comes to that by itself, from words
 * that all can read.
 */
export class Reporter {
  static readonly #inThread = new Set<string>();
  readonly #memory: Memory;
  readonly #collector: string;
  readonly #exporter: string;
  readonly #words: Int32Array;

  /**
   * @param exporter of those that send the same counts to different places, each has reporters of its own
   * @throws TypeError for a second one in this thread, since both would send all
   */
  constructor(memory: Memory, collector: string, exporter: string) {
    if (Reporter.#inThread.has(`${exporter} ${collector}`)) {
      throw new TypeError(`Expected one ${exporter} of the counts '${collector}' in a thread, got another: share it, or give a \`name\``);
    }
    Reporter.#inThread.add(`${exporter} ${collector}`);
    this.#memory = memory;
    this.#collector = collector;
    this.#exporter = exporter;
    this.#words = memory.open([collector, 'reporter', exporter], REPORTER_WORDS);
  }

  /** Whether another thread has sent what was counted until now, or most of it. To be asked before the first `isOne`. */
  hasPredecessor(): boolean {
    return this.#all().some(({ words }) => Atomics.load(words, HAS_REPORTED) === 1);
  }

  /** Whether this thread is the one. Asking makes it a candidate. */
  isOne(): boolean {
    Atomics.store(this.#words, REPORTS, 1);
    const first = this.#all().find(({ words, lane }) => Atomics.load(words, REPORTS) === 1 && lane.thread() !== undefined);
    const isOne = first === undefined || first.lane.thread() === threadId;
    if (isOne) Atomics.store(this.#words, HAS_REPORTED, 1);
    return isOne;
  }

  retire(): void {
    Reporter.#inThread.delete(`${this.#exporter} ${this.#collector}`);
    Atomics.store(this.#words, REPORTS, 0);
  }

  #all(): Series[] {
    return this.#memory.series().filter(({ key }) => key[0] === this.#collector && key[1] === 'reporter' && key[2] === this.#exporter);
  }
}
