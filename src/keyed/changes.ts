/**
 * The last section of a keyed snapshot: what the publications that led to it changed, so that a reader of an earlier one need not look at
 * the rest. Words; float64 as two.
 *
 * ```
 * SEGMENTS, 0
 * each, the oldest first:   FROM_EPOCH x2, FROM_VERSION x2   the snapshot that it leads from, to the next segment's or to this one
 *                           WORDS of its events, EVENTS
 * each event:               KIND << 16 | KEY_BYTES   0 added, 1 changed, 2 removed
 *                           OLD x2   the hash of the value before; 0 where it was added
 *                           the key, zeros up to 4 bytes
 * zeros up to 8 bytes
 * ```
 * Old hashes make it exact over several segments: a record that changed and changed back has not changed.
 */
import type { SnapshotMeta } from '../core/snapshot.js';
import type { Differences } from './diff.js';
import { textOfKey, wordsOf } from './key.js';
import { KEY, KEY_BYTES, type Packed, type Table, VALUE_HASH } from './layout.js';

const SEGMENT_WORDS = 6;
const EVENT_WORDS = 3;
const ADDED = 0;
const CHANGED = 1;
const REMOVED = 2;

/** A section is at most so many words, and at most an eighth of the records. Readers that it doesn't reach compare whole versions. */
const MOST_WORDS = 256 * 1024;
const LEAST_WORDS = 4 * 1024;
const MOST_SEGMENTS = 64;

/** The section of a snapshot that nothing is known of but itself. */
export const NO_CHANGES: Int32Array = new Int32Array(2);

/** The snapshot before. */
export interface Earlier extends Pick<SnapshotMeta, 'epoch' | 'version'> {
  readonly packed: Packed;
}

const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/** Writes the section of a new snapshot: what is left of the earlier one's, and the differences that it is told. */
export class ChangesWriter implements Differences {
  readonly #earlier: Earlier | undefined;
  readonly #next: Table;
  #words = new Int32Array(1024);
  #end = 0;
  #overflow = false;
  #count = 0;

  constructor(earlier: Earlier | undefined, next: Table) {
    this.#earlier = earlier;
    this.#next = next;
  }

  /** How many differences it was told. */
  get count(): number {
    return this.#count;
  }

  added(next: number): void {
    this.#write(ADDED, this.#next.words, next, 0, 0);
  }

  changed(next: number, before: number): void {
    const { words } = (this.#earlier as Earlier).packed;
    this.#write(CHANGED, this.#next.words, next, words[before + VALUE_HASH] as number, words[before + VALUE_HASH + 1] as number);
  }

  removed(before: number): void {
    const { words } = (this.#earlier as Earlier).packed;
    this.#write(REMOVED, words, before, words[before + VALUE_HASH] as number, words[before + VALUE_HASH + 1] as number);
  }

  /** @param codec of the new snapshot */
  finish(codec: string): Int32Array {
    const earlier = this.#earlier;
    const most = Math.max(LEAST_WORDS, Math.min(MOST_WORDS, this.#next.recordsEnd >>> 3));
    const isTooLong = this.#overflow || this.#end + SEGMENT_WORDS + 2 > most;
    if (!earlier || isTooLong || !isComparable(earlier.packed, this.#next, codec)) return NO_CHANGES;
    const kept = keptSegments(earlier.packed, most - this.#end - SEGMENT_WORDS - 2);
    const used = 2 + kept.words.length + SEGMENT_WORDS + this.#end;
    const section = new Int32Array((used + 1) & ~1);
    section[0] = kept.segments + 1;
    section.set(kept.words, 2);
    const at = 2 + kept.words.length;
    double[0] = earlier.epoch;
    section.set(halves, at);
    double[0] = earlier.version;
    section.set(halves, at + 2);
    section[at + 4] = this.#end;
    section[at + 5] = this.#count;
    section.set(this.#words.subarray(0, this.#end), at + SEGMENT_WORDS);
    return section;
  }

  #write(kind: number, words: Int32Array, at: number, oldLow: number, oldHigh: number): void {
    this.#count++;
    const keyBytes = words[at + KEY_BYTES] as number;
    const length = wordsOf(keyBytes);
    if (this.#overflow || this.#end + EVENT_WORDS + length > MOST_WORDS) {
      this.#overflow = true;
      return;
    }
    if (this.#end + EVENT_WORDS + length > this.#words.length) {
      const grown = new Int32Array(Math.max(this.#words.length * 2, this.#end + EVENT_WORDS + length));
      grown.set(this.#words);
      this.#words = grown;
    }
    const target = this.#words;
    target[this.#end++] = (kind << 16) | keyBytes;
    target[this.#end++] = oldLow;
    target[this.#end++] = oldHigh;
    for (let word = 0; word < length; word++) target[this.#end++] = words[at + KEY + word] as number;
  }
}

/** Whether equal hashes say that the values are equal. */
function isComparable(earlier: Packed, next: Table, codec: string): boolean {
  return earlier.codec === codec && earlier.seed0 === next.seed0 && earlier.seed1 === next.seed1;
}

interface Segment {
  readonly epoch: number;
  readonly version: number;
  /** The first word of its events, and the one after the last. */
  readonly from: number;
  readonly to: number;
}

/** The segments of a section; none of one that is unsound. */
function segmentsOf(section: Int32Array): Segment[] {
  const segments: Segment[] = [];
  const count = section[0] ?? 0;
  let at = 2;
  for (let left = count; left > 0; left--) {
    const from = at + SEGMENT_WORDS;
    const words = section[at + 4] ?? -1;
    if (words < 0 || from + words > section.length) return [];
    segments.push({ epoch: doubleAt(section, at), version: doubleAt(section, at + 2), from, to: from + words });
    at = from + words;
  }
  return segments;
}

function doubleAt(words: Int32Array, at: number): number {
  halves[0] = words[at] as number;
  halves[1] = words[at + 1] as number;
  return double[0] as number;
}

/** The newest segments of a snapshot that fit. */
function keptSegments(packed: Packed, mostWords: number): { segments: number; words: Int32Array } {
  const { words, changesAt, changesWords } = packed;
  const section = words.subarray(changesAt, changesAt + changesWords);
  const all = segmentsOf(section);
  const end = all.at(-1)?.to ?? 2;
  let first = all.length;
  while (first > 0 && all.length - first < MOST_SEGMENTS - 1 && end - (all[first - 1] as Segment).from + SEGMENT_WORDS <= mostWords)
    first--;
  const from = first < all.length ? (all[first] as Segment).from - SEGMENT_WORDS : end;
  return { segments: all.length - first, words: section.slice(from, end) };
}

/** The value of a record before: its hash, or `undefined` where there was none. */
export interface Old {
  readonly key: string;
  readonly hash: readonly [low: number, high: number] | undefined;
}

/**
 * What each key that was touched since the snapshot `since` had then; `undefined` where the section doesn't reach back to it.
 *
 * @param section private
 */
export function* oldStates(section: Int32Array, since: Pick<SnapshotMeta, 'epoch' | 'version'>): Generator<Old, boolean> {
  const segments = segmentsOf(section);
  const first = segments.findIndex(({ epoch, version }) => epoch === since.epoch && version === since.version);
  if (first < 0) return false;
  const seen = new Set<string>();
  for (const { from, to } of segments.slice(first)) {
    for (let at = from; at + EVENT_WORDS <= to; ) {
      const head = section[at] as number;
      const keyBytes = head & 0xffff;
      const end = at + EVENT_WORDS + wordsOf(keyBytes);
      if (end > to) return false;
      const key = textOfKey(section, at + EVENT_WORDS, keyBytes);
      const hash = head >> 16 === ADDED ? undefined : ([section[at + 1] as number, section[at + 2] as number] as const);
      at = end;
      if (seen.has(key)) continue;
      seen.add(key);
      yield { key, hash };
    }
  }
  return true;
}
