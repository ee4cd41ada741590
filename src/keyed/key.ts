/** Keys as bytes: UTF-8 in whole words, the last one filled up with zeros, so that two keys compare word by word. */
import { ValidationError } from '../core/errors.js';
import { refuse } from '../core/options.js';

/** The longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 65_535;

const SCRATCH_WORDS = (MAX_KEY_BYTES + 1) / 4;

/** The key that is being looked for or stored: filled by `packKey` or `takeKey`, and used before anything else runs in this thread. */
export const keyWords: Int32Array = new Int32Array(SCRATCH_WORDS);
const keyBytes = new Uint8Array(keyWords.buffer);

const textWords = new Int32Array(SCRATCH_WORDS);
const textBytes = Buffer.from(textWords.buffer);

const encoder = new TextEncoder();

/** What `packKey` answers for a string that no record can have as its key. */
export const TOO_LONG = -1;
export const LONE_SURROGATE = -2;

/** How many words so many bytes take. */
export function wordsOf(bytes: number): number {
  return (bytes + 3) >>> 2;
}

/**
 * Puts a key into `keyWords`; answers its bytes, or why it can't be a key. ASCII, as most keys are, is packed here: a call of the
 * encoder costs more than these 20 characters do.
 */
export function packKey(key: string): number {
  const { length } = key;
  if (length > MAX_KEY_BYTES) return TOO_LONG;
  const whole = length & ~3;
  let seen = 0;
  let word = 0;
  let at = 0;
  for (; at < whole; at += 4) {
    const a = key.charCodeAt(at);
    const b = key.charCodeAt(at + 1);
    const c = key.charCodeAt(at + 2);
    const d = key.charCodeAt(at + 3);
    seen |= a | b | c | d;
    keyWords[word++] = a | (b << 8) | (c << 16) | (d << 24);
  }
  if (at < length) {
    let last = 0;
    for (let shift = 0; at < length; at++, shift += 8) {
      const code = key.charCodeAt(at);
      seen |= code;
      last |= code << shift;
    }
    keyWords[word] = last;
  }
  return seen < 0x80 ? length : encodeKey(key);
}

function encodeKey(key: string): number {
  // The encoder would write U+FFFD for it, and so make it another key's.
  if (!key.isWellFormed()) return LONE_SURROGATE;
  const { read, written } = encoder.encodeInto(key, keyBytes);
  if (read < key.length || written > MAX_KEY_BYTES) return TOO_LONG;
  keyBytes.fill(0, written, wordsOf(written) * 4);
  return written;
}

/** `packKey` for a key to be stored. @throws ValidationError for one that can't be; the message doesn't hold it */
export function packNewKey(key: unknown): number {
  if (typeof key !== 'string') throw new ValidationError(`Expected the key of a record to be a string, got a value of type ${typeof key}`);
  const bytes = packKey(key);
  if (bytes === TOO_LONG) {
    throw new ValidationError(
      `Expected the key of a record to have at most ${MAX_KEY_BYTES} bytes of UTF-8, got ${Buffer.byteLength(key)}`,
    );
  }
  if (bytes === LONE_SURROGATE) {
    throw new ValidationError(
      `Expected the key of a record to be well-formed Unicode, got one of ${key.length} characters with a lone surrogate`,
    );
  }
  return bytes;
}

/** @throws TypeError for what no record can be asked by */
export function checkText(key: unknown): void {
  if (typeof key !== 'string') refuse('key', 'a string', key);
}

/** Copies a key out of a table into `keyWords`. */
export function takeKey(words: Int32Array, at: number, bytes: number): void {
  for (let word = 0, end = wordsOf(bytes); word < end; word++) keyWords[word] = words[at + word] as number;
}

/** The text of a key in a table. It is copied before it is decoded: the table may be memory that is being written. */
export function textOfKey(words: Int32Array, at: number, bytes: number): string {
  for (let word = 0, end = wordsOf(bytes); word < end; word++) textWords[word] = words[at + word] as number;
  return textBytes.toString('utf8', 0, bytes);
}
