import test from 'ava';
import { systemClock } from '../../dist/core/clock.js';
import type { Snapshot } from '../../dist/core/snapshot.js';
import { direct, type SharedAccess } from '../../dist/mirror/access.js';
import { AFTER, CONFIRMED, createRing, type Ring, VERSION } from '../../dist/mirror/layout.js';
import {
  confirm,
  confirmedAfter,
  confirmSteps,
  holdsBytes,
  MAX_AFTER,
  newestConfirmation,
  publish,
  publishSteps,
} from '../../dist/mirror/protocol.js';
import { createReader } from '../../dist/mirror/reader.js';
import { watch } from '../../dist/mirror/watch.js';
import { until } from '../support/process.js';

function snapshot(version: number, text = `"${version}"`, epoch = 1): Snapshot {
  const bytes = Buffer.from(text);
  return { epoch, version, createdAt: 5000, createdAtMonotonic: 1000, freshFor: 100, codec: 'json', bytes };
}

function readerOf(ring: Ring) {
  const reader = createReader<string>({ key: 'k', maxBytes: 1024, freeze: true, clock: systemClock });
  reader.attach(ring);
  return reader;
}

test('a confirmation moves the times of the snapshot that is served, and nothing else', (t) => {
  const ring = createRing(1024);
  const reader = readerOf(ring);
  publish(ring, snapshot(1));
  const value = reader.read();
  t.is(newestConfirmation(ring), undefined);
  confirm(ring, 1250);
  t.is(reader.read(), value);
  t.like(reader.meta(), { version: 1, createdAt: 5250, createdAtMonotonic: 1250 });
  t.deepEqual(newestConfirmation(ring), { epoch: 1, version: 1, createdAt: 5250, createdAtMonotonic: 1250 });
  confirm(ring, 1400);
  t.like(reader.meta(), { createdAt: 5400 });
  t.is(reader.counts().decodes, 1);
  publish(ring, snapshot(2));
  t.is(reader.read(), '2');
  t.like(reader.meta(), { version: 2, createdAt: 5000 }, 'that of the one before says nothing of it');
  t.is(newestConfirmation(ring), undefined);
});

test('a reader that has not seen the newest snapshot keeps its own time', (t) => {
  const ring = createRing(1024);
  const reader = readerOf(ring);
  publish(ring, snapshot(1));
  reader.read();
  publish(ring, snapshot(2));
  confirm(ring, 9000);
  t.like(reader.meta(), { version: 1, createdAt: 5000 });
  reader.read();
  t.like(reader.meta(), { version: 2, createdAt: 13_000 });
});

test('time is never taken back, and is bounded', (t) => {
  const ring = createRing(1024);
  const reader = readerOf(ring);
  publish(ring, snapshot(1));
  reader.read();
  confirm(ring, 2000);
  t.is(reader.meta()?.createdAtMonotonic, 2000);
  confirm(ring, 500);
  t.is(reader.meta()?.createdAtMonotonic, 2000);
  confirm(ring, 1e15);
  t.is(reader.meta()?.createdAtMonotonic, 1000 + MAX_AFTER);
});

test('the same snapshot in another ring counts on from where it was', (t) => {
  const ring = createRing(1024);
  const reader = readerOf(ring);
  publish(ring, snapshot(1));
  reader.read();
  confirm(ring, 1500);
  t.is(reader.meta()?.createdAtMonotonic, 1500);
  const other = createRing(1024);
  publish(other, snapshot(1));
  reader.attach(other);
  t.is(reader.meta()?.createdAtMonotonic, 1500);
  reader.read();
  confirm(other, 1300);
  t.is(reader.meta()?.createdAtMonotonic, 1500);
  confirm(other, 1700);
  t.is(reader.meta()?.createdAtMonotonic, 1700);
});

test('only the same bytes in the same format can be confirmed', (t) => {
  const ring = createRing(1024);
  t.false(holdsBytes(ring, new Uint8Array(0), 'json'), 'nothing is there');
  publish(ring, snapshot(1));
  t.true(holdsBytes(ring, Buffer.from('"1"'), 'json'));
  t.false(holdsBytes(ring, Buffer.from('"2"'), 'json'));
  t.false(holdsBytes(ring, Buffer.from('"1" '), 'json'));
  t.false(holdsBytes(ring, Buffer.from('"1"'), 'v8'));
});

test('a watcher is woken by confirmations', async (t) => {
  const ring = createRing(1024);
  publish(ring, snapshot(1));
  let wakes = 0;
  const off = watch(ring, () => wakes++);
  confirm(ring, 1100);
  await until(() => wakes === 1, { what: 'the first' });
  confirm(ring, 1200);
  await until(() => wakes === 2, { what: 'the second' });
  off();
  t.pass();
});

/**
 * Every schedule of a reader's three loads against the steps of: confirm v1, publish v2, confirm v2. Asked for v1 it may
 * answer what was ever true of v1 (0: not known to be confirmed, or one of its confirmations), and nothing of v2.
 */
function schedules(confirmStepsOf: typeof confirmSteps): { schedules: number; wrong: number } {
  let count = 0;
  let wrong = 0;
  const writer = function* (ring: Ring): Generator<void, void> {
    yield* confirmStepsOf(ring, 1010, direct);
    yield* confirmStepsOf(ring, 1020, direct);
    yield* publishSteps(ring, snapshot(2), direct);
    yield* confirmStepsOf(ring, 1777, direct);
    yield* confirmStepsOf(ring, 1888, direct);
  };
  const steps = (() => {
    const ring = createRing(1024);
    publish(ring, snapshot(1));
    let n = 0;
    for (const generator = writer(ring); !generator.next().done; ) n++;
    return n;
  })();
  for (let a = 0; a <= steps; a++)
    for (let b = a; b <= steps; b++)
      for (let c = b; c <= steps; c++) {
        const ring = createRing(1024);
        publish(ring, snapshot(1));
        const generator = writer(ring);
        let done = 0;
        let load = 0;
        const access: SharedAccess = {
          ...direct,
          load: (words, index) => {
            const upTo = [a, b, c][load++] as number;
            for (; done < upTo; done++) generator.next();
            return direct.load(words, index);
          },
        };
        const after = confirmedAfter(ring.words, 1, access);
        count++;
        if (![0, 10, 20].includes(after)) wrong++;
      }
  return { schedules: count, wrong };
}

test('in every schedule a confirmation belongs to its version', (t) => {
  const { schedules: all, wrong } = schedules(confirmSteps);
  t.log(`${all} schedules`);
  t.true(all > 1000);
  t.is(wrong, 0);
});

test('a writer that does not invalidate CONFIRMED first is caught', (t) => {
  const careless: typeof confirmSteps = function* (ring, at, access) {
    const version = access.load(ring.words, VERSION);
    access.store(ring.words, AFTER, at - 1000);
    yield;
    access.store(ring.words, CONFIRMED, version);
    yield;
  };
  t.true(schedules(careless).wrong > 0);
});
