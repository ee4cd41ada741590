import { Worker } from 'node:worker_threads';
import test from 'ava';
import { ProtocolError, SnapshotTooLargeError, WireFormatError } from '../../dist/core/errors.js';
import { direct } from '../../dist/mirror/access.js';
import { claim, createRing, disown, openRing, ownerOf, readHealth, VERSION, writeHealth, type Ring } from '../../dist/mirror/layout.js';
import { publish, publishSteps, take, type Taken } from '../../dist/mirror/protocol.js';
import { snapshotOf } from './explorer.js';

const MIB = 1024 * 1024;

function taken(ring: Ring, maxBytes = Infinity): Taken {
  const answer = take(ring, maxBytes);
  if (!('bytes' in answer)) throw new Error(`nothing taken: ${answer.why}`);
  return answer;
}

/** A small generator of its own: the same numbers in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test('a new ring is empty; the first snapshot may be empty too', (t) => {
  for (const slots of [2, 4] as const) {
    const ring = createRing(64, { slots });
    t.deepEqual(take(ring, 64), { why: 'empty' });
    const snapshot = { ...snapshotOf(3, 9, 0), createdAt: 1.5, createdAtMonotonic: 2.25, freshFor: Infinity };
    t.is(publish(ring, snapshot), 1);
    const { ringVersion, bytes, meta } = taken(ring);
    t.is(ringVersion, 1);
    t.deepEqual({ bytes, ...meta }, snapshot);
  }
});

test('version 0 after the wrap is a version like others', (t) => {
  const ring = createRing(64, { slots: 2, startVersion: 0x7fffffff });
  t.is(publish(ring, snapshotOf(1, 1, 8)), 0);
  t.is(taken(ring).ringVersion, 0);
  // A reader that has loaded VERSION = 0 finds its slot reused: that isn't "nothing published yet".
  let first = true;
  const answer = take(ring, 64, {
    ...direct,
    load(words, index) {
      const value = direct.load(words, index);
      if (first) {
        first = false;
        publish(ring, snapshotOf(1, 2, 8));
        publish(ring, snapshotOf(1, 3, 8));
      }
      return value;
    },
  });
  t.like(answer, { ringVersion: 2, meta: { version: 3 } });
});

test('sizes that grow little by little never fill the ring: every size up to maxBytes has room at any time', (t) => {
  for (const slots of [2, 4] as const) {
    const maxBytes = 1024;
    const ring = createRing(maxBytes, { slots });
    const most = ring.buffer.maxByteLength;
    t.true(most <= ring.words.byteLength + 2 * slots * maxBytes);
    let version = 0;
    for (const size of [60, 124, 252, 508, 510, 700, 1020, 1024, 1, 1024]) {
      for (let slot = 0; slot < slots; slot++) {
        publish(ring, snapshotOf(1, ++version, size));
        t.deepEqual(taken(ring).bytes, snapshotOf(1, version, size).bytes);
      }
    }
  }
});

test('areas never overlap and the buffer stays bounded: 1,000 random sizes, and writers that die anywhere', (t) => {
  const random = numbers(7);
  for (const slots of [2, 4] as const) {
    for (let turn = 0; turn < 30; turn++) {
      const maxBytes = 1 + Math.floor(random() * 5000);
      const ring = createRing(maxBytes, { slots });
      let version = 0;
      for (let publication = 0; publication < 1000; publication++) {
        // Sizes rise slowly: the worst for areas that double.
        const size = Math.min(maxBytes, Math.floor(random() * random() * maxBytes * (publication / 700)));
        if (random() < 0.3) {
          const dying = publishSteps(ring, snapshotOf(2, version + 1, size), direct, 1 + (size >> 1));
          const steps = Math.floor(random() * 12);
          for (let step = 0; step < steps; step++) if (dying.next().done) break;
          version = ring.words[VERSION] as number;
        }
        if (version > 0) t.is(taken(ring).meta.version, version);
        const snapshot = snapshotOf(1, ++version, size);
        publish(ring, snapshot);
        const answer = taken(ring);
        if (Buffer.compare(answer.bytes, snapshot.bytes) !== 0) t.fail(`false bytes of ${size} in a ring of ${maxBytes}`);
      }
      t.true(ring.buffer.byteLength <= ring.words.byteLength + 2 * slots * maxBytes + 8 * 2 * slots);
    }
  }
});

test('a writer that dies again and again at one point of its growth uses up nothing', (t) => {
  for (let steps = 1; steps < 12; steps++) {
    const ring = createRing(1000, { slots: 2 });
    publish(ring, snapshotOf(1, 1, 200));
    publish(ring, snapshotOf(1, 2, 200));
    for (let death = 0; death < 100; death++) {
      const dying = publishSteps(ring, snapshotOf(1, 3, 400 + death), direct, 1000);
      for (let step = 0; step < steps; step++) dying.next();
    }
    t.notThrows(() => publish(ring, snapshotOf(1, 4, 1000)), `after ${steps} steps`);
    t.deepEqual(taken(ring).bytes, snapshotOf(1, 4, 1000).bytes);
  }
});

test('a snapshot above maxBytes is refused before anything is touched', (t) => {
  const ring = createRing(64, { slots: 2 });
  publish(ring, snapshotOf(1, 1, 64));
  publish(ring, snapshotOf(1, 2, 8));
  const before = new Uint8Array(ring.buffer).slice();
  const error = t.throws(() => publish(ring, snapshotOf(1, 3, 65)), { instanceOf: SnapshotTooLargeError });
  t.regex(error.message, /at most 64 bytes, got 65/);
  t.deepEqual(new Uint8Array(ring.buffer), before);
});

test('a reader refuses what is above its own limit, and what fails its checksum', (t) => {
  const ring = createRing(64, { slots: 2 });
  publish(ring, snapshotOf(1, 1, 33));
  t.deepEqual(take(ring, 32), { why: 'too-large', ringVersion: 1 });
  const bytes = new Uint8Array(ring.buffer);
  const last = bytes.lastIndexOf(snapshotOf(1, 1, 33).bytes[0] as number);
  bytes[last] = ~(bytes[last] as number);
  t.deepEqual(take(ring, 64), { why: 'corrupt', ringVersion: 1 });
});

test('two writers at once: one of them is told, and stops', (t) => {
  const ring = createRing(64, { slots: 2 });
  const slow = publishSteps(ring, snapshotOf(1, 1, 8), direct);
  slow.next();
  publish(ring, snapshotOf(1, 1, 8));
  t.throws(
    () => {
      while (!slow.next().done);
    },
    { instanceOf: ProtocolError },
  );
});

test('the right to publish belongs to one thread', (t) => {
  const ring = createRing(64);
  t.is(ownerOf(ring), undefined);
  t.true(claim(ring, 0));
  t.true(claim(ring, 0));
  t.false(claim(ring, 1));
  disown(ring, 1);
  t.is(ownerOf(ring), 0);
  disown(ring, 0);
  t.true(claim(ring, 1));
});

test('health: since is the moment of the last change', (t) => {
  const ring = createRing(64);
  t.deepEqual(readHealth(ring), { state: 'initializing', since: 0, failures: 0, lastOk: 0 });
  writeHealth(ring, { state: 'live', failures: 0, lastOk: 5.5 }, 6.5);
  writeHealth(ring, { state: 'live', failures: 0, lastOk: 7.5 }, 7.5);
  t.deepEqual(readHealth(ring), { state: 'live', since: 6.5, failures: 0, lastOk: 7.5 });
});

test('limits: 1 GiB is fine, more than one buffer holds is a RangeError that says so', (t) => {
  const ring = createRing(1024 * MIB);
  t.is(ring.slots, 2);
  t.is(ring.buffer.byteLength, ring.words.byteLength);
  for (const maxBytes of [0, -1, 1.5, NaN, Infinity, '64' as unknown as number]) {
    t.throws(() => createRing(maxBytes), { instanceOf: RangeError, message: /Expected `maxBytes` to be/ });
  }
  t.throws(() => createRing(2048 * MIB), {
    instanceOf: RangeError,
    message: /Expected `maxBytes` to be at most 1431655592, got 2147483648/,
  });
  t.throws(() => createRing(1024 * MIB, { slots: 4 }), { instanceOf: RangeError, message: /at most \d+, got/ });
  t.notThrows(() => createRing(1431655592, { slots: 2 }));
});

test('memory that is no ring of ours is refused', (t) => {
  const ring = createRing(64);
  const head = ring.words.slice();
  const forge = (change: (words: Int32Array) => void): SharedArrayBuffer => {
    const buffer = new SharedArrayBuffer(ring.words.byteLength);
    new Int32Array(buffer).set(head);
    change(new Int32Array(buffer));
    return buffer;
  };
  t.notThrows(() => openRing(forge(() => {})));
  t.is(openRing(forge(() => {})).instance, ring.instance);
  for (const other of [
    undefined,
    null,
    {},
    'ring',
    new ArrayBuffer(1024),
    new SharedArrayBuffer(0),
    new SharedArrayBuffer(64),
    new SharedArrayBuffer(4096),
  ]) {
    t.throws(() => openRing(other), { instanceOf: WireFormatError });
  }
  const line = 32;
  t.throws(() => openRing(forge((words) => words.set([2], line + 1))), {
    instanceOf: WireFormatError,
    message: /layout 1, got layout 2.*two versions/,
  });
  for (const [word, value] of [
    [0, 0],
    [4, 0x04030201],
    [2, 0],
    [2, 8],
    [3, 0],
    [3, 1],
    [3, 3],
    [3, -2],
    [3, 2 ** 30],
  ] as const) {
    t.throws(() => openRing(forge((words) => words.set([value], line + word))), { instanceOf: WireFormatError }, `word ${word} = ${value}`);
  }
});

test('from 10 bytes to 20 MB in the middle of reads by other threads', async (t) => {
  const ring = createRing(20_000_000, { slots: 2 });
  const readers = [0, 1].map(() => new Worker(new URL('./threads/taker.js', import.meta.url), { workerData: { buffer: ring.buffer } }));
  try {
    const done = readers.map(
      (reader) =>
        new Promise<{ last: number; bad: number; taken: number }>((resolve, reject) => {
          reader.once('error', reject);
          reader.on('message', (message) => {
            if (message !== 'ready') resolve(message);
          });
        }),
    );
    await Promise.all(readers.map((reader) => new Promise((resolve) => reader.once('message', resolve))));
    let version = 0;
    for (const size of [10, 21, 1000, 65_536, 3, 1_000_003, 0, 5_000_000, 12, 20_000_000, 20_000_000, 10, 19_999_999, 20_000_000]) {
      for (let again = 0; again < 3; again++) publish(ring, snapshotOf(1, ++version, size));
      t.is(taken(ring).bytes.length, size);
    }
    publish(ring, { ...snapshotOf(1, ++version, 1), freshFor: -1 });
    for (const result of await Promise.all(done)) {
      t.is(result.bad, 0);
      t.is(result.last, version);
      t.true(result.taken > 1);
    }
  } finally {
    await Promise.all(readers.map((reader) => reader.terminate()));
  }
});
