import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { createRing, VERSION } from '../../dist/mirror/layout.js';
import { publish } from '../../dist/mirror/protocol.js';
import { watch } from '../../dist/mirror/watch.js';
import { snapshotOf } from './explorer.js';

const program = fileURLToPath(new URL('./threads/watch-exit.js', import.meta.url));

/** Polls; the interval keeps the loop alive, which a waiter alone doesn't. */
async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 60_000; !condition(); ) {
    if (Date.now() > deadline) throw new Error('waited for a minute');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test.serial('wake-ups are coalesced, and there is one after the last publish', async (t) => {
  const ring = createRing(64);
  let wakes = 0;
  const off = watch(ring, () => wakes++);
  for (let version = 1; version <= 1000; version++) publish(ring, snapshotOf(1, version, 8));
  await until(() => wakes > 0);
  t.true(wakes < 10);
  const before = wakes;
  publish(ring, snapshotOf(1, 1001, 8));
  await until(() => wakes > before);
  off();
  publish(ring, snapshotOf(1, 1002, 8));
  const after = wakes;
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.is(wakes, after);
  off();
});

test.serial('off leaves no waiter, and disturbs no other watch', async (t) => {
  const ring = createRing(64);
  let wakes = 0;
  const keep = watch(ring, () => wakes++);
  for (let i = 0; i < 1000; i++) watch(ring, () => t.fail())();
  await until(() => Atomics.notify(ring.words, VERSION) <= 1);
  t.is(wakes, 0);
  publish(ring, snapshotOf(1, 1, 8));
  await until(() => wakes === 1);
  keep();
  await until(() => Atomics.notify(ring.words, VERSION) === 0);
});

test.serial('a listener that throws is reported, and woken again', async (t) => {
  const ring = createRing(64);
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  let wakes = 0;
  const off = watch(ring, () => {
    wakes++;
    throw new Error('from a listener');
  });
  publish(ring, snapshotOf(1, 1, 8));
  await until(() => wakes === 1);
  t.regex((await warned).message, /from a listener/);
  publish(ring, snapshotOf(1, 2, 8));
  await until(() => wakes === 2);
  off();
});

test.serial('no wake-up is lost under 10,000 publishes of another thread', async (t) => {
  const ring = createRing(64);
  let seen = 0;
  let wakes = 0;
  const off = watch(ring, () => {
    wakes++;
    seen = Atomics.load(ring.words, VERSION);
  });
  const worker = new Worker(new URL('./threads/publisher.js', import.meta.url), {
    workerData: { buffer: ring.buffer, count: 10_000, bursts: 200 },
  });
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  t.is(Atomics.load(ring.words, VERSION), 10_000);
  await until(() => seen === 10_000);
  t.true(wakes <= 10_000);
  t.log(`${wakes} wake-ups`);
  off();
});

test.serial('a writer that is faster than the listener does not starve the event loop', async (t) => {
  const ring = createRing(64);
  const off = watch(ring, () => {
    // Each listener's turn sees another publish before the next wait.
    const from = Atomics.load(ring.words, VERSION);
    for (const deadline = Date.now() + 10_000; Atomics.load(ring.words, VERSION) === from && Date.now() < deadline; );
  });
  const worker = new Worker(new URL('./threads/publisher.js', import.meta.url), {
    workerData: { buffer: ring.buffer, count: Infinity, bursts: Infinity },
  });
  try {
    await until(() => Atomics.load(ring.words, VERSION) > 1000);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    t.pass();
  } finally {
    off();
    await worker.terminate();
  }
});

for (const how of ['watching', 'woken', 'off', 'terminated']) {
  test.serial(`a process ends by itself: ${how}`, async (t) => {
    const { stdout } = await promisify(execFile)(process.execPath, [program, how], { timeout: 60_000 });
    t.is(stdout, 'end\n');
  });
}
