import type { Adoption } from './adoption.js';
import { GONE } from './diff.js';
import { packKey, takeKey } from './key.js';
import { findRecord, hashKey, HEADER_WORDS, KEY, keyBytesAt, recordEnd, VALUE_BYTES, VALUE_HASH } from './layout.js';
import { RecordTable } from './records.js';

/** The hash of a value, or that there is no such record. */
export type ValueHash = readonly [low: number, high: number] | undefined;

/** A shadow of which so many records are gone, and more than are left, is made anew. */
const MOST_GONE = 1024;

/**
 * The keys of a version and the hashes of their values, in private memory: what a later version is compared with when the snapshots in
 * between are gone. Half of a short record's size, and kept only where somebody listens.
 */
export class Shadow {
  /** Records without values. */
  readonly table: RecordTable;
  /** The format of the values whose hashes these are. */
  readonly codec: string;
  readonly #hash = new Int32Array(2);
  #gone = 0;
  /** The next record that `copy` takes. */
  #at: number = HEADER_WORDS;

  constructor({ packed }: Adoption) {
    const { seed0, seed1, records, codec } = packed;
    this.table = new RecordTable({ seed0, seed1, records });
    this.codec = codec;
  }

  /** Copies up to `count` records more of the version that it was made for. `'broken'`: that is no table any more. */
  copy({ packed }: Adoption, count: number): 'more' | 'done' | 'broken' {
    const { words, recordsEnd } = packed;
    for (let left = count; left > 0; left--) {
      const at = this.#at;
      if (at >= recordsEnd) return 'done';
      const end = recordEnd(packed, at);
      const keyBytes = keyBytesAt(packed, at);
      if (end === 0 || keyBytes < 0) return 'broken';
      this.#hash[0] = words[at + VALUE_HASH] as number;
      this.#hash[1] = words[at + VALUE_HASH + 1] as number;
      takeKey(words, at + KEY, keyBytes);
      this.#add(keyBytes);
      this.#at = end;
    }
    return 'more';
  }

  /** What a key has from now on. */
  set(key: string, value: ValueHash): void {
    const { table } = this;
    const keyBytes = packKey(key);
    const at = findRecord(table, keyBytes, hashKey(table, keyBytes));
    if (at === 0) {
      if (value) {
        this.#hash.set(value);
        this.#add(keyBytes);
      }
      return;
    }
    const { words } = table;
    const wasGone = words[at + VALUE_BYTES] === GONE;
    words[at + VALUE_BYTES] = value ? 0 : GONE;
    if (value) words.set(value, at + VALUE_HASH);
    if (wasGone === !value) return;
    table.records += value ? 1 : -1;
    this.#gone += value ? -1 : 1;
  }

  /** Whether it is mostly of keys that are gone, whose room nothing else takes. */
  get isSpent(): boolean {
    return this.#gone > Math.max(MOST_GONE, this.table.records);
  }

  #add(keyBytes: number): void {
    this.table.finish(this.table.begin(keyBytes, 0), keyBytes, 0, this.#hash);
  }
}
