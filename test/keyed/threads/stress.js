// @ts-check
/**
 * A writer or a reader of the stress test, for as long as `control[0]` is 0. Ring version v has the records of variant v % VARIANTS, whose
 * values say which record and which variant they are of. With `pauses`, both linger between their steps.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../dist/core/clock.js';
import { KeyedBuilder } from '../../../dist/keyed/builder.js';
import { Memory } from '../../../dist/keyed/memory.js';
import { createKeyedReader } from '../../../dist/keyed/reader.js';
import { direct } from '../../../dist/mirror/access.js';
import { openRing, VERSION, VERSION_MASK } from '../../../dist/mirror/layout.js';
import { publish, publishSteps } from '../../../dist/mirror/protocol.js';
import { serializers } from '../../../dist/serializers/resolve.js';

/** @typedef {import('../../../dist/mirror/access.js').SharedAccess} SharedAccess */

const VARIANTS = 64;

/** control: 0 stop, 1 thousands of lookups, 3 wrong answers, 4 readers that are ready, 5 never changes */
const { role, buffer, records, mutant, pauses, maxEntries } = workerData;
/** @type {Int32Array} */
const control = workerData.control;
const ring = openRing(buffer);
// The writer pauses less: with four slots a reader must lose a whole turn of the ring to see a fault.
const chance = role === 'reader' ? 0.8 : ring.slots === 2 ? 0.4 : 0.15;

/** Gives up the processor: on a busy machine threads that only spin seldom meet in the middle of a step. */
function linger() {
  if (Math.random() < chance) Atomics.wait(control, 5, 0, 0.01);
}

/** Keys of the second half are there in even variants only. @param {number} record @param {number} variant */
const isThere = (record, variant) => record < records / 2 || variant % 2 === 0;

/** @param {number} variant */
function build(variant) {
  const builder = new KeyedBuilder({ serializer: serializers.json, maxBytes: 1 << 24, earlier: undefined, memory: new Memory() });
  // Another order in each, so that no record stays where it is.
  for (let i = 0; i < records; i++) {
    const record = (i * 7 + variant * 13) % records;
    if (isThere(record, variant)) builder.add(`key ${record}`, { record, variant, filling: 'x'.repeat((record * 31 + variant) % 97) });
  }
  return builder.finish().bytes.slice();
}

function write() {
  const all = Array.from({ length: VARIANTS }, (_, variant) => build(variant));
  /** @type {SharedAccess} */
  const access = mutant === 'noinval' ? { ...direct, exchange: (words, index) => Atomics.load(words, index) } : direct;
  let number = 0;
  while (Atomics.load(control, 4) === 0 || Atomics.load(control, 0) === 0) {
    const next = (Atomics.load(ring.words, VERSION) + 1) & VERSION_MASK;
    const bytes = /** @type {Uint8Array} */ (all[next % VARIANTS]);
    const times = { createdAt: number, createdAtMonotonic: number, freshFor: number };
    const snapshot = { epoch: 1, version: ++number, ...times, codec: 'keyed', bytes };
    if (!pauses) publish(ring, snapshot, access);
    else for (const steps = publishSteps(ring, snapshot, access, 256); !steps.next().done; ) linger();
  }
  return { published: number };
}

/** @returns {SharedAccess} */
function readersAccess() {
  let version = 0;
  /** @type {SharedAccess} */
  const slow = pauses
    ? {
        ...direct,
        readModifyWrite(words, index) {
          linger();
          return direct.readModifyWrite(words, index);
        },
        view(shared, offset, length) {
          let reads = 0;
          return new Proxy(new Int32Array(shared, offset, length), {
            get(words, name) {
              if (reads++ % 16 === 0) linger();
              return Reflect.get(words, name);
            },
          });
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
      readModifyWrite(words) {
        linger();
        return ((Atomics.load(words, VERSION) - version) & VERSION_MASK) <= ring.slots - 1 ? version : -1;
      },
    };
  }
  return slow;
}

function read() {
  let wrong = 0;
  let lookups = 0;
  let found = 0;
  const reader = createKeyedReader({
    key: 'stress',
    maxBytes: Infinity,
    freeze: false,
    clock: systemClock,
    access: readersAccess(),
    memo: { maxEntries, maxBytes: 1 << 20 },
    // A record whose hash doesn't fit, or a header.
    onError: () => wrong++,
  });
  reader.attach(ring);
  const keys = Array.from({ length: records }, (_, record) => `key ${record}`);
  const newest = () => Atomics.load(ring.words, VERSION);
  /** Whether one of the versions from `first` to `last` could have given that answer. @param {number} record @param {any} value @param {number} first @param {number} last */
  const isRight = (record, value, first, last) => {
    for (let version = first; ; version = (version + 1) & VERSION_MASK) {
      const variant = version % VARIANTS;
      if (value === undefined ? !isThere(record, variant) : value.variant === variant && isThere(record, variant)) {
        return value === undefined || (value.record === record && value.filling.length === (record * 31 + variant) % 97);
      }
      if (version === last) return false;
    }
  };
  while (newest() === workerData.start) Atomics.wait(control, 5, 0, 1);
  Atomics.add(control, 4, 1);
  let seed = workerData.seed;
  while (Atomics.load(control, 0) === 0) {
    const many = pauses ? 100 : 1000;
    for (let i = 0; i < many; i++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const record = Math.floor((seed / 2 ** 32) * records);
      const first = newest();
      const value = reader.lookups.get(/** @type {string} */ (keys[record]));
      if (value !== undefined) found++;
      if (!isRight(record, value, first, newest())) wrong++;
      if (i % 100 !== 0) continue;
      try {
        const view = reader.lookups.view();
        const some = [0, 1, 2].map(() => view.get(/** @type {string} */ (keys[Math.floor(Math.random() * (records / 2))])));
        const variants = new Set(some.map((one) => /** @type {{ variant?: number } | undefined} */ (one)?.variant));
        if (variants.size !== 1 || variants.has(undefined)) wrong++;
      } catch (error) {
        if (/** @type {{ code?: string }} */ (error).code !== 'ERR_VIEW_EXPIRED') throw error;
      }
    }
    lookups += many;
    if (pauses ? lookups % 1000 === 0 : true) Atomics.add(control, 1, 1);
    if (wrong > Atomics.load(control, 3)) Atomics.store(control, 3, wrong);
  }
  const { fallbacks, decodes } = reader.counts();
  return { lookups, found, wrong, fallbacks, decodes };
}

parentPort?.postMessage(role === 'writer' ? write() : read());
