import { Worker } from 'node:worker_threads';
import test from 'ava';
import { claim, createRing, disown, ownerOf, VERSION } from '../../dist/mirror/layout.js';
import { publish, take } from '../../dist/mirror/protocol.js';
import { snapshotOf } from './explorer.js';

const KILLS = Number(process.env['STRESS_KILLS'] ?? 60);

test('writers terminated anywhere, one after the other, harm no reader and no successor', async (t) => {
  t.timeout(120_000 + KILLS * 200);
  const ring = createRing(20_000, { slots: 2 });
  publish(ring, snapshotOf(1, 1, 8));
  const readers = [0, 1].map(() => new Worker(new URL('./threads/taker.js', import.meta.url), { workerData: { buffer: ring.buffer } }));
  let writer: Worker | undefined;
  try {
    const done = readers.map(
      (reader) =>
        new Promise<{ last: number; bad: number; taken: number }>((resolve, reject) => {
          reader.once('error', reject);
          reader.on('message', (message) => message !== 'ready' && resolve(message));
        }),
    );
    let last = 1;
    for (let kill = 0; kill < KILLS; kill++) {
      writer = new Worker(new URL('./threads/publisher.js', import.meta.url), {
        workerData: { buffer: ring.buffer, count: Infinity, bursts: 1e9, maxSize: 1 + Math.floor((20_000 * (kill + 1)) / KILLS) },
      });
      const id = writer.threadId;
      t.true(claim(ring, id));
      const from = last;
      for (const deadline = Date.now() + 60_000; Atomics.load(ring.words, VERSION) < from + 3 && Date.now() < deadline; ) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writer.terminate();
      // Only now is it provably dead.
      disown(ring, id);
      t.is(ownerOf(ring), undefined);
      const answer = take(ring, Infinity);
      if (!('bytes' in answer)) {
        t.fail(`nothing to take after kill ${kill}: ${answer.why}`);
        break;
      }
      t.true(answer.meta.version >= from + 3);
      t.is(answer.meta.version, Atomics.load(ring.words, VERSION));
      last = answer.meta.version;
    }
    publish(ring, { ...snapshotOf(1, last + 1, 1), freshFor: -1 });
    for (const result of await Promise.all(done)) {
      t.is(result.bad, 0);
      t.is(result.last, last + 1);
    }
    t.log(`${KILLS} kills, ${last} publishes`);
  } finally {
    await Promise.all([...readers, ...(writer ? [writer] : [])].map((worker) => worker.terminate()));
  }
});

test('readers terminated in the middle of a read leave nothing behind: the writer and the other readers go on', async (t) => {
  const ring = createRing(20_000, { slots: 2 });
  publish(ring, snapshotOf(1, 1, 20_000));
  const start = (): Promise<Worker> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./threads/taker.js', import.meta.url), { workerData: { buffer: ring.buffer } });
      worker.once('error', reject);
      worker.once('message', () => resolve(worker));
    });
  const survivor = await start();
  t.teardown(() => survivor.terminate());
  const done = new Promise<{ last: number; bad: number }>((resolve) => survivor.once('message', resolve));
  let version = 1;
  for (let kill = 0; kill < 5; kill++) {
    const reader = await start();
    publish(ring, snapshotOf(1, ++version, 20_000));
    const words = [...ring.words];
    await reader.terminate();
    t.deepEqual([...ring.words], words, 'a reader writes nothing into the ring, dead or alive');
    publish(ring, snapshotOf(1, ++version, 20_000));
    const answer = take(ring, Infinity);
    t.is('bytes' in answer && answer.meta.version, version);
  }
  publish(ring, { ...snapshotOf(1, ++version, 1), freshFor: -1 });
  t.deepEqual(await done.then(({ last, bad }) => ({ last, bad })), { last: version, bad: 0 });
});
