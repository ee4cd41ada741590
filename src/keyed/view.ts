import type { Serializer } from '../core/serializer.js';
import type { Held } from './adoption.js';
import { type Chunk, expired, readChunk, recordsOf } from './iterate.js';
import { checkText, packKey } from './key.js';
import { hashKey, type Packed } from './layout.js';
import { decodeRecord, EXPIRED, hasRecord, readRecord } from './lookup.js';
import { getMany, type KeyedView } from './lookups.js';
import type { MemoLimits, Remembered } from './memo.js';

/** How many values a view of a snapshot that isn't published keeps decoded. */
const BUILT_MEMO: MemoLimits = { maxEntries: 1000, maxBytes: 1024 * 1024 };

/** How a view reads; its mirror knows how. */
export interface ViewReader<V> {
  read(key: string): Remembered<V> | undefined | typeof EXPIRED;
  entriesOf(first: Chunk): IterableIterator<[string, V]>;
}

/**
 * Pinned to a version without pinning its memory: no reader is registered anywhere, so nothing keeps the writer from the slot. Each
 * call asks whether the slot still holds the version, and throws where it doesn't: with two slots from the second publication after
 * it on, with four from the fourth.
 */
export function makeView<V>(from: Held, limits: MemoLimits, { read, entriesOf }: ViewReader<V>): KeyedView<V> {
  // Its own: the mirror's forgets a value when a later version has another one.
  const own = new Map<string, { readonly value: V }>();

  function check(): void {
    if (!from.holds()) throw expired(from);
  }

  function get(key: string): V | undefined {
    check();
    checkText(key);
    const known = own.get(key);
    if (known) return known.value;
    const found = read(key);
    if (found === EXPIRED) throw expired(from);
    if (found) own.set(key, found);
    if (own.size > limits.maxEntries) own.delete(own.keys().next().value as string);
    return found?.value;
  }

  function has(key: string): boolean {
    checkText(key);
    check();
    const keyBytes = packKey(key);
    const found = keyBytes >= 0 && hasRecord(from, keyBytes);
    if (found === EXPIRED) throw expired(from);
    return found;
  }

  function first(): Chunk {
    const chunk = readChunk(from);
    if (chunk === undefined) throw expired(from);
    return chunk;
  }

  const view: KeyedView<V> = {
    version: from.number,
    createdAt: from.createdAt === undefined ? undefined : from.createdAt / 1000,
    get,
    has,
    get size() {
      check();
      return from.packed.records;
    },
    keys: () => recordsOf(from, first(), (key) => key),
    entries: () => entriesOf(first()),
    getMany: (keys) => getMany(view, keys),
  };
  return view;
}

/** Of a snapshot in private memory. */
export function viewOfBuilt<V>(packed: Packed, serializer: Serializer): KeyedView<V> {
  const held: Held = { packed, serializer, number: 0, createdAt: undefined, holds: () => true };
  return makeView<V>(held, BUILT_MEMO, {
    read(key) {
      const keyBytes = packKey(key);
      return keyBytes < 0 ? undefined : readRecord<V>(held, key, keyBytes, hashKey(packed, keyBytes), undefined, true, 0);
    },
    entriesOf: (first) => recordsOf(held, first, (key, words, at) => [key, decodeRecord<V>(held, words, at, undefined, true)]),
  });
}

/** Of a mirror before its first version. */
export function emptyView<V>(): KeyedView<V> {
  return {
    version: 0,
    createdAt: undefined,
    get: () => undefined,
    has: () => false,
    size: 0,
    keys: () => [][Symbol.iterator](),
    entries: () => [][Symbol.iterator](),
    getMany: () => new Map(),
  };
}
