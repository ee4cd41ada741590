/**
 * The one owner of every shared word: where it is, what it means, who writes it. No other file writes an index.
 *
 * ```
 * line 0  (128 B)  VERSION       ring version of the newest snapshot: 31 bits, wraps 0x7fffffff -> 0. Alone in its
 *                                line, since every read of every thread polls it.            writer, by compare-exchange
 * line 1  (128 B)  MAGIC 'ACM1', LAYOUT, HEADER_BYTES, SLOTS, BYTE_ORDER, INSTANCE x2, SCOPE, BORN x2   constant after birth
 * line 2  (128 B)  OWNER         thread id + 1 of the one that may publish, 0 for nobody     by compare-exchange
 *                  STATE         0 initializing, 1 live, 2 interrupted, 3 closed             owner
 *                  FAILS         failed refreshes in a row                                   owner
 *                  HOLDER        thread id + 1 of the one that registered the writer, whose loader runs there or in its
 *                                dedicated thread (the OWNER); 0 for nobody. Scope 'process'.  by compare-exchange
 *                  LAST_OK x2    monotonic ms of the writer's last success or sign of life, 0 for none   owner
 *                  SINCE x2      monotonic ms of the last change of STATE                    owner
 *                  CONFIRMED     the ring version that the owner loaded again unchanged, -1 while AFTER is written   owner
 *                  AFTER         how many ms after its creation that was, the last time      owner
 * slot k  (64 B)   SEQ           -1 while the slot is written, else the ring version it holds
 *                  OFF8 CAP8     where its bytes are and how many fit, in units of 8 bytes
 *                  LEN CRC CODEC the length and CRC-32 of the bytes, and which serializer made them
 *                  EPOCH x2 NUMBER x2 CREATED x2 CREATED_MONOTONIC x2 FRESH_FOR x2           float64, as two words
 * data             slots' bytes, 8-byte aligned (unaligned shared copies run at a seventh of the speed)
 * ```
 * All SEQ are born -1, so VERSION 0 of a new ring is "nothing yet" without a special case: slot 0 doesn't hold it.
 * SLOTS is a power of two, so that `version & (SLOTS - 1)` goes on through the wrap.
 * Words are touched through one Int32Array only, and only by `SharedAccess`; bytes never by Atomics: the memory model
 * orders an access after another only where both have equal ranges.
 */
import { randomInt } from 'node:crypto';
import { systemClock } from '../core/clock.js';
import { WireFormatError } from '../core/errors.js';
import { checkCount } from '../core/options.js';
import type { SnapshotMeta } from '../core/snapshot.js';
import { direct, type SharedAccess } from './access.js';

const LINE_WORDS = 32;
const SLOT_WORDS = 16;
const HEADER_WORDS = 3 * LINE_WORDS;

export const VERSION = 0;
const MAGIC = LINE_WORDS;
const LAYOUT = LINE_WORDS + 1;
const HEADER_BYTES = LINE_WORDS + 2;
const SLOTS = LINE_WORDS + 3;
const BYTE_ORDER = LINE_WORDS + 4;
const INSTANCE = LINE_WORDS + 5;
const SCOPE = LINE_WORDS + 7;
const BORN = LINE_WORDS + 8;
const OWNER = 2 * LINE_WORDS;
const STATE = 2 * LINE_WORDS + 1;
const FAILS = 2 * LINE_WORDS + 2;
const HOLDER = 2 * LINE_WORDS + 3;
const LAST_OK = 2 * LINE_WORDS + 4;
const SINCE = 2 * LINE_WORDS + 6;
export const CONFIRMED: number = 2 * LINE_WORDS + 8;
export const AFTER: number = 2 * LINE_WORDS + 9;

/** Words of a slot, from the slot's first. */
export const SEQ = 0;
export const OFF8 = 1;
export const CAP8 = 2;
export const LEN = 3;
export const CRC = 4;
export const CODEC = 5;
const EPOCH = 6;
const NUMBER = 8;
const CREATED = 10;
const CREATED_MONOTONIC = 12;
const FRESH_FOR = 14;

export const VERSION_MASK = 0x7fffffff;
export const BEING_WRITTEN = -1;
const MAGIC_VALUE = 0x41434d31;
const LAYOUT_VALUE = 1;
const BYTE_ORDER_VALUE = 0x01020304;

/** What the owner of a ring says of itself. */
export const ringStates = ['initializing', 'live', 'interrupted', 'closed'] as const;
export type RingState = (typeof ringStates)[number];

/** Whose numbers a ring's snapshots have: this process's own, or those of all processes of the host, or of the fleet. */
const ringScopes = ['process', 'host', 'fleet'] as const;
export type RingScope = (typeof ringScopes)[number];

/** A ring of snapshots in shared memory, with the view through which its words are touched. */
export interface Ring {
  readonly buffer: SharedArrayBuffer;
  /** Of fixed length: `Atomics` on a length-tracking view of a growable buffer costs twice as much. */
  readonly words: Int32Array;
  readonly slots: number;
  readonly scope: RingScope;
  /** Tells two rings of one key apart. */
  readonly instance: string;
  /** Monotonic milliseconds of its making: of two rings of one key, the younger counts. */
  readonly born: number;
}

/** Of a serializer, in a slot. 0 is a custom one, which the reader must bring itself; `keyed` is the layout of keyed/layout.ts. */
const CODECS = ['', 'json', 'v8', 'msgpack', 'protobuf', 'keyed'];

/** Node 20 reserves no more for one buffer. */
const MAX_RESERVED = 2 ** 32;

export interface RingOptions {
  /**
   * A power of two. Two are enough: a reader then survives one publish during its copy, and reads again after two. More make
   * the second reading rarer, and cost their size in memory. Default 4 for snapshots of up to 1 MiB, else 2.
   */
  readonly slots?: 2 | 4;
  /** Whose numbers of epochs and versions its snapshots have; default `'process'`. */
  readonly scope?: RingScope;
  /** The ring version before the first; a test of the wrap starts close to it. Default 0. */
  readonly startVersion?: number;
}

/**
 * A new ring. Its address space is reserved once and grows in place, so that its handle stays good for ever.
 *
 * @param maxBytes the largest snapshot it must hold: up to 1 GiB with two slots
 * @throws RangeError for a `maxBytes` that isn't a whole number of 1 or more, or too large for one buffer
 */
export function createRing(maxBytes: number, options: RingOptions = {}): Ring {
  const { slots = maxBytes <= 1024 * 1024 ? 4 : 2, scope = 'process', startVersion = 0 } = options;
  checkCount('maxBytes', maxBytes);
  const headerBytes = (HEADER_WORDS + slots * SLOT_WORDS) * 4;
  const reserved = headerBytes + areas(slots) * roundUp8(maxBytes);
  if (reserved > MAX_RESERVED) {
    const most = Math.floor((MAX_RESERVED - headerBytes) / areas(slots) / 8) * 8;
    throw new RangeError(`Expected \`maxBytes\` to be at most ${most}, got ${maxBytes}`);
  }
  const buffer = new SharedArrayBuffer(headerBytes, { maxByteLength: reserved });
  const words = new Int32Array(buffer, 0, headerBytes / 4);
  words[VERSION] = startVersion;
  words[LAYOUT] = LAYOUT_VALUE;
  words[HEADER_BYTES] = headerBytes;
  words[SLOTS] = slots;
  words[BYTE_ORDER] = BYTE_ORDER_VALUE;
  words[SCOPE] = ringScopes.indexOf(scope);
  words[INSTANCE] = randomInt(0x7fffffff);
  words[INSTANCE + 1] = randomInt(0x7fffffff);
  writeDouble(direct, words, BORN, systemClock.monotonic());
  for (let slot = 0; slot < slots; slot++) {
    words[slotBase(slot) + SEQ] = BEING_WRITTEN;
    words[slotBase(slot) + OFF8] = headerBytes / 8;
  }
  words[CONFIRMED] = BEING_WRITTEN;
  words[MAGIC] = MAGIC_VALUE;
  return openRing(buffer);
}

/**
 * How many of the largest snapshots the reserved space has room for. With one area a slot, and before each of the other
 * slots' areas a gap just too small, the first fit of the last one still ends within 2 * slots - 1.
 */
function areas(slots: number): number {
  return 2 * slots - 1;
}

/** The largest snapshot, in bytes, that a ring has room for. */
export function largestSnapshot(ring: Ring): number {
  return (ring.buffer.maxByteLength - ring.words.byteLength) / areas(ring.slots);
}

/** @throws WireFormatError for memory that isn't a ring, or one of a layout that this version doesn't know */
export function openRing(buffer: unknown): Ring {
  if (!(buffer instanceof SharedArrayBuffer) || buffer.byteLength < HEADER_WORDS * 4)
    throw new WireFormatError('This is not a ring of snapshots');
  const head = new Int32Array(buffer, 0, HEADER_WORDS);
  if (head[MAGIC] !== MAGIC_VALUE || head[BYTE_ORDER] !== BYTE_ORDER_VALUE) throw new WireFormatError('This is not a ring of snapshots');
  if (head[LAYOUT] !== LAYOUT_VALUE) {
    throw new WireFormatError(
      `Expected a ring of layout ${LAYOUT_VALUE}, got layout ${head[LAYOUT]}: two versions of advanced-caching meet in this process`,
    );
  }
  const slots = head[SLOTS] as number;
  const headerBytes = head[HEADER_BYTES] as number;
  const sound = slots >= 2 && (slots & (slots - 1)) === 0 && headerBytes === (HEADER_WORDS + slots * SLOT_WORDS) * 4;
  if (!sound || buffer.byteLength < headerBytes) throw new WireFormatError('This ring of snapshots has an unsound header');
  return {
    buffer,
    words: new Int32Array(buffer, 0, headerBytes / 4),
    slots,
    scope: ringScopes[head[SCOPE] as number] ?? 'host',
    instance: `${head[INSTANCE]}.${head[INSTANCE + 1]}`,
    born: readDouble(direct, head, BORN),
  };
}

/** The first word of the slot with this index. */
export function slotBase(slot: number): number {
  return HEADER_WORDS + slot * SLOT_WORDS;
}

/** The first word of the slot that holds, or will hold, this ring version. */
export function slotOf(ring: Ring, version: number): number {
  return slotBase(version & (ring.slots - 1));
}

export function roundUp8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

export function writeMeta(access: SharedAccess, words: Int32Array, slot: number, meta: SnapshotMeta): void {
  access.store(words, slot + CODEC, Math.max(CODECS.indexOf(meta.codec), 0));
  writeDouble(access, words, slot + EPOCH, meta.epoch);
  writeDouble(access, words, slot + NUMBER, meta.version);
  writeDouble(access, words, slot + CREATED, meta.createdAt);
  writeDouble(access, words, slot + CREATED_MONOTONIC, meta.createdAtMonotonic);
  writeDouble(access, words, slot + FRESH_FOR, meta.freshFor);
}

export function readMeta(access: SharedAccess, words: Int32Array, slot: number): SnapshotMeta {
  return {
    codec: CODECS[access.load(words, slot + CODEC)] ?? '',
    epoch: readDouble(access, words, slot + EPOCH),
    version: readDouble(access, words, slot + NUMBER),
    createdAt: readDouble(access, words, slot + CREATED),
    createdAtMonotonic: readDouble(access, words, slot + CREATED_MONOTONIC),
    freshFor: readDouble(access, words, slot + FRESH_FOR),
  };
}

const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

export function writeDouble(access: SharedAccess, words: Int32Array, index: number, value: number): void {
  double[0] = value;
  access.store(words, index, halves[0] as number);
  access.store(words, index + 1, halves[1] as number);
}

/** A float64 in two words. The caller validates the slot afterwards: the halves may be of two writes. */
export function readDouble(access: SharedAccess, words: Int32Array, index: number): number {
  const low = access.load(words, index);
  const high = access.load(words, index + 1);
  halves[0] = low;
  halves[1] = high;
  return double[0] as number;
}

/** Takes the right to publish for this thread; answers whether it was free or this thread's already. */
export function claim(ring: Ring, threadId: number): boolean {
  const owner = Atomics.compareExchange(ring.words, OWNER, 0, threadId + 1);
  return owner === 0 || owner === threadId + 1;
}

/** Gives the right back, or frees it for a thread that is provably dead (its `exit` event came). Nobody else's is touched. */
export function disown(ring: Ring, threadId: number): void {
  Atomics.compareExchange(ring.words, OWNER, threadId + 1, 0);
}

/** The thread that may publish. */
export function ownerOf(ring: Ring): number | undefined {
  const owner = Atomics.load(ring.words, OWNER);
  return owner === 0 ? undefined : owner - 1;
}

/** Takes the right to register the writer of a ring; answers whether it was free. */
export function hold(ring: Ring, threadId: number): boolean {
  return Atomics.compareExchange(ring.words, HOLDER, 0, threadId + 1) === 0;
}

/** Gives it back, after the right to publish. Nobody else's is touched. */
export function letGo(ring: Ring, threadId: number): void {
  Atomics.compareExchange(ring.words, HOLDER, threadId + 1, 0);
}

/** The thread that registered the writer. */
export function holderOf(ring: Ring): number | undefined {
  const holder = Atomics.load(ring.words, HOLDER);
  return holder === 0 ? undefined : holder - 1;
}

/**
 * Frees what a thread had that is provably dead (its `exit` event came, and with it ended the threads that it made). Every
 * thread that hears of it may call this, at any time: OWNER is looked at first. If HOLDER is the dead one's after that,
 * nobody has registered since, so the owner that was seen is the dead one or its dedicated thread; and if another one owns
 * the ring by the time of the exchange, that fails.
 */
export function freeDead(ring: Ring, threadId: number, now: number): void {
  const owner = Atomics.load(ring.words, OWNER);
  const held = Atomics.load(ring.words, HOLDER) === threadId + 1;
  if (!held && owner !== threadId + 1) return;
  if (owner !== 0 && Atomics.compareExchange(ring.words, OWNER, owner, 0) === owner) {
    writeHealth(ring, { state: readHealth(ring).state === 'initializing' ? 'initializing' : 'interrupted' }, now);
  }
  if (held) letGo(ring, threadId);
}

/** What the owner says of itself. */
export interface Health {
  readonly state: RingState;
  /** Monotonic milliseconds of the last change of `state`; 0 for none. */
  readonly since: number;
  readonly failures: number;
  /** Monotonic milliseconds of the writer's last success or sign of life; 0 for none. */
  readonly lastOk: number;
}

/** For people and metrics: the words may be of two writes. */
export function readHealth(ring: Ring): Health {
  const { words } = ring;
  return {
    state: ringStates[Atomics.load(words, STATE)] ?? 'closed',
    since: readDouble(direct, words, SINCE),
    failures: Atomics.load(words, FAILS),
    lastOk: readDouble(direct, words, LAST_OK),
  };
}

export function writeHealth(ring: Ring, health: { state: RingState; failures?: number; lastOk?: number }, now: number): void {
  const { words } = ring;
  if (health.failures !== undefined) Atomics.store(words, FAILS, health.failures);
  if (health.lastOk !== undefined) writeDouble(direct, words, LAST_OK, health.lastOk);
  const state = ringStates.indexOf(health.state);
  if (Atomics.exchange(words, STATE, state) !== state) writeDouble(direct, words, SINCE, now);
}
