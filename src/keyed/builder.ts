import { randomInt } from 'node:crypto';
import { SnapshotTooLargeError, ValidationError } from '../core/errors.js';
import { show } from '../core/options.js';
import type { Serializer } from '../core/serializer.js';
import { json, textOf } from '../serializers/json.js';
import { ChangesWriter, type Earlier, NO_CHANGES } from './changes.js';
import { Diff } from './diff.js';
import { sipHash } from './hash.js';
import { packNewKey } from './key.js';
import type { Memory } from './memory.js';
import { type Packed, valueOf, writeHeader } from './layout.js';
import { RecordTable } from './records.js';

/** What a keyed writer's loader gives. */
export type KeyedSource<V> =
  | ReadonlyMap<string, V>
  | Readonly<Record<string, V>>
  | Iterable<readonly [string, V]>
  | AsyncIterable<readonly [string, V]>;

export interface BuilderOptions {
  readonly serializer: Serializer;
  /** The most bytes of the snapshot. */
  readonly maxBytes: number;
  /** The snapshot that is published: hashes are made under its seed, so that readers can compare records across versions. */
  readonly earlier: Earlier | undefined;
  /** Where to build it; what is in it is overwritten. */
  readonly memory: Memory;
}

/** A finished snapshot. */
export interface Built {
  readonly packed: Packed;
  readonly bytes: Uint8Array;
  /** How many records differ from those of the earlier snapshot: 0 for one that needs no publication. `undefined` without an earlier one. */
  readonly differences: number | undefined;
}

/** Makes a keyed snapshot in one pass: each value is serialized when it comes, and not kept. */
export class KeyedBuilder {
  readonly #options: BuilderOptions;
  readonly #table: RecordTable;
  readonly #hash = new Int32Array(2);
  #words: Int32Array | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #duplicates = 0;

  constructor(options: BuilderOptions) {
    this.#options = options;
    const { earlier, memory } = options;
    const packed = earlier?.packed;
    this.#table = new RecordTable({
      // A record that stays the same has the same hash then; and whoever could choose keys by the seed would have to read it here.
      seed0: packed?.seed0 ?? randomInt(2 ** 32) | 0,
      seed1: packed?.seed1 ?? randomInt(2 ** 32) | 0,
      records: packed?.records ?? 0,
      memory,
    });
  }

  /**
   * @throws ValidationError for a key that is no well-formed string of at most 65,535 bytes; SerializationError for a value that the
   * serializer can't hold; SnapshotTooLargeError past `maxBytes`
   */
  add(key: unknown, value: unknown): void {
    const table = this.#table;
    const { serializer, maxBytes } = this.#options;
    // First: it is the user's code, and may look keys up.
    const data = serializer === json ? textOf(value) : serializer.dumps(value);
    const isText = typeof data === 'string';
    if (!isText && !(data instanceof Uint8Array)) throw new ValidationError('Expected the serializer to give a Uint8Array');
    if (table.recordsEnd * 4 + (isText ? data.length : data.byteLength) > maxBytes) throw tooLarge(maxBytes);
    const keyBytes = packNewKey(key);
    const at = table.begin(keyBytes, isText ? data.length * 3 : data.byteLength);
    const from = valueOf(at, keyBytes);
    if (this.#words !== table.words) {
      this.#words = table.words;
      this.#bytes = Buffer.from(table.words.buffer);
    }
    let valueBytes: number;
    if (isText) {
      valueBytes = this.#bytes.write(data, from * 4, 'utf8');
    } else {
      valueBytes = data.byteLength;
      this.#bytes.set(data, from * 4);
    }
    sipHash(table.words, from, valueBytes, table.seed0, table.seed1, this.#hash);
    if (table.finish(at, keyBytes, valueBytes, this.#hash)) this.#duplicates++;
  }

  /** The snapshot of what was added. The builder is done. */
  finish(): Built {
    const table = this.#table;
    const { earlier, serializer, maxBytes } = this.#options;
    const codec = serializer.name ?? '';
    if (this.#duplicates > 0) table.compact();
    table.fitIndex();
    const changes = new ChangesWriter(earlier, table);
    const isCompared = earlier && new Diff(earlier.packed, table, changes, earlier.packed.codec !== codec).step(Infinity) === 'done';
    const section = isCompared ? changes.finish(codec) : NO_CHANGES;

    const indexAt = table.recordsEnd;
    const changesAt = indexAt + table.index.length;
    const length = changesAt + section.length;
    if (length * 4 > maxBytes) throw tooLarge(maxBytes);
    table.reserve(length - indexAt);
    const words = table.words.subarray(0, length);
    words.set(table.index, indexAt);
    words.set(section, changesAt);
    const packed: Packed = {
      words,
      index: words,
      indexAt,
      mask: table.mask,
      longest: table.longest,
      recordsEnd: table.recordsEnd,
      seed0: table.seed0,
      seed1: table.seed1,
      records: table.records,
      duplicates: this.#duplicates,
      codec,
      changesAt,
      changesWords: section.length,
      changesCheck: sipHash(section, 0, section.length * 4, table.seed0, table.seed1),
    };
    writeHeader(packed);
    return {
      packed,
      bytes: new Uint8Array(words.buffer, 0, words.byteLength),
      differences: isCompared ? changes.count : undefined,
    };
  }
}

function tooLarge(maxBytes: number): SnapshotTooLargeError {
  return new SnapshotTooLargeError(`Expected a keyed snapshot of at most ${maxBytes} bytes, got more (option \`maxBytes\`)`);
}

/**
 * The snapshot of all records that a loader gave. What comes asynchronously is waited for; nothing else is.
 *
 * @param signal ends the reading of an asynchronous source
 * @throws (rejects) as `add` does; what the source throws
 */
export async function buildKeyed(source: unknown, options: BuilderOptions, signal?: AbortSignal): Promise<Built> {
  const builder = new KeyedBuilder(options);
  const add = (entry: unknown): void => {
    if (!Array.isArray(entry)) throw new ValidationError(`Expected the records of a keyed value to be [key, value], got ${show(entry)}`);
    builder.add(entry[0], entry[1]);
  };
  if (isIterable(source)) {
    for (const entry of source) add(entry);
  } else if (isAsyncIterable(source)) {
    for await (const entry of source) {
      signal?.throwIfAborted();
      add(entry);
    }
  } else if (isPlainObject(source)) {
    for (const key of Object.keys(source)) builder.add(key, source[key]);
  } else {
    throw new ValidationError(
      `Expected a keyed value to be a Map, a plain object or an (async) iterable of [key, value], got ${show(source)}`,
    );
  }
  return builder.finish();
}

function isIterable(source: unknown): source is Iterable<unknown> {
  return typeof source === 'object' && source !== null && typeof (source as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function';
}

function isAsyncIterable(source: unknown): source is AsyncIterable<unknown> {
  return (
    typeof source === 'object' && source !== null && typeof (source as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function'
  );
}

function isPlainObject(source: unknown): source is Record<string, unknown> {
  if (typeof source !== 'object' || source === null) return false;
  const prototype: unknown = Object.getPrototypeOf(source);
  return prototype === null || prototype === Object.prototype;
}
