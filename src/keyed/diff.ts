/** What differs between two tables, record by record and exactly, in as many slices as the caller likes. */
import { sipHash } from './hash.js';
import { takeKey, wordsOf } from './key.js';
import {
  findRecord,
  hashKey,
  HEADER_WORDS,
  KEY,
  KEY_BYTES,
  keyBytesAt,
  recordEnd,
  type Table,
  VALUE_BYTES,
  VALUE_HASH,
  valueOf,
} from './layout.js';

/** Told of each difference; `at` is a record's first word, in the table that the name says. */
export interface Differences {
  added(next: number): void;
  changed(next: number, before: number): void;
  removed(before: number): void;
}

/** In `VALUE_BYTES` of a record that counts as absent. No record that is read from elsewhere gets past its bounds with it. */
export const GONE = -1;

/**
 * `next` may be shared memory that is being written: then the caller looks after each slice whether it still holds what it held, and
 * drops everything otherwise. Values are told apart by their 64-bit hashes. Where the seeds of the two tables differ, the hashes of
 * `next` are made anew under the seed of `before`.
 *
 * Loaders mostly give their records in the same order each time, so each is looked for where the last one's neighbour is, first.
 */
export class Diff {
  readonly #before: Table;
  readonly #next: Table;
  readonly #told: Differences;
  /** Whether the values of `next` mean something else than those of `before`, whatever their bytes. */
  readonly #allChanged: boolean;
  readonly #sameSeed: boolean;
  readonly #hash = new Int32Array(2);
  #phase: 'next' | 'before' | 'done' = 'next';
  #at: number = HEADER_WORDS;
  /** Where the neighbour is, in the other table. */
  #guess: number = HEADER_WORDS;
  /** Records of both tables. */
  #common = 0;

  constructor(before: Table, next: Table, told: Differences, allChanged = false) {
    this.#before = before;
    this.#next = next;
    this.#told = told;
    this.#allChanged = allChanged;
    this.#sameSeed = before.seed0 === next.seed0 && before.seed1 === next.seed1;
  }

  /**
   * Looks at up to `count` records more. `'broken'`: `next` is no table any more, which the caller knows the reason of.
   */
  step(count: number): 'more' | 'done' | 'broken' {
    for (let left = count; left > 0 && this.#phase !== 'done'; left--) {
      if (!(this.#phase === 'next' ? this.#lookAtNext() : this.#lookAtBefore())) return 'broken';
    }
    return this.#phase === 'done' ? 'done' : 'more';
  }

  #lookAtNext(): boolean {
    const next = this.#next;
    const before = this.#before;
    const at = this.#at;
    if (at >= next.recordsEnd) {
      this.#phase = this.#common < before.records ? 'before' : 'done';
      this.#at = this.#guess = HEADER_WORDS;
      return true;
    }
    const end = recordEnd(next, at);
    if (end === 0) return false;
    this.#at = end;
    const old = this.#find(before, next, at);
    if (old === 0 || before.words[old + VALUE_BYTES] === GONE) {
      this.#told.added(at);
      return true;
    }
    this.#common++;
    if (this.#allChanged || !this.#isSameValue(at, old)) this.#told.changed(at, old);
    return true;
  }

  #lookAtBefore(): boolean {
    const before = this.#before;
    const at = this.#at;
    if (at >= before.recordsEnd) {
      this.#phase = 'done';
      return true;
    }
    const isGone = before.words[at + VALUE_BYTES] === GONE;
    const end = isGone ? (valueOf(at, before.words[at + KEY_BYTES] as number) + 1) & ~1 : recordEnd(before, at);
    if (end === 0) return false;
    this.#at = end;
    if (!isGone && this.#find(this.#next, before, at) === 0) this.#told.removed(at);
    return true;
  }

  /** The record of `table` with the key of the record at `at` in `other`. */
  #find(table: Table, other: Table, at: number): number {
    const keyBytes = keyBytesAt(other, at);
    if (keyBytes < 0) return 0;
    let found = this.#guess;
    if (!isSameKey(table, found, other, at, keyBytes)) {
      takeKey(other.words, at + KEY, keyBytes);
      found = findRecord(table, keyBytes, hashKey(table, keyBytes));
      if (found === 0) return 0;
    }
    this.#guess = recordEnd(table, found);
    return found;
  }

  #isSameValue(next: number, before: number): boolean {
    const { words, recordsEnd } = this.#next;
    const old = this.#before.words;
    let low = words[next + VALUE_HASH];
    let high = words[next + VALUE_HASH + 1];
    if (!this.#sameSeed) {
      const from = valueOf(next, words[next + KEY_BYTES] as number);
      const bytes = words[next + VALUE_BYTES] as number;
      // Bounded a moment ago, but it may be written.
      if (bytes < 0 || from + wordsOf(bytes) > recordsEnd) return false;
      sipHash(words, from, bytes, this.#before.seed0, this.#before.seed1, this.#hash);
      [low, high] = this.#hash;
    }
    return low === old[before + VALUE_HASH] && high === old[before + VALUE_HASH + 1];
  }
}

function isSameKey(table: Table, at: number, other: Table, otherAt: number, keyBytes: number): boolean {
  const end = KEY + wordsOf(keyBytes);
  if (at === 0 || at + end > table.recordsEnd || table.words[at + KEY_BYTES] !== keyBytes) return false;
  for (let word = KEY; word < end; word++) if (table.words[at + word] !== other.words[otherAt + word]) return false;
  return true;
}
