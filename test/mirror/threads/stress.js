// @ts-check
/**
 * A writer or a reader of the stress test, for as long as `control[0]` is 0. Payloads are the ring version, over and over.
 * With `pauses`, both linger between their steps, so that every hole is wide open.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../dist/core/clock.js';
import { direct } from '../../../dist/mirror/access.js';
import { openRing, VERSION, VERSION_MASK } from '../../../dist/mirror/layout.js';
import { publish, publishSteps, take } from '../../../dist/mirror/protocol.js';
import { createReader } from '../../../dist/mirror/reader.js';

/** @typedef {import('../../../dist/mirror/access.js').SharedAccess} SharedAccess */

/** control: 0 stop, 1 thousands of takes, 2 millions of reads, 3 wrong snapshots, 4 readers that are ready */
const { role, buffer, sizes, mutant, pauses } = workerData;
/** @type {Int32Array} */
const control = workerData.control;
const ring = openRing(buffer);

// The writer pauses less: with four slots a reader must lose a whole turn of the ring to see a fault.
const chance = role === 'reader' ? 0.8 : ring.slots === 2 ? 0.4 : 0.15;

/** Gives up the processor: on a busy machine threads that only spin seldom meet in the middle of a step. */
function linger() {
  if (Math.random() < chance) Atomics.wait(control, 5, 0, 0.01);
}

/** @returns {SharedAccess} */
function writersAccess() {
  if (mutant === 'noinval') return { ...direct, exchange: (words, index) => Atomics.load(words, index) };
  return direct;
}

/** @returns {SharedAccess} */
function readersAccess() {
  let version = 0;
  /** @type {SharedAccess} */
  const slow = pauses
    ? {
        ...direct,
        copyOut(source) {
          const copy = new Uint8Array(source.length);
          for (let at = 0; at < copy.length; at += 16) {
            linger();
            copy.set(source.subarray(at, at + 16), at);
          }
          linger();
          return copy;
        },
      }
    : direct;
  /** @type {SharedAccess} */
  const remembering = {
    ...slow,
    load(words, index) {
      const value = Atomics.load(words, index);
      if (index === VERSION) version = value;
      return value;
    },
  };
  if (mutant === 'none') return { ...remembering, readModifyWrite: () => version };
  if (mutant === 'offby1') {
    return {
      ...remembering,
      readModifyWrite: (words) => (((Atomics.load(words, VERSION) - version) & VERSION_MASK) <= ring.slots - 1 ? version : -1),
    };
  }
  return slow;
}

function write() {
  const access = writersAccess();
  const most = new Int32Array(Math.max(...sizes) / 4);
  let number = 0;
  while (Atomics.load(control, 4) === 0 || Atomics.load(control, 0) === 0) {
    const size = sizes[number % sizes.length];
    const words = most.subarray(0, size / 4).fill((Atomics.load(ring.words, VERSION) + 1) & VERSION_MASK);
    const bytes = new Uint8Array(words.buffer, 0, size);
    const snapshot = { epoch: 1, version: ++number, createdAt: number, createdAtMonotonic: number, freshFor: number, codec: 'json', bytes };
    if (!pauses) {
      publish(ring, snapshot, access);
      continue;
    }
    for (const steps = publishSteps(ring, snapshot, access, 16); !steps.next().done; ) linger();
  }
  return { published: number };
}

function read() {
  const access = readersAccess();
  let wrong = 0;
  let takes = 0;
  let reads = 0;
  let busy = 0;
  let last = Atomics.load(ring.words, VERSION);
  let lastRead = 0;
  const reader = createReader({
    key: 'stress',
    maxBytes: 1 << 30,
    freeze: false,
    clock: systemClock,
    access,
    onError: () => wrong++,
    serializer: { name: 'json', dumps: () => new Uint8Array(0), loads: (bytes) => ({ bytes }) },
  });
  reader.attach(ring);
  /** @param {Uint8Array} bytes @param {number} version */
  const holds = (bytes, version) => {
    const words = new Int32Array(bytes.buffer, 0, bytes.byteLength / 4);
    for (let i = 0; i < words.length; i++) if (words[i] !== version) return false;
    return true;
  };
  Atomics.add(control, 4, 1);
  while (Atomics.load(control, 0) === 0) {
    let good = 0;
    for (let i = 0; i < 1000; i++) {
      const taken = take(ring, 1 << 30, access);
      if ('bytes' in taken) {
        const { ringVersion, bytes, meta } = taken;
        const sound =
          holds(bytes, ringVersion) &&
          bytes.length === sizes[(meta.version - 1) % sizes.length] &&
          meta.createdAt === meta.version &&
          meta.createdAtMonotonic === meta.version &&
          meta.freshFor === meta.version &&
          ((ringVersion - last) & VERSION_MASK) < VERSION_MASK / 2;
        if (sound) good++;
        else wrong++;
        last = ringVersion;
      } else if (taken.why === 'busy' || taken.why === 'empty') {
        busy++;
      } else {
        wrong++;
      }
      if (pauses && i % 50 === 0 && Atomics.load(control, 0) !== 0) break;
    }
    takes += good;
    for (let i = 0; i < 10_000; i++) {
      const value = reader.read();
      reads++;
      if (pauses && i > 10) break;
      // Looked at each time it may have changed, and now and then.
      if (i % 50 !== 0 || value === undefined) continue;
      const meta = /** @type {import('../../../dist/core/snapshot.js').SnapshotMeta} */ (reader.meta());
      if (meta.version < lastRead || value.bytes.length !== sizes[(meta.version - 1) % sizes.length]) wrong++;
      if (value.bytes.length > 0 && !holds(value.bytes, new Int32Array(value.bytes.buffer)[0] ?? 0)) wrong++;
      lastRead = meta.version;
    }
    Atomics.add(control, 1, good);
    Atomics.add(control, 2, pauses ? 0 : 10_000);
    Atomics.store(control, 3, Math.max(wrong, Atomics.load(control, 3)));
  }
  return { takes, reads, busy, wrong, decodes: reader.counts().decodes };
}

parentPort?.postMessage(role === 'writer' ? write() : read());
