/**
 * Publishing into a ring, and taking a snapshot out of it. Model c2 of docs/mirror.md (test/models/c_ring.pml, -DSLOTSEQ
 * -DRMW); the order of every line matters.
 *
 * A reader has loaded VERSION = v, found SEQ = v in v's slot, copied the bytes, and validates: SEQ is still v?
 *
 * 1. SEQ is still v, and the writer didn't touch the slot meanwhile: the bytes are those of v.
 * 2. The writer began to reuse the slot before the copy ended: it set SEQ = -1 first, and sets it to a later version only
 *    after its last byte. A ring version comes back after 2^31 publishes, so SEQ isn't v again: dropped, read again.
 * 3. The writer's bytes rise above its SEQ = -1, or the reader's copy sinks below its validation (ECMAScript allows
 *    both for plain accesses next to `Atomics.load` and `Atomics.store`, and AArch64 does both). Not here: the writer
 *    invalidates by an exchange and the reader validates by an or: two read-modify-writes of one word are ordered
 *    one after the other. Writer's first: the reader sees -1. Reader's first: its copy happened before the
 *    exchange, so before the writer's bytes. test/models/axiom_litmus.py checks this for ECMAScript, ARM and x86.
 * 4. The length, offset and times may be of two writes until validated: so they are bounded before use.
 * 5. The writer dies anywhere in a publish: VERSION still names the slot before, which a ring of two or more slots
 *    didn't touch. Its successor, started when it is provably dead, invalidates the half-written slot again.
 *    It died after storing OFF8 and before CAP8: the old, smaller capacity at the new place is within the new area.
 * 6. A second writer publishes meanwhile: the compare-exchange of VERSION fails, and the publish throws. (OWNER keeps it
 *    from getting that far.)
 * 7. A growing slot takes an area that another slot, or itself, has left. That one was left after the exchange that
 *    invalidated its bytes, so 2 and 3 hold for who still copies them.
 * 8. The writer publishes faster than the reader copies: four tries, then the caller keeps what it has. Wait-free.
 *
 * A refresh that brought the same bytes is confirmed: CONFIRMED = -1, AFTER, CONFIRMED = v. A reader of v loads CONFIRMED = v,
 * AFTER, and CONFIRMED again:
 *
 * 9. Both are v: AFTER is that of v's last confirmation or of the one being written, each of them true. One of another
 *    version would be written after CONFIRMED = -1, which only a later confirmation of v takes back; v is over by then.
 */
import { crc32 } from 'node:zlib';
import { ProtocolError, SnapshotTooLargeError } from '../core/errors.js';
import type { Confirmation, Snapshot, SnapshotMeta } from '../core/snapshot.js';
import { direct, type SharedAccess } from './access.js';
import {
  AFTER,
  BEING_WRITTEN,
  CAP8,
  CONFIRMED,
  CRC,
  LEN,
  largestSnapshot,
  OFF8,
  type Ring,
  readMeta,
  roundUp8,
  SEQ,
  slotBase,
  slotOf,
  VERSION,
  VERSION_MASK,
  writeMeta,
} from './layout.js';

const COPY_CHUNK = 1024 * 1024;
/** One word's worth of milliseconds, 24 days: past that a snapshot that never changes begins to age. */
export const MAX_AFTER = 0x7fffffff;
const TRIES = 4;

/**
 * Publishes step by step, so that a test can stop in between. Left unfinished it is a writer that died. Answers the new
 * ring version.
 *
 * @throws SnapshotTooLargeError before anything is touched, when the ring can't hold that many bytes
 * @throws ProtocolError when another writer has published meanwhile
 */
export function* publishSteps(ring: Ring, snapshot: Snapshot, access: SharedAccess, chunk: number = COPY_CHUNK): Generator<void, number> {
  const { words, buffer } = ring;
  const { bytes } = snapshot;
  const previous = access.load(words, VERSION);
  const version = (previous + 1) & VERSION_MASK;
  const slot = slotOf(ring, version);
  const grown = bytes.byteLength > access.load(words, slot + CAP8) * 8 ? room(ring, slot, bytes.byteLength, access) : undefined;
  // Before the slot is touched: the system may refuse the memory.
  if (grown && buffer.byteLength < grown.offset + grown.capacity) buffer.grow(grown.offset + grown.capacity);
  yield;
  access.exchange(words, slot + SEQ, BEING_WRITTEN);
  yield;
  if (grown) {
    access.store(words, slot + OFF8, grown.offset / 8);
    yield;
    access.store(words, slot + CAP8, grown.capacity / 8);
    yield;
  }
  access.store(words, slot + LEN, bytes.byteLength);
  yield;
  access.store(words, slot + CRC, crc32(bytes) | 0);
  yield;
  writeMeta(access, words, slot, snapshot);
  yield;
  const target = new Uint8Array(buffer, access.load(words, slot + OFF8) * 8, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += chunk) {
    access.copyIn(target.subarray(at, at + chunk), bytes.subarray(at, at + chunk));
    yield;
  }
  access.store(words, slot + SEQ, version);
  yield;
  if (access.compareExchange(words, VERSION, previous, version) !== previous) {
    throw new ProtocolError('Two writers published into one ring: this one stops');
  }
  yield;
  access.notify(words, VERSION);
  return version;
}

/** `publishSteps`, all of them at once. */
export function publish(ring: Ring, snapshot: Snapshot, access: SharedAccess = direct): number {
  const steps = publishSteps(ring, snapshot, access);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * The first place that no other slot has and that is large enough: twice what is asked for, so that a growing value moves
 * seldom. `areas` in layout.ts says why there always is one.
 */
function room(ring: Ring, slot: number, length: number, access: SharedAccess): { offset: number; capacity: number } {
  const { words } = ring;
  const largest = largestSnapshot(ring);
  if (length > largest) {
    throw new SnapshotTooLargeError(`Expected a snapshot of at most ${largest} bytes, got ${length} (option \`maxBytes\`)`);
  }
  const capacity = Math.min(roundUp8(2 * length), largest);
  const others: { from: number; to: number }[] = [];
  for (let index = 0; index < ring.slots; index++) {
    const base = slotBase(index);
    if (base === slot) continue;
    const from = access.load(words, base + OFF8) * 8;
    others.push({ from, to: from + access.load(words, base + CAP8) * 8 });
  }
  let offset = words.byteLength;
  for (const { from, to } of others.sort((a, b) => a.from - b.from)) {
    if (offset + capacity <= from) break;
    offset = Math.max(offset, to);
  }
  return { offset, capacity };
}

/** A snapshot taken out of a ring: its bytes are private. */
export interface Taken {
  readonly ringVersion: number;
  readonly bytes: Uint8Array;
  readonly meta: SnapshotMeta;
}

/** Why there is none: nothing published yet, four tries lost against a faster writer, or bytes that fail their checks. */
export type NotTaken =
  | { readonly why: 'empty' }
  | { readonly why: 'busy' }
  | { readonly why: 'corrupt' | 'too-large'; readonly ringVersion: number };

/**
 * Takes the newest snapshot. Never waits, copies at most four times.
 *
 * @throws RangeError when there is no memory for the copy, and nothing else
 */
export function take(ring: Ring, maxBytes: number, access: SharedAccess = direct): Taken | NotTaken {
  const { words, buffer } = ring;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const version = access.load(words, VERSION);
    const slot = slotOf(ring, version);
    if (access.load(words, slot + SEQ) !== version) {
      // After the wrap 0 is a version like others, whose slot is reused only once VERSION has moved on.
      if (version === 0 && access.load(words, VERSION) === 0) return { why: 'empty' };
      continue;
    }
    const length = access.load(words, slot + LEN) >>> 0;
    const offset = access.load(words, slot + OFF8) * 8;
    const checksum = access.load(words, slot + CRC) >>> 0;
    const meta = readMeta(access, words, slot);
    const inside = offset >= words.byteLength && offset + length <= buffer.byteLength;
    const bytes = inside && length <= maxBytes ? access.copyOut(new Uint8Array(buffer, offset, length)) : undefined;
    if (access.readModifyWrite(words, slot + SEQ) !== version) continue;
    // From here on everything read above is of one publish: a fault in it is the writer's, and stays.
    if (bytes === undefined) return { why: inside ? 'too-large' : 'corrupt', ringVersion: version };
    if (crc32(bytes) !== checksum) return { why: 'corrupt', ringVersion: version };
    return { ringVersion: version, bytes, meta };
  }
  return { why: 'busy' };
}

/** Of the newest snapshot, without its bytes, for a writer that goes on where the last one stopped. */
export function newestMeta(ring: Ring): SnapshotMeta | undefined {
  const { words } = ring;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const version = direct.load(words, VERSION);
    const slot = slotOf(ring, version);
    if (direct.load(words, slot + SEQ) !== version) continue;
    const meta = readMeta(direct, words, slot);
    if (direct.readModifyWrite(words, slot + SEQ) === version) return meta;
  }
  return undefined;
}

/** What the newest snapshot has to be so that a confirmation of it is one of these bytes. Only for the ring's owner. */
export function holdsBytes(ring: Ring, bytes: Uint8Array, codec: string): boolean {
  const { words, buffer } = ring;
  const version = direct.load(words, VERSION);
  const slot = slotOf(ring, version);
  if (direct.load(words, slot + SEQ) !== version || direct.load(words, slot + LEN) !== bytes.byteLength) return false;
  if (readMeta(direct, words, slot).codec !== codec) return false;
  // Nobody else writes: a comparison in place is of bytes that stand still.
  return Buffer.from(buffer, direct.load(words, slot + OFF8) * 8, bytes.byteLength).equals(bytes);
}

/** Says of the newest snapshot that it was loaded again at that moment (monotonic milliseconds), step by step. */
export function* confirmSteps(ring: Ring, at: number, access: SharedAccess): Generator<void, void> {
  const { words } = ring;
  const version = access.load(words, VERSION);
  const born = readMeta(access, words, slotOf(ring, version)).createdAtMonotonic;
  access.store(words, CONFIRMED, BEING_WRITTEN);
  yield;
  access.store(words, AFTER, Math.min(Math.max(Math.round(at - born), 0), MAX_AFTER));
  yield;
  access.store(words, CONFIRMED, version);
  yield;
  access.notify(words, VERSION);
}

/** `confirmSteps`, all of them at once. Only for the ring's owner. */
export function confirm(ring: Ring, at: number, access: SharedAccess = direct): void {
  const steps = confirmSteps(ring, at, access);
  while (!steps.next().done);
}

/** How many milliseconds after its creation a snapshot was last confirmed; 0 for never, and while that is being written. */
export function confirmedAfter(words: Int32Array, ringVersion: number, access: SharedAccess = direct): number {
  if (access.load(words, CONFIRMED) !== ringVersion) return 0;
  const after = access.load(words, AFTER);
  return access.load(words, CONFIRMED) === ringVersion ? after : 0;
}

/** The last confirmation of the newest snapshot; `undefined` for none. */
export function newestConfirmation(ring: Ring): Confirmation | undefined {
  const version = direct.load(ring.words, VERSION);
  const meta = newestMeta(ring);
  const after = confirmedAfter(ring.words, version);
  if (meta === undefined || after === 0 || direct.load(ring.words, VERSION) !== version) return undefined;
  const { epoch, version: number, createdAt, createdAtMonotonic } = meta;
  return { epoch, version: number, createdAt: createdAt + after, createdAtMonotonic: createdAtMonotonic + after };
}
