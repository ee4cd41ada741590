import { report, toError } from '../core/report.js';
import type { Serializer } from '../core/serializer.js';
import { isNewer, type SnapshotMeta } from '../core/snapshot.js';
import { direct } from '../mirror/access.js';
import { type Ring, type RingScope, VERSION } from '../mirror/layout.js';
import { confirmedAfter } from '../mirror/protocol.js';
import type { Reader, ReaderCounts, ReaderOptions } from '../mirror/reader.js';
import { serializerFor } from '../mirror/serializer-for.js';
import { adopt, Adoption } from './adoption.js';
import { type Chunk, expired, readChunk, recordsOf } from './iterate.js';
import { checkText, packKey, takeKey } from './key.js';
import { hashKey, KEY, KEY_BYTES } from './layout.js';
import { decodeRecord, EXPIRED, hasRecord, readRecord } from './lookup.js';
import { getMany, type KeyedLookups, type KeyedView } from './lookups.js';
import { Memo, type MemoLimits, Remembered } from './memo.js';
import { emptyView, makeView } from './view.js';

export interface KeyedReaderOptions extends ReaderOptions {
  readonly memo: MemoLimits;
}

/** Of what is read now, and of what was decoded. */
export interface KeyedFigures {
  readonly records: number;
  /** Of the snapshot in shared memory. */
  readonly bytes: number;
  /** Records that the loader gave and a later one of the same key replaced. */
  readonly duplicates: number;
  /** How full the index is: up to 0.67. */
  readonly indexLoad: number;
  readonly memo: {
    readonly entries: number;
    readonly bytes: number;
    readonly hits: number;
    readonly misses: number;
    /** 0 to 1; `undefined` before the first lookup of a record. */
    readonly hitRate: number | undefined;
  };
}

/** The reader's side of a ring with keyed snapshots: decodes the records that are asked for, and no others. */
export interface KeyedReader<V> extends Reader<KeyedLookups<V>> {
  readonly lookups: KeyedLookups<V>;
  /** The version that is read now. */
  adopted(): Adoption | undefined;
  viewOf(adoption: Adoption): KeyedView<V>;
  figures(): KeyedFigures;
}

/**
 * Each lost try takes at least one whole publication while a record is looked up. A writer that publishes a handful of records as fast
 * as it can, 300,000 times a second, wins some of them in a row; none wins so many. Then a lookup would answer what it knew of the
 * key, and count a `fallback`.
 */
const TRIES = 4096;
/** Of `adopt`, each of which has four tries. */
const ADOPTIONS = 64;
/** See mirror/reader.ts. */
const TRUSTED_READS = 1024;
const NEVER_SEEN = -2;

export function createKeyedReader<V>(options: KeyedReaderOptions): KeyedReader<V> {
  const { key: name, freeze, clock, access = direct } = options;
  const nowhere = new Int32Array(1);
  const memo = new Memo<V>(options.memo);
  const { entries: remembered } = memo;
  let ring: Ring | undefined;
  let words: Int32Array = nowhere;
  let seen = 0;
  let trust = TRUSTED_READS;
  let views: (Int32Array | undefined)[] = [];
  let adopted: Adoption | undefined;
  let meta: SnapshotMeta | undefined;
  let scope: RingScope | undefined;
  let version = 0;
  let problem: { error: Error; at: number } | undefined;
  /** The adoption in which a record that can't be read was told of. */
  let toldIn = 0;
  let absent = 0;
  const counts: ReaderCounts = { reads: 0, decodes: 0, fallbacks: 0, refused: 0, regressed: 0 };

  function get(key: string): V | undefined {
    const entry = remembered.get(key);
    if (entry !== undefined && entry.checked === version && words[VERSION] === seen && --trust > 0) {
      entry.visited = 1;
      return entry.value;
    }
    counts.reads += TRUSTED_READS - trust + (trust > 0 ? 1 : 0);
    trust = TRUSTED_READS;
    return find(key, entry);
  }

  function find(key: string, entry: Remembered<V> | undefined): V | undefined {
    checkText(key);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const from = refresh();
      if (from === undefined) return undefined;
      if (entry?.checked === version) {
        entry.visited = 1;
        return entry.value;
      }
      const keyBytes = packKey(key);
      if (keyBytes < 0) return undefined;
      const hash = hashKey(from.packed, keyBytes);
      const known = entry ?? memo.waiting(key, hash);
      const { moves } = memo;
      const found = known?.checked === version ? known : read(from, key, keyBytes, hash, known, version);
      if (found === EXPIRED) continue;
      if (found) {
        // A serializer may have looked keys up itself.
        memo.keep(found, hash, memo.moves === moves ? entry : remembered.get(key));
      } else {
        absent++;
        memo.forget(key, hash);
      }
      return found?.value;
    }
    counts.fallbacks++;
    return entry?.value;
  }

  /** One record of a version. A record that can't be read is answered by the value before, and not tried again in this version. */
  function read(
    from: Adoption,
    key: string,
    keyBytes: number,
    hash: number,
    known: Remembered<V> | undefined,
    checked: number,
  ): Remembered<V> | undefined | typeof EXPIRED {
    try {
      const found = readRecord(from, key, keyBytes, hash, known, freeze, checked);
      if (found !== known && found !== undefined && found !== EXPIRED) counts.decodes++;
      return found;
    } catch (thrown) {
      counts.refused++;
      if (toldIn !== checked) tell(toError(thrown));
      toldIn = checked;
      return new Remembered(key, known?.value as V, -1, checked);
    }
  }

  function has(key: string): boolean {
    checkText(key);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const from = refresh();
      if (from === undefined) return false;
      const entry = remembered.get(key);
      if (entry?.checked === version) return true;
      const keyBytes = packKey(key);
      const found = keyBytes >= 0 && hasRecord(from, keyBytes);
      if (found !== EXPIRED) return found;
    }
    counts.fallbacks++;
    return remembered.has(key);
  }

  /**
   * What the newest version is now. As long as a faster writer wins, it is tried again: what was adopted before, and what was decoded of
   * it, may have been replaced before the lookup began.
   */
  function refresh(): Adoption | undefined {
    for (let attempt = 0; attempt < ADOPTIONS; attempt++) {
      if (ring === undefined || access.load(words, VERSION) === seen || renew(ring)) break;
    }
    return adopted;
  }

  /** @returns false where a faster writer won each time */
  function renew(from: Ring): boolean {
    const next = adopt(from, name, serializerOf, access, views);
    if (next instanceof Adoption) take(next);
    else if (next.why === 'refused') reject(next.ringVersion, next.error);
    else if (next.why === 'empty') seen = 0;
    else return false;
    return true;
  }

  function serializerOf(codec: string): Serializer {
    return serializerFor(name, codec, options.serializer);
  }

  function take(next: Adoption): void {
    seen = next.ringVersion;
    // Numbers of another scope say nothing about which is newer.
    const isComparable = meta !== undefined && next.ring.scope === scope;
    if (isComparable && isNewer(meta as SnapshotMeta, next.meta)) {
      counts.regressed++;
      return;
    }
    // The same version in another ring is taken too, so that the memory of the ring before can go.
    const isNew = !isComparable || isNewer(next.meta, meta as SnapshotMeta);
    if (isNew) version = Math.max(next.meta.version, version + 1);
    next.number = version;
    if (adopted?.serializer !== next.serializer) memo.clear();
    else if (adopted.packed.seed0 !== next.packed.seed0 || adopted.packed.seed1 !== next.packed.seed1) memo.settle();
    memo.expect(next.packed.records, next.packed.recordsEnd * 4);
    adopted = next;
    scope = next.ring.scope;
    if (isNew) meta = next.meta;
  }

  /** A confirmation counts for the snapshot that is read, and never takes time back. */
  function confirmedMeta(): SnapshotMeta | undefined {
    if (meta === undefined || adopted === undefined) return meta;
    const after = confirmedAfter(adopted.ring.words, adopted.ringVersion, access);
    const more = adopted.meta.createdAtMonotonic + after - meta.createdAtMonotonic;
    if (more > 0) meta = { ...meta, createdAt: meta.createdAt + more, createdAtMonotonic: meta.createdAtMonotonic + more };
    return meta;
  }

  /** The version before stays, for as long as its slot does; this one is not tried again. */
  function reject(ringVersion: number, error: Error): void {
    seen = ringVersion;
    counts.refused++;
    tell(error);
  }

  function tell(error: Error): void {
    problem = { error, at: clock.wall() };
    report(error, options.onError, `the mirror of '${name}'`);
  }

  function keys(): IterableIterator<string> {
    const [from, chunk] = begin();
    return from === undefined ? [][Symbol.iterator]() : recordsOf(from, chunk, (key) => key);
  }

  function entries(): IterableIterator<[string, V]> {
    const [from, chunk] = begin();
    return from === undefined ? [][Symbol.iterator]() : entriesOf(from, chunk);
  }

  function entriesOf(from: Adoption, chunk: Chunk): Generator<[string, V]> {
    return recordsOf(from, chunk, (key, words, at) => {
      const keyBytes = words[at + KEY_BYTES] as number;
      takeKey(words, at + KEY, keyBytes);
      const known = remembered.get(key) ?? memo.waiting(key, hashKey(from.packed, keyBytes));
      return [key, decodeRecord(from, words, at, known, freeze)];
    });
  }

  /** A version and its first records. */
  function begin(): [Adoption, Chunk] | [undefined] {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const from = refresh();
      const chunk = from && readChunk(from);
      if (chunk) return [from, chunk];
      if (from === undefined) return [undefined];
    }
    throw expired(adopted as Adoption);
  }

  const lookups: KeyedLookups<V> = {
    get,
    has,
    get size() {
      return refresh()?.packed.records ?? 0;
    },
    keys,
    entries,
    getMany: (wanted) => getMany(lookups, wanted),
    view: () => {
      const from = refresh();
      return from === undefined ? emptyView() : viewOf(from);
    },
  };

  function viewOf(from: Adoption): KeyedView<V> {
    return makeView(from, options.memo, {
      read(key) {
        counts.reads++;
        const keyBytes = packKey(key);
        if (keyBytes < 0) return undefined;
        const hash = hashKey(from.packed, keyBytes);
        const known = remembered.get(key) ?? memo.waiting(key, hash);
        const found = read(from, key, keyBytes, hash, known, from.number);
        if (found && found !== EXPIRED && from === adopted) memo.keep(found, hash, remembered.get(key));
        return found;
      },
      entriesOf: (chunk) => entriesOf(from, chunk),
    });
  }

  return {
    lookups,
    read: () => (refresh() === undefined ? undefined : lookups),
    adopted: refresh,
    viewOf,
    attach(next) {
      // There is no last value to go on with but what the memory has.
      if (next === undefined) return;
      ring = next;
      views = [];
      words = next.words;
      seen = NEVER_SEEN;
    },
    meta: confirmedMeta,
    version: () => version,
    counts: () => ({ ...counts, reads: counts.reads + TRUSTED_READS - trust }),
    lastProblem: () => problem,
    figures() {
      const packed = adopted?.packed;
      const misses = counts.decodes;
      const hits = Math.max(0, counts.reads + TRUSTED_READS - trust - misses - absent);
      return {
        records: packed?.records ?? 0,
        bytes: packed ? packed.words.length * 4 : 0,
        duplicates: packed?.duplicates ?? 0,
        indexLoad: packed ? packed.records / (packed.mask + 1) : 0,
        memo: {
          entries: memo.size,
          bytes: memo.bytes,
          hits,
          misses,
          hitRate: hits + misses === 0 ? undefined : hits / (hits + misses),
        },
      };
    },
  };
}
