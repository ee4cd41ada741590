// @ts-check
/** A process that imports a package, then starts threads, one after the other, that import it too: for how long, and for how much memory. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { memory } from '../mirrors/measures.js';

/** @typedef {{ first: number, thread: number, bytes: number }} Outcome milliseconds in the process and, the median, in a thread; bytes a thread */

const [specifier, threads] = [process.argv[2] ?? '', Number(process.argv[3])];

const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const begun = performance.now();
(workerData ? import(workerData) : Promise.resolve()).then(() => parentPort.postMessage(performance.now() - begun));
setInterval(() => {}, 1e6);`;

const begun = performance.now();
if (specifier) await import(specifier);
const first = performance.now() - begun;
const before = memory();
const workers = [];
const took = [];
for (let i = 0; i < threads; i++) {
  const worker = new Worker(THREAD, { eval: true, workerData: specifier });
  workers.push(worker);
  took.push(Number((await once(worker, 'message'))[0]));
}
const bytes = (memory() - before) / threads;
await Promise.all(workers.map((worker) => worker.terminate()));
/** @type {Outcome} */
const outcome = { first, thread: took.sort((a, b) => a - b)[threads >> 1] ?? 0, bytes };
process.send?.(outcome, () => process.exit());
