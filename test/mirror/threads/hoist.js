// @ts-check
/**
 * A program: a thread spins on a mirror until it sees a publish; prints how each way of reading fared, as JSON.
 * `loop` is what a user may write at worst: nothing in it but the read.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { systemClock } from '../../../dist/core/clock.js';
import { createRing, openRing, VERSION } from '../../../dist/mirror/layout.js';
import { publish } from '../../../dist/mirror/protocol.js';
import { createReader } from '../../../dist/mirror/reader.js';

/** @param {number} version */
const snapshot = (version) => ({
  epoch: 1,
  version,
  createdAt: 0,
  createdAtMonotonic: 0,
  freshFor: 0,
  codec: 'json',
  bytes: Buffer.from(String(version)),
});

if (isMainThread) {
  const results = [];
  for (const way of ['reader', 'reader inlined', 'raw']) {
    const ring = createRing(64);
    publish(ring, snapshot(1));
    const worker = new Worker(new URL(import.meta.url), { workerData: { buffer: ring.buffer, way } });
    await new Promise((resolve) => worker.once('message', resolve));
    // By now the loop runs optimized code (on-stack replacement); each publish must be seen by it.
    let seen = 0;
    for (let version = 2; version <= 6; version++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const answer = new Promise((resolve) => worker.once('message', resolve));
      publish(ring, snapshot(version));
      let timer;
      const late = new Promise((resolve) => (timer = setTimeout(resolve, 20_000, undefined)));
      if ((await Promise.race([answer, late])) === undefined) break;
      clearTimeout(timer);
      seen++;
    }
    await worker.terminate();
    results.push({ way, seen });
  }
  console.log(JSON.stringify(results));
} else {
  const ring = openRing(workerData.buffer);
  const reader = createReader({ key: 'k', maxBytes: 64, freeze: true, clock: systemClock });
  reader.attach(ring);
  const { read } = reader;
  const { words } = ring;
  const loops = {
    reader: () => {
      const old = read();
      parentPort?.postMessage('spinning');
      while (read() === old);
    },
    'reader inlined': () => {
      const old = reader.read();
      parentPort?.postMessage('spinning');
      let turns = 0;
      while (reader.read() === old) turns++;
      return turns;
    },
    raw: () => {
      const old = words[VERSION];
      parentPort?.postMessage('spinning');
      while (words[VERSION] === old);
    },
  };
  const loop = loops[/** @type {keyof typeof loops} */ (workerData.way)];
  for (let turn = 0; turn < 5; turn++) loop();
  parentPort?.postMessage('spinning');
}
