import { ViewExpiredError, WireFormatError } from '../core/errors.js';
import type { Held } from './adoption.js';
import { textOfKey } from './key.js';
import { HEADER_WORDS, KEY, KEY_BYTES, recordEnd } from './layout.js';

/** Copied at once: while a reader goes through so much, no publication disturbs it. */
const CHUNK_WORDS = 64 * 1024;

/** Some whole records, in private memory. */
export interface Chunk {
  readonly words: Int32Array;
  /** The word after the last whole record. */
  readonly end: number;
  /** Where the next chunk begins, in the snapshot; 0 after the last. */
  readonly next: number;
}

/**
 * The records of a snapshot from a word on, as many as a chunk has room for, and one at least. `undefined`: the snapshot isn't in its
 * slot any more.
 *
 * @throws WireFormatError for records that aren't whole
 */
export function readChunk(held: Held, from: number = HEADER_WORDS): Chunk | undefined {
  const { packed } = held;
  for (let size = CHUNK_WORDS; ; size *= 4) {
    const length = Math.min(size, packed.recordsEnd - from);
    const words = new Int32Array(length);
    for (let word = 0; word < length; word++) words[word] = packed.words[from + word] as number;
    if (!held.holds()) return undefined;
    const isRest = from + length === packed.recordsEnd;
    let end = 0;
    for (let after = recordEnd({ words, recordsEnd: length }, 0); after > 0; after = recordEnd({ words, recordsEnd: length }, end)) {
      end = after;
      if (end === length) break;
    }
    if (isRest ? end === length : end > 0) return { words, end, next: isRest ? 0 : from + end };
    if (isRest) throw new WireFormatError('A record of this keyed snapshot is corrupt: its length leads out of it');
  }
}

/**
 * Goes through the records of one version.
 *
 * @param make what is given for a record: its key, and where it is in the chunk
 * @throws ViewExpiredError when the version is overwritten meanwhile
 */
export function* recordsOf<T>(held: Held, first: Chunk, make: (key: string, words: Int32Array, at: number) => T): Generator<T> {
  for (let chunk = first; ; ) {
    const { words, end, next } = chunk;
    for (let at = 0; at < end; at = recordEnd({ words, recordsEnd: end }, at)) {
      yield make(textOfKey(words, at + KEY, words[at + KEY_BYTES] as number), words, at);
    }
    if (next === 0) return;
    const following = readChunk(held, next);
    if (following === undefined) throw expired(held);
    chunk = following;
  }
}

export function expired({ number }: Held): ViewExpiredError {
  return new ViewExpiredError(`Version ${number} is overwritten: later ones were published meanwhile`);
}
