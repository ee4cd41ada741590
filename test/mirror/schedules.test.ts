import test from 'ava';
import { systemClock } from '../../dist/core/clock.js';
import type { Snapshot } from '../../dist/core/snapshot.js';
import type { SharedAccess } from '../../dist/mirror/access.js';
import {
  BEING_WRITTEN,
  CRC,
  CAP8,
  LEN,
  OFF8,
  SEQ,
  slotBase,
  slotOf,
  VERSION,
  VERSION_MASK,
  writeMeta,
  type Ring,
} from '../../dist/mirror/layout.js';
import { take, type NotTaken, type Taken } from '../../dist/mirror/protocol.js';
import { createReader } from '../../dist/mirror/reader.js';
import { crc32 } from 'node:zlib';
import { explore, prepare, type Event, type ExploreOptions, type Plan, type Run, type World } from './explorer.js';

const NEAR_WRAP = 0x7ffffffd;
const SIZES = [0, 1, 7, 8, 9, 16];
const MAX_BYTES = 64;

/** Ring versions are ordered by their distance, since they wrap. */
function isBefore(a: number, b: number): boolean {
  return a !== b && ((b - a) & VERSION_MASK) < VERSION_MASK / 2;
}

/** Torn, foreign, or with the times of another. */
function isFalse(taken: Taken, world: World): boolean {
  const expected = world.published.get(taken.ringVersion);
  if (expected === undefined) return true;
  const { bytes, ...meta } = expected;
  return (
    Buffer.compare(taken.bytes, bytes) !== 0 ||
    Object.entries(meta).some(([name, value]) => taken.meta[name as keyof typeof meta] !== value)
  );
}

/** One `take`: what it answers is of one publication, not older than the newest at its start, and there is an answer. */
function takeOnce(world: World, mutate?: (access: SharedAccess, ring: Ring) => SharedAccess): (run: Run) => boolean {
  return ({ ring, access, gap }) => {
    gap(VERSION);
    const atStart = Atomics.load(ring.words, VERSION);
    let copies = 0;
    const counting: SharedAccess = { ...access, copyOut: (source) => (copies++, access.copyOut(source)) };
    const taken: Taken | NotTaken = take(ring, MAX_BYTES, mutate ? mutate(counting, ring) : counting);
    if (copies > 4) return true;
    // Each try lost takes a publish of its own; here are fewer publishes than tries, and a snapshot from the start.
    if (!('bytes' in taken)) return true;
    return isFalse(taken, world) || isBefore(taken.ringVersion, atStart) || isBefore(Atomics.load(ring.words, VERSION), taken.ringVersion);
  };
}

/** Three reads of one reader: each answers a published value, none goes back, and a version is decoded once. */
function readThrice(world: World, start: number): (run: Run) => boolean {
  return ({ ring, access, gap }) => {
    let copies = 0;
    const decoded: Uint8Array[] = [];
    const reader = createReader<Uint8Array>({
      key: 'k',
      maxBytes: MAX_BYTES,
      freeze: false,
      clock: systemClock,
      serializer: { name: 'json', dumps: () => new Uint8Array(0), loads: (bytes) => (decoded.push(bytes), bytes) },
      access: { ...access, copyOut: (source) => (copies++, access.copyOut(source)) },
      onError: () => (copies = Infinity),
    });
    reader.attach(ring);
    let last = 0;
    for (let turn = 0; turn < 3; turn++) {
      gap(VERSION);
      copies = 0;
      const newest = (Atomics.load(ring.words, VERSION) - start) & VERSION_MASK;
      const value = reader.read();
      const meta = reader.meta();
      if (value === undefined || meta === undefined || copies > 4) return true;
      const expected = world.published.get((start + meta.version) & VERSION_MASK);
      if (expected === undefined || expected.epoch !== meta.epoch || Buffer.compare(value, expected.bytes) !== 0) return true;
      if (meta.version < last || meta.version < newest) return true;
      last = meta.version;
    }
    return decoded.length !== new Set(decoded).size || decoded.length > last;
  };
}

const plans: Plan[] = [];
for (const start of [0, NEAR_WRAP]) {
  for (const slots of [2, 4] as const) {
    // The slot of the newest snapshot is written again by the last of `slots` publications. Capacities are twice the
    // size, so from 9 bytes on the first sizes below fit a later 16, and 1 and 0 must grow.
    for (const first of SIZES) {
      for (const second of SIZES) {
        plans.push({ slots, start, before: Array(slots).fill(first), during: Array(slots).fill(second) });
      }
    }
  }
}

test('take: no schedule of one read against a whole turn of the ring shows anything torn, foreign or older', (t) => {
  let schedules = 0;
  for (const plan of plans) {
    const world = prepare(plan);
    for (const options of [{ piece: 4 }, { piece: 3, backwards: true }]) {
      const found = explore(world, takeOnce(world), options);
      t.is(found.forbidden, 0, JSON.stringify(plan));
      schedules += found.schedules;
    }
  }
  t.log(`${schedules} schedules over ${plans.length} plans`);
  t.true(schedules > 10_000);
});

test('take: the same while every word of the slot changes', (t) => {
  for (const start of [0, NEAR_WRAP]) {
    const world = prepare({ slots: 2, start, before: [9, 9], during: [8, 7], times: true, chunk: 8 });
    const found = explore(world, takeOnce(world), { piece: 8 });
    t.is(found.forbidden, 0);
    t.log(`${found.schedules} schedules`);
  }
});

test('read: no schedule of three reads shows a false or older value, or decodes one twice', (t) => {
  let schedules = 0;
  for (const plan of plans) {
    if (!SIZES.includes(plan.before[0] as number) || (plan.before[0] as number) % 8 > 1 || (plan.during[0] as number) % 8 !== 1) continue;
    const world = prepare({ ...plan, chunk: 8 });
    const found = explore(world, readThrice(world, plan.start), { piece: 8 });
    t.is(found.forbidden, 0, JSON.stringify(plan));
    schedules += found.schedules;
  }
  t.log(`${schedules} schedules`);
  t.true(schedules > 1_000);
});

test('a writer stopped after any touch of a publish leaves the last good snapshot, the same object', (t) => {
  for (const slots of [2, 4] as const) {
    for (const size of SIZES) {
      const world = prepare({ slots, start: NEAR_WRAP, before: Array(slots).fill(1), during: [size] });
      for (let until = 0; until <= world.events.length; until++) {
        const found = explore(
          world,
          (run) => {
            const reader = createReader<Uint8Array>({
              key: 'k',
              maxBytes: MAX_BYTES,
              freeze: false,
              clock: systemClock,
              serializer: { dumps: () => new Uint8Array(0), loads: (bytes) => bytes },
              access: run.access,
            });
            reader.attach(run.ring);
            const before = reader.read();
            const version = reader.meta()?.version;
            run.gap(VERSION);
            // The writer has stopped for good, somewhere up to `until`: a new reader, and this one, at rest.
            const after = reader.read();
            const fresh = take(run.ring, MAX_BYTES);
            const moved = reader.meta()?.version !== version;
            return before === undefined || (moved ? after === before : after !== before) || !('bytes' in fresh) || isFalse(fresh, world);
          },
          { until },
        );
        t.is(found.forbidden, 0, `${slots} slots, ${size} bytes, stopped after ${until}`);
      }
    }
  }
});

test('a writer that dies after any touch, then a successor on the same ring: safe in every schedule', (t) => {
  let schedules = 0;
  for (const slots of [2, 4] as const) {
    for (const [first, second] of [
      [9, 9],
      [1, 16],
      [9, 0],
      [0, 9],
    ] as const) {
      const whole = prepare({ slots, start: NEAR_WRAP, before: Array(slots).fill(first), during: [second] });
      for (let dieAfter = 0; dieAfter <= whole.events.length; dieAfter++) {
        const world = prepare({
          slots,
          start: NEAR_WRAP,
          before: Array(slots).fill(first),
          during: Array(slots).fill(second),
          dieAfter,
          chunk: 8,
        });
        const found = explore(world, takeOnce(world), { piece: 8 });
        t.is(found.forbidden, 0, `${slots} slots, ${first} then ${second} bytes, died after ${dieAfter}`);
        schedules += found.schedules;
      }
    }
  }
  t.log(`${schedules} schedules`);
});

test('an area that moves from one slot to another is safe in every schedule', (t) => {
  // Slot 0 leaves its first area for a larger one, and slot 1 takes what it left, while a reader still copies from there.
  let moves = 0;
  let schedules = 0;
  for (const during of [
    [16, 8, 1, 8],
    [12, 6, 16, 12],
    [5, 9, 9],
  ]) {
    const world = prepare({ slots: 2, start: 0, before: [4, 2], during, maxBytes: 16, chunk: 8 });
    const places = world.events.flatMap((event) => (event.kind === 'bytes' ? [event.at] : []));
    if (new Set(places).size < places.length) moves++;
    // Four publications: here a reader may lose all of its tries, and then has no answer.
    const found = explore(
      world,
      ({ ring, access, gap }) => {
        gap(VERSION);
        const taken = take(ring, MAX_BYTES, access);
        return 'bytes' in taken ? isFalse(taken, world) : taken.why !== 'busy';
      },
      { piece: 8 },
    );
    t.is(found.forbidden, 0, during.join());
    schedules += found.schedules;
  }
  t.true(moves > 0);
  t.log(`${schedules} schedules`);
});

/** Each of these is a fault that the tests above must be able to see. */
const mutants: Record<
  string,
  {
    plan?: Partial<Plan>;
    reader?: (access: SharedAccess, ring: Ring) => SharedAccess;
    events?: (events: readonly Event[]) => Event[];
    options?: ExploreOptions;
  }
> = {
  'the writer does not invalidate': {
    plan: { mutateWriter: (access) => ({ ...access, exchange: (words, index) => Atomics.load(words, index) }) },
  },
  'the writer invalidates after the bytes (weak order)': {
    events: (events) => {
      const at = events.findLastIndex((event) => event.kind === 'word' && event.value === BEING_WRITTEN);
      return [...events.slice(0, at), ...events.slice(at + 1, -2), events[at] as Event, ...events.slice(-2)];
    },
  },
  'the writer moves VERSION before the slot is complete': { plan: { steps: (...args) => misordered('version first', ...args) } },
  'the writer stores SEQ and VERSION before the bytes': { plan: { steps: (...args) => misordered('both first', ...args) } },
  'the writer fills the slot after the right one': { plan: { steps: (...args) => misordered('next slot', ...args) } },
  'the reader does not validate': { reader: (access) => remembering(access, (loads) => loads.get(VERSION) as number) },
  'the reader validates by the value it saw before the copy': {
    reader: (access) => remembering(access, (loads, index) => loads.get(index) as number),
  },
  'the reader validates by VERSION, off by one': {
    reader: (access, ring) =>
      remembering(access, (loads, _, words) => {
        const version = loads.get(VERSION) as number;
        return ((access.load(words, VERSION) - version) & VERSION_MASK) <= ring.slots - 1 ? version : BEING_WRITTEN;
      }),
  },
  'the reader copies after its validation (weak order)': {
    reader: (access) => {
      let copy: Uint8Array | undefined;
      let from: Uint8Array;
      return {
        ...access,
        copyOut: (source) => {
          from = source;
          copy = new Uint8Array(source.length);
          return copy;
        },
        readModifyWrite: (words, index) => {
          const sequence = access.readModifyWrite(words, index);
          copy?.set(access.copyOut(from));
          return sequence;
        },
      };
    },
  },
  'the reader takes length and place from the next slot': {
    reader: (access, ring) => ({
      ...access,
      load: (words, index) => {
        const inSlot = index - slotBase(0);
        const width = slotBase(1) - slotBase(0);
        if (index < slotBase(0) || inSlot % width === SEQ) return access.load(words, index);
        return access.load(words, slotBase(0) + ((inSlot + width) % (ring.slots * width)));
      },
    }),
  },
};

/** A reader's access whose validation answers what `validate` says, given the last load of each word. */
function remembering(
  access: SharedAccess,
  validate: (loads: Map<number, number>, index: number, words: Int32Array) => number,
): SharedAccess {
  const loads = new Map<number, number>();
  return {
    ...access,
    load: (words, index) => {
      const value = access.load(words, index);
      loads.set(index, value);
      return value;
    },
    readModifyWrite: (words, index) => validate(loads, index, words),
  };
}

/** `publishSteps` with one fault; without growth. */
function* misordered(
  fault: 'version first' | 'both first' | 'next slot',
  ring: Ring,
  snapshot: Snapshot,
  access: SharedAccess,
  chunk: number,
): Generator<void, number> {
  const { words, buffer } = ring;
  const { bytes } = snapshot;
  const previous = access.load(words, VERSION);
  const version = (previous + 1) & VERSION_MASK;
  const slot = slotOf(ring, fault === 'next slot' ? version + 1 : version);
  if (access.load(words, slot + CAP8) === 0) {
    if (buffer.byteLength < buffer.maxByteLength) buffer.grow(buffer.maxByteLength);
    access.store(words, slot + OFF8, words.byteLength / 8 + 2 * (version & (ring.slots - 1)));
    access.store(words, slot + CAP8, 2);
  }
  access.exchange(words, slot + SEQ, BEING_WRITTEN);
  if (fault === 'version first') access.compareExchange(words, VERSION, previous, version);
  access.store(words, slot + LEN, bytes.byteLength);
  access.store(words, slot + CRC, crc32(bytes) | 0);
  writeMeta(access, words, slot, snapshot);
  if (fault === 'both first') {
    access.store(words, slot + SEQ, version);
    access.compareExchange(words, VERSION, previous, version);
  }
  const offset = access.load(words, slot + OFF8) * 8;
  for (let at = 0; at < bytes.length; at += chunk) {
    const part = bytes.subarray(at, at + chunk);
    access.copyIn(new Uint8Array(buffer, offset + at, part.length), part);
  }
  access.store(words, slot + SEQ, version);
  access.compareExchange(words, VERSION, previous, version);
  yield;
  return version;
}

for (const [name, { plan, reader, events, options }] of Object.entries(mutants)) {
  for (const slots of [2, 4] as const) {
    test(`caught with ${slots} slots: ${name}`, (t) => {
      let world = prepare({ slots, start: NEAR_WRAP, before: Array(slots).fill(9), during: Array(slots).fill(9), ...plan });
      if (events) world = { ...world, events: events(world.events) };
      const found = explore(world, takeOnce(world, reader), { stopAtFirst: true, ...options });
      t.is(found.forbidden, 1, `none of ${found.schedules} schedules showed it`);
    });
  }
}
