/**
 * The bytes of a keyed snapshot, the same in shared memory, in the host's file and in a store. Words of 32 bits, little-endian; `…8` counts
 * units of 8 bytes from the snapshot's start. No other file writes an index.
 *
 * ```
 * header   (256 B)   0 MAGIC 'ACK1'   1 LAYOUT   2 HEADER_WORDS   3 CHECK: hash of the words 4 to 63, seeded with words 1 and 2
 *                    4 LENGTH8   5 RECORDS   6 DUPLICATES that the loader gave and a later one of the same key replaced
 *                    7 RECORDS_END8   8 INDEX_AT8   9 INDEX_SIZE (places, a power of two)   10 LONGEST search, in places
 *                    11 CHANGES_AT8   12 CHANGES_LENGTH8   13 CHANGES_CHECK: hash of that section   14 15 SEED
 *                    16 FLAGS: 0   17 CODEC_BYTES   18 to 33 CODEC: the name of the values' serializer   34 to 63 zeros
 * records            each of them: KEY_BYTES, VALUE_BYTES, VALUE_HASH x2 (SipHash of the value's bytes, under SEED),
 *                    the key, zeros up to 4 bytes, the value, zeros up to 8
 * index              places of two words: the key's hash under SEED, and where its record begins, in units of 8 bytes (0: empty).
 *                    A key is looked for from place `hash & (INDEX_SIZE - 1)` on, around the end, up to LONGEST places
 * changes            what the last publications changed: see changes.ts
 * ```
 * Records stand first, so that they can be written as they come. A reader believes nothing of this before it has bounded it:
 * the header once for each version (`openPacked`), each record at each look.
 */
import { WireFormatError } from '../core/errors.js';
import { sipHash } from './hash.js';
import { keyWords, MAX_KEY_BYTES, wordsOf } from './key.js';

export const HEADER_WORDS = 64;
const MAGIC = 0;
const LAYOUT = 1;
const HEADER_SIZE = 2;
const CHECK = 3;
const CHECKED_FROM = 4;
const LENGTH8 = 4;
const RECORDS = 5;
const DUPLICATES = 6;
const RECORDS_END8 = 7;
const INDEX_AT8 = 8;
const INDEX_SIZE = 9;
const LONGEST = 10;
const CHANGES_AT8 = 11;
const CHANGES_LENGTH8 = 12;
const CHANGES_CHECK = 13;
const SEED = 14;
const FLAGS = 16;
const CODEC_BYTES = 17;
const CODEC = 18;
const MAX_CODEC_BYTES = 64;

/** Words of a record, from its first. */
export const KEY_BYTES = 0;
export const VALUE_BYTES = 1;
export const VALUE_HASH = 2;
export const KEY = 4;

const MAGIC_VALUE = 0x41434b31;
const LAYOUT_VALUE = 1;

/** Of an index at most two thirds full, whose hash nobody can foresee, a search of more places than this doesn't happen. */
export const LONGEST_SEARCH = 4096;

/** What `meta.codec` says of a snapshot of this layout. */
export const KEYED = 'keyed';

/** Records that can be looked up: a snapshot, or one in the making, whose index is still elsewhere. */
export interface Table {
  readonly words: Int32Array;
  readonly index: Int32Array;
  /** The index's first word. */
  readonly indexAt: number;
  /** Places of the index, less one. */
  readonly mask: number;
  readonly longest: number;
  /** The word after the last record. */
  readonly recordsEnd: number;
  readonly seed0: number;
  readonly seed1: number;
  readonly records: number;
}

/** A snapshot whose header is sound: whatever its other words are, no look at it leaves `words`. */
export interface Packed extends Table {
  readonly duplicates: number;
  /** The name of the values' serializer; `''` for a custom one without a name. */
  readonly codec: string;
  readonly changesAt: number;
  readonly changesWords: number;
  readonly changesCheck: number;
}

/**
 * @param words the whole snapshot
 * @param header its first words, private
 * @throws WireFormatError for anything that isn't a keyed snapshot of exactly this length
 */
export function openPacked(words: Int32Array, header: Int32Array): Packed {
  const at = (index: number): number => (header[index] as number) >>> 0;
  if (at(MAGIC) !== MAGIC_VALUE) throw new WireFormatError('Expected a keyed snapshot, got something else (its first word differs)');
  if (at(LAYOUT) !== LAYOUT_VALUE || at(HEADER_SIZE) !== HEADER_WORDS || at(FLAGS) !== 0) {
    throw new WireFormatError(
      `Expected a keyed snapshot of layout ${LAYOUT_VALUE}, got layout ${at(LAYOUT)}, flags ${at(FLAGS)}: a newer release of the library wrote it`,
    );
  }
  if (header[CHECK] !== checkOf(header)) throw new WireFormatError('The header of this keyed snapshot is corrupt: its hash differs');
  const recordsEnd = at(RECORDS_END8) * 2;
  const indexAt = at(INDEX_AT8) * 2;
  const places = at(INDEX_SIZE);
  const changesAt = at(CHANGES_AT8) * 2;
  const changesWords = at(CHANGES_LENGTH8) * 2;
  const inOrder = HEADER_WORDS <= recordsEnd && recordsEnd <= indexAt && indexAt + 2 * places <= changesAt;
  const isWhole = changesAt + changesWords === words.length && at(LENGTH8) * 2 === words.length;
  // One place at least is empty, and a search ends.
  const isIndex = places > 0 && (places & (places - 1)) === 0 && at(RECORDS) < places && at(LONGEST) <= Math.min(places, LONGEST_SEARCH);
  const codecBytes = at(CODEC_BYTES);
  if (!inOrder || !isWhole || !isIndex || codecBytes > MAX_CODEC_BYTES) {
    throw new WireFormatError('The header of this keyed snapshot is unsound: its parts are not within its bytes');
  }
  return {
    words,
    index: words,
    indexAt,
    mask: places - 1,
    longest: at(LONGEST),
    recordsEnd,
    seed0: header[SEED] as number,
    seed1: header[SEED + 1] as number,
    records: at(RECORDS),
    duplicates: at(DUPLICATES),
    codec: codecOf(header, codecBytes),
    changesAt,
    changesWords,
    changesCheck: header[CHANGES_CHECK] as number,
  };
}

/** The name that was read last: the next snapshot mostly has the same. */
const lastCodec = new Int32Array(MAX_CODEC_BYTES / 4);
let lastCodecBytes = 0;
let lastCodecName = '';

function codecOf(header: Int32Array, bytes: number): string {
  let isLast = bytes === lastCodecBytes;
  for (let word = 0, length = wordsOf(bytes); word < length && isLast; word++) isLast = lastCodec[word] === header[CODEC + word];
  if (isLast) return lastCodecName;
  lastCodec.set(header.subarray(CODEC, CODEC + lastCodec.length));
  lastCodecBytes = bytes;
  lastCodecName = Buffer.from(lastCodec.buffer).toString('utf8', 0, bytes);
  return lastCodecName;
}

/** Writes the header of a snapshot whose other parts are in place. */
export function writeHeader(packed: Packed): void {
  const { words, mask, seed0, seed1, codec } = packed;
  const name = Buffer.from(codec);
  if (name.length > MAX_CODEC_BYTES) {
    throw new RangeError(`Expected the name of a serializer to be at most ${MAX_CODEC_BYTES} bytes, got ${name.length}`);
  }
  words.fill(0, 0, HEADER_WORDS);
  words[MAGIC] = MAGIC_VALUE;
  words[LAYOUT] = LAYOUT_VALUE;
  words[HEADER_SIZE] = HEADER_WORDS;
  words[LENGTH8] = words.length / 2;
  words[RECORDS] = packed.records;
  words[DUPLICATES] = packed.duplicates;
  words[RECORDS_END8] = packed.recordsEnd / 2;
  words[INDEX_AT8] = packed.indexAt / 2;
  words[INDEX_SIZE] = mask + 1;
  words[LONGEST] = packed.longest;
  words[CHANGES_AT8] = packed.changesAt / 2;
  words[CHANGES_LENGTH8] = packed.changesWords / 2;
  words[CHANGES_CHECK] = packed.changesCheck;
  words[SEED] = seed0;
  words[SEED + 1] = seed1;
  words[CODEC_BYTES] = name.length;
  name.copy(new Uint8Array(words.buffer, words.byteOffset + CODEC * 4, MAX_CODEC_BYTES));
  words[CHECK] = checkOf(words);
}

function checkOf(header: Int32Array): number {
  return sipHash(header, CHECKED_FROM, (HEADER_WORDS - CHECKED_FROM) * 4, header[LAYOUT] as number, header[HEADER_SIZE] as number);
}

/** What the key in `keyWords` is looked for by. */
export function hashKey(table: Table, keyBytes: number): number {
  return sipHash(keyWords, 0, keyBytes, table.seed0, table.seed1);
}

/**
 * The record of the key in `keyWords`: its first word, 0 where there is none. The words may be written meanwhile: then the answer is
 * worth nothing, but the search ended after `longest` places, and it and the answer are within the table.
 */
export function findRecord(table: Table, keyBytes: number, hash: number): number {
  const { index, indexAt, mask } = table;
  let number = hash & mask;
  for (let left = table.longest; left > 0; left--, number = (number + 1) & mask) {
    const place = indexAt + 2 * number;
    const at8 = index[place + 1] as number;
    if (at8 === 0) return 0;
    if (index[place] !== hash) continue;
    const at = (at8 >>> 0) * 2;
    if (holdsKey(table, at, keyBytes)) return at;
  }
  return 0;
}

function holdsKey({ words, recordsEnd }: Table, at: number, keyBytes: number): boolean {
  const length = wordsOf(keyBytes);
  if (at < HEADER_WORDS || at + KEY + length > recordsEnd || words[at + KEY_BYTES] !== keyBytes) return false;
  for (let word = 0; word < length; word++) if (words[at + KEY + word] !== keyWords[word]) return false;
  return true;
}

/** The first word of a record's value. */
export function valueOf(at: number, keyBytes: number): number {
  return at + KEY + wordsOf(keyBytes);
}

/** How long the key of the record at `at` is; -1 where that isn't within the table. Whoever reads the key goes by this one answer. */
export function keyBytesAt({ words, recordsEnd }: Table, at: number): number {
  const keyBytes = at + KEY <= recordsEnd ? (words[at + KEY_BYTES] as number) : -1;
  return keyBytes >= 0 && keyBytes <= MAX_KEY_BYTES && valueOf(at, keyBytes) <= recordsEnd ? keyBytes : -1;
}

/** The first word after a record; 0 where what stands at `at` isn't a whole record within the table. */
export function recordEnd({ words, recordsEnd }: Pick<Table, 'words' | 'recordsEnd'>, at: number): number {
  const keyBytes = words[at + KEY_BYTES] as number;
  const valueBytes = words[at + VALUE_BYTES] as number;
  if (keyBytes < 0 || keyBytes > MAX_KEY_BYTES || valueBytes < 0) return 0;
  const end = (valueOf(at, keyBytes) + wordsOf(valueBytes) + 1) & ~1;
  return end <= recordsEnd ? end : 0;
}
