import { COUNTER_WORDS, add, nextHalf } from './counter.js';

/** The words of a cache's counts, in the order of `COUNTS`. */
export const COUNTS = ['hits', 'misses', 'sets', 'deletes', 'refreshes', 'failedRefreshes'] as const;
export type Count = (typeof COUNTS)[number];
export const COUNTS_WORDS: number = COUNTS.length * COUNTER_WORDS;

const at = (count: Count): number => COUNTS.indexOf(count) * COUNTER_WORDS;
const HITS: number = at('hits');

/** The first lookups of a cache are all timed. */
const ALL_TIMED = 64;
/** After them, more are left out where timed ones come closer together than this (ms), and fewer where they come farther apart. */
const CLOSE_MS = 1;
const FAR_MS = 4;

/**
 * The counts of one cache in one thread, and which of its lookups are timed. All who count for the cache in this thread share one tally.
 *
 * A hit is `hit()`: an addition, a comparison and a store. To time one costs a hundred times that, so lookups in memory are timed by
 * sampling: one after a random number of others, whose mean follows the traffic up to `sampleEvery`, so that about a thousand a second
 * are timed; and it counts for as many as were left out. A random number, since a fixed one could keep step with the traffic.
 */
export class Tally {
  /** Below this `hit` may go: the hit after is to be timed, or passes a half of its counter. */
  due = 0;
  readonly #words: Int32Array;
  readonly #sampleEvery: number;
  readonly #onTimed: (durationSeconds: number, count: number) => void;
  /** How many lookups go by before the next that is timed, as of when the counter stood at `#armedAt`. */
  #left = 0;
  #armedAt = 0;
  /** How many lookups the next timed one stands for. */
  #weight = 1;
  #timed = 0;
  #timedAt = 0;
  /** The mean of that number. */
  #mean = 1;

  /** @param sampleEvery at least one of as many lookups is timed: 1 times each, `Infinity` none */
  constructor(words: Int32Array, sampleEvery: number, onTimed: (durationSeconds: number, count: number) => void) {
    this.#words = words;
    this.#sampleEvery = sampleEvery;
    this.#onTimed = onTimed;
    if (sampleEvery === Infinity) this.#left = Infinity;
    this.#arm();
  }

  /** Counts a hit, unless it is to be timed or passes a half of the counter: then answers false, and `lookup` counts it. */
  hit(): boolean {
    const low = (this.#words[HITS] as number) + 1;
    if (low >= this.due) return false;
    this.#words[HITS] = low;
    return true;
  }

  /** Whether the lookup that begins now is to be timed. */
  get isTimed(): boolean {
    return this.#remaining() <= 0;
  }

  /** A lookup that was timed, and ended at `now` (milliseconds). Before it is counted. */
  timed(durationSeconds: number, now: number): void {
    this.#onTimed(durationSeconds, this.#weight);
    if (++this.#timed >= ALL_TIMED) {
      const pause = now - this.#timedAt;
      if (pause < CLOSE_MS) this.#mean = Math.min(2 * this.#mean, this.#sampleEvery);
      else if (pause > FAR_MS) this.#mean = Math.max(this.#mean / 2, 1);
    }
    this.#timedAt = now;
    this.#weight = 1 + Math.floor(Math.random() * (2 * this.#mean - 1));
    this.#left = this.#weight;
    this.#armedAt = this.#words[HITS] as number;
  }

  /** Counts a lookup. */
  lookup(isHit: boolean): void {
    this.#count(isHit ? 'hits' : 'misses', 1);
  }

  /** Counts what isn't a lookup, or one that somebody else has timed. */
  add(count: Count): void {
    this.#count(count, 0);
  }

  #count(count: Count, lookups: number): void {
    this.#left = this.#remaining() - lookups;
    add(this.#words, at(count), 1);
    this.#arm();
  }

  #remaining(): number {
    return this.#left - ((this.#words[HITS] as number) - this.#armedAt);
  }

  #arm(): void {
    const low = this.#words[HITS] as number;
    this.#armedAt = low;
    this.due = Math.min(low + Math.max(this.#left, 0) + 1, nextHalf(low));
  }
}
