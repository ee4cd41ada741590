// @ts-check
/**
 * How far the coarse clock, by which a hit is judged, lags behind the real one: on a machine at rest but for this thread, and with all
 * processors busy. A hit is judged by it only up to 20 ms before its end.
 *
 *     npm run bench -- coarse-clock [--quick]
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { coarseNow, exactNow } from '../dist/core/coarse-clock.js';
import { isQuick, progress, table } from './support/results.js';
import { quantile } from './support/stats.js';

const SECONDS = isQuick ? 0.3 : 10;

/** @returns {number} */
const told = () => /** @type {number} */ (coarseNow[0]);

async function wakeUp() {
  while (Number.isNaN(told())) {
    for (let i = 0; i < 1000; i++) exactNow();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Looks at it all the time, as a loop of hits does. @param {string} name */
async function measure(name) {
  progress(name);
  await wakeUp();
  const lags = [];
  let backward = 0;
  let last = Number.NEGATIVE_INFINITY;
  const end = exactNow() + SECONDS;
  for (let now = exactNow(), looks = 0; now < end; looks++) {
    const read = told();
    if (read < last) backward += 1;
    // Not while it sleeps, when everybody asks the real clock.
    if (!Number.isNaN(read)) last = read;
    if ((looks & 255) !== 0) continue;
    now = exactNow();
    if (!Number.isNaN(read)) lags.push((now - read) * 1000);
  }
  return {
    name,
    p50: quantile(lags, 0.5),
    p99: quantile(lags, 0.99),
    p999: quantile(lags, 0.999),
    max: quantile(lags, 1),
    backward: String(backward),
  };
}

/** What is told after this event loop stood still; `NaN` where the clock fell asleep meanwhile, so that the real one is asked. */
async function afterBlock() {
  await wakeUp();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  return (exactNow() - told()) * 1000;
}

const rows = [await measure('one thread that hits')];
/** @type {number[]} */
const blocked = [];
while (blocked.length < (isQuick ? 2 : 30)) blocked.push(...[await afterBlock()].filter(Number.isFinite));
rows.push({
  name: 'right after a blocked event loop, the first look',
  p50: quantile(blocked, 0.5),
  p99: quantile(blocked, 0.99),
  p999: quantile(blocked, 0.999),
  max: quantile(blocked, 1),
  backward: '0',
});
const busy = Array.from(
  { length: availableParallelism() },
  () => new Worker("require('node:worker_threads').parentPort.postMessage(0); for (;;);", { eval: true }),
);
await Promise.all(busy.map((worker) => once(worker, 'message')));
rows.push(await measure(`one thread that hits, and ${busy.length} others that never pause`));
await Promise.all(busy.map((worker) => worker.terminate()));
table({
  title: 'How far the coarse clock lags',
  columns: [
    { key: 'name', label: 'while there is' },
    { key: 'p50', label: 'p50', unit: 'ms' },
    { key: 'p99', label: 'p99', unit: 'ms' },
    { key: 'p999', label: 'p99.9', unit: 'ms' },
    { key: 'max', label: 'most', unit: 'ms' },
    { key: 'backward', label: 'ran backward' },
  ],
  rows,
  note: 'Target: at most 10 ms. It decides only up to 20 ms before the end of a value; from there on, and while it sleeps, the real clock does.',
});
