/**
 * One record out of an adopted snapshot, while its slot may be written again at any moment.
 *
 * 1. Everything is looked at where it is: index, lengths, the key. Each offset is bounded before it is used, and each search ends,
 *    whatever the words are (layout.ts). The value's words are copied, and nothing is decoded yet.
 * 2. `holds()`: the slot still has this snapshot. Then all that was seen is of this one publication; otherwise it is dropped.
 *    The writer's exchange and this read-modify-write are of one word, so that neither its bytes nor these looks can pass it.
 * 3. The copy's hash is compared with the record's: what damaged the bytes before they were published, or beside the protocol, shows.
 * 4. Only then is the copy decoded.
 *
 * "There is no such record" is an answer as good as a record, and needs step 2 as well.
 */
import { WireFormatError } from '../core/errors.js';
import type { Serializer } from '../core/serializer.js';
import { deepFreeze } from '../mirror/freeze.js';
import { json, parseStart } from '../serializers/json.js';
import { msgpack } from '../serializers/msgpack.js';
import type { Held } from './adoption.js';
import { sipHash } from './hash.js';
import { wordsOf } from './key.js';
import { findRecord, hashKey, KEY_BYTES, type Packed, VALUE_BYTES, VALUE_HASH, valueOf } from './layout.js';
import { Remembered } from './memo.js';

/** The snapshot isn't in its slot any more. */
export const EXPIRED: unique symbol = Symbol('expired');

/** Values of up to so many words are copied into memory that is used again: a new `Uint8Array` costs more than all the rest. */
const SCRATCH_WORDS = 16 * 1024;
const scratch = new Int32Array(SCRATCH_WORDS);
const scratchBytes = Buffer.from(scratch.buffer);
const hash64 = new Int32Array(2);

/** What these decode keeps nothing of the bytes. Others may hand out views of them (v8, protobufjs), and get their own. */
function sparesItsInput(serializer: Serializer): boolean {
  return serializer === json || serializer === msgpack;
}

/** Whether the key in `keyWords` has a record. */
export function hasRecord(held: Held, keyBytes: number): boolean | typeof EXPIRED {
  const { packed } = held;
  const at = findRecord(packed, keyBytes, hashKey(packed, keyBytes));
  return held.holds() ? at !== 0 : EXPIRED;
}

/** Puts the hash, under that seed, of the value of the key in `keyWords` into `into`; answers whether it has one. */
export function readHash(held: Held, keyBytes: number, seed0: number, seed1: number, into: Int32Array): boolean | typeof EXPIRED {
  const { packed } = held;
  const at = findRecord(packed, keyBytes, hashKey(packed, keyBytes));
  if (at !== 0) hashUnder(packed, at, keyBytes, seed0, seed1, into);
  return held.holds() ? at !== 0 : EXPIRED;
}

/** The hash that stands in a record, or what it would be under another seed. Nothing is believed of a record that is being written. */
function hashUnder(packed: Packed, at: number, keyBytes: number, seed0: number, seed1: number, into: Int32Array): void {
  const { words } = packed;
  const valueBytes = words[at + VALUE_BYTES] as number;
  if (packed.seed0 === seed0 && packed.seed1 === seed1) {
    into[0] = words[at + VALUE_HASH] as number;
    into[1] = words[at + VALUE_HASH + 1] as number;
  } else if (isWithin(packed, at, keyBytes, valueBytes)) {
    sipHash(words, valueOf(at, keyBytes), valueBytes, seed0, seed1, into);
  }
}

function isWithin({ recordsEnd }: Packed, at: number, keyBytes: number, valueBytes: number): boolean {
  return valueBytes >= 0 && valueOf(at, keyBytes) + wordsOf(valueBytes) <= recordsEnd;
}

/**
 * The record of `key`, which is in `keyWords`: `known` itself, if that was made of the same bytes.
 *
 * @param checked what it is marked with
 * @throws WireFormatError for a corrupt record; what the serializer throws
 */
export function readRecord<V>(
  held: Held,
  key: string,
  keyBytes: number,
  hash: number,
  known: Remembered<V> | undefined,
  freeze: boolean,
  checked: number,
): Remembered<V> | undefined | typeof EXPIRED {
  const { packed, serializer } = held;
  const { words, seed0, seed1 } = packed;
  const at = findRecord(packed, keyBytes, hash);
  if (at === 0) return held.holds() ? undefined : EXPIRED;
  const valueBytes = words[at + VALUE_BYTES] as number;
  const low = words[at + VALUE_HASH] as number;
  const high = words[at + VALUE_HASH + 1] as number;
  if (known !== undefined && known.valueBytes === valueBytes) {
    hashUnder(packed, at, keyBytes, known.seed0, known.seed1, hash64);
    if (hash64[0] === known.hashLow && hash64[1] === known.hashHigh) {
      if (!held.holds()) return EXPIRED;
      return mark(known, low, high, packed, checked);
    }
  }
  const isSound = isWithin(packed, at, keyBytes, valueBytes);
  const from = valueOf(at, keyBytes);
  const length = isSound ? wordsOf(valueBytes) : 0;
  const isSpared = length <= SCRATCH_WORDS && sparesItsInput(serializer);
  const copy = isSpared ? scratch : new Int32Array(length);
  for (let word = 0; word < length; word++) copy[word] = words[from + word] as number;
  if (!held.holds()) return EXPIRED;
  if (isSound) sipHash(copy, 0, valueBytes, seed0, seed1, hash64);
  if (!isSound || hash64[0] !== low || hash64[1] !== high) throw corrupt();
  const value = decode(serializer, copy, valueBytes) as V;
  if (freeze) deepFreeze(value);
  return mark(new Remembered(key, value, valueBytes, checked), low, high, packed, checked);
}

/** The value of a record in private memory: that of `known`, if it was made of the same bytes. @throws as `readRecord` does */
export function decodeRecord<V>(
  { packed, serializer }: Held,
  words: Int32Array,
  at: number,
  known: Remembered<V> | undefined,
  freeze: boolean,
): V {
  const valueBytes = words[at + VALUE_BYTES] as number;
  const from = valueOf(at, words[at + KEY_BYTES] as number);
  sipHash(words, from, valueBytes, packed.seed0, packed.seed1, hash64);
  const [low, high] = hash64;
  if (words[at + VALUE_HASH] !== low || words[at + VALUE_HASH + 1] !== high) throw corrupt();
  const isKnown = known?.valueBytes === valueBytes && known.seed0 === packed.seed0 && known.seed1 === packed.seed1;
  if (isKnown && known.hashLow === low && known.hashHigh === high) return known.value;
  const value = serializer.loads(new Uint8Array(words.buffer, from * 4, valueBytes).slice()) as V;
  return freeze ? deepFreeze(value) : value;
}

function corrupt(): WireFormatError {
  return new WireFormatError('A record is corrupt: its hash differs');
}

function decode(serializer: Serializer, copy: Int32Array, bytes: number): unknown {
  if (copy !== scratch) return serializer.loads(new Uint8Array(copy.buffer, 0, bytes));
  // Its hash is that of what the writer's serializer made.
  return serializer === json ? parseStart(scratchBytes, bytes) : serializer.loads(scratchBytes.subarray(0, bytes));
}

function mark<V>(record: Remembered<V>, low: number, high: number, packed: Packed, checked: number): Remembered<V> {
  record.hashLow = low;
  record.hashHigh = high;
  record.seed0 = packed.seed0;
  record.seed1 = packed.seed1;
  record.checked = checked;
  return record;
}
