import { hashKey, findRecord, HEADER_WORDS, KEY, KEY_BYTES, recordEnd, type Table, VALUE_BYTES, VALUE_HASH, valueOf } from './layout.js';
import { keyWords, takeKey, wordsOf } from './key.js';
import { Memory } from './memory.js';

/** How many places an index has for so many records: at most two thirds of them full. */
export function placesFor(records: number): number {
  let places = 8;
  while (places * 2 < records * 3) places *= 2;
  return places;
}

export interface TableOptions {
  readonly seed0: number;
  readonly seed1: number;
  /** About how many records there will be: what saves growing the index. */
  readonly records?: number;
  readonly memory?: Memory;
}

/** Records that are added one after another, in private memory that grows. */
export class RecordTable implements Table {
  words: Int32Array;
  index: Int32Array;
  readonly indexAt = 0;
  mask: number;
  longest = 0;
  recordsEnd: number = HEADER_WORDS;
  records = 0;
  readonly seed0: number;
  readonly seed1: number;
  /** Places of the index that are taken: by `records`, and by those that a shadow has marked as gone. */
  #taken = 0;
  readonly #memory: Memory;

  constructor({ seed0, seed1, records = 0, memory = new Memory() }: TableOptions) {
    this.seed0 = seed0;
    this.seed1 = seed1;
    const places = placesFor(records);
    this.words = memory.words;
    this.index = memory.index(2 * places);
    this.mask = places - 1;
    this.#memory = memory;
  }

  /** Makes room for so many words from `recordsEnd` on. */
  reserve(words: number): void {
    const needed = this.recordsEnd + words;
    if (needed > this.words.length) this.words = this.#memory.grow(needed);
  }

  /**
   * Begins a record at `recordsEnd`, with the key that is in `keyWords` and room for its value, which is the caller's to fill; answers
   * its first word. It is one when `finish` has made it one.
   */
  begin(keyBytes: number, mostValueBytes: number): number {
    const keyLength = wordsOf(keyBytes);
    this.reserve(KEY + keyLength + wordsOf(mostValueBytes) + 1);
    const { words, recordsEnd: at } = this;
    words[at + KEY_BYTES] = keyBytes;
    for (let word = 0; word < keyLength; word++) words[at + KEY + word] = keyWords[word] as number;
    return at;
  }

  /** @returns whether another record had that key: it is no part of the table any more, but for its bytes */
  finish(at: number, keyBytes: number, valueBytes: number, hash64: Int32Array): boolean {
    const { words } = this;
    words[at + VALUE_BYTES] = valueBytes;
    words[at + VALUE_HASH] = hash64[0] as number;
    words[at + VALUE_HASH + 1] = hash64[1] as number;
    const valueEnd = valueOf(at, keyBytes) + wordsOf(valueBytes);
    const rest = valueBytes & 3;
    if (rest > 0) words[valueEnd - 1] = (words[valueEnd - 1] as number) & ((1 << (rest * 8)) - 1);
    words[valueEnd] = 0;
    const hash = hashKey(this, keyBytes);
    const before = findRecord(this, keyBytes, hash);
    this.recordsEnd = (valueEnd + 1) & ~1;
    if (before === 0) this.#insert(hash, at);
    else this.index[this.#placeOf(hash, before) + 1] = at / 2;
    return before !== 0;
  }

  /** The index in as many places as suits its records, if it has others. */
  fitIndex(): void {
    const places = placesFor(this.#taken);
    if (places !== this.mask + 1) this.#rehash(places);
  }

  /** Takes out the records that another one of the same key replaced. */
  compact(): void {
    let to = HEADER_WORDS;
    for (let at = HEADER_WORDS, end = 0; at < this.recordsEnd; at = end) {
      end = recordEnd(this, at);
      const keyBytes = this.words[at + KEY_BYTES] as number;
      takeKey(this.words, at + KEY, keyBytes);
      const hash = hashKey(this, keyBytes);
      if (findRecord(this, keyBytes, hash) !== at) continue;
      const place = this.#placeOf(hash, at);
      this.words.copyWithin(to, at, end);
      this.index[place + 1] = to / 2;
      to += end - at;
    }
    this.recordsEnd = to;
  }

  #insert(hash: number, at: number): void {
    if ((this.#taken + 1) * 3 > (this.mask + 1) * 2) this.#rehash((this.mask + 1) * 2);
    this.#taken++;
    this.records++;
    this.#put(hash, at / 2);
  }

  #put(hash: number, at8: number): void {
    const { index, mask } = this;
    let number = hash & mask;
    let looks = 1;
    for (; index[2 * number + 1] !== 0; looks++) number = (number + 1) & mask;
    index[2 * number] = hash;
    index[2 * number + 1] = at8;
    if (looks > this.longest) this.longest = looks;
  }

  #rehash(places: number): void {
    const old = this.index;
    this.index = this.#memory.index(2 * places, old);
    this.mask = places - 1;
    this.longest = 0;
    for (let place = 0; place < old.length; place += 2) {
      if (old[place + 1] !== 0) this.#put(old[place] as number, old[place + 1] as number);
    }
  }

  /** Of a record that is in the index. */
  #placeOf(hash: number, at: number): number {
    const { index, mask } = this;
    let number = hash & mask;
    while (index[2 * number + 1] !== at / 2) number = (number + 1) & mask;
    return 2 * number;
  }
}
