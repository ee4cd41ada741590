// @ts-check
/** A process that watches a ring and must end by itself. Run as a program, not as a thread. */
import { isMainThread, Worker } from 'node:worker_threads';
import { createRing } from '../../../dist/mirror/layout.js';
import { publish } from '../../../dist/mirror/protocol.js';
import { watch } from '../../../dist/mirror/watch.js';

const how = process.argv[2];
const ring = createRing(64);
const off = watch(ring, () => {});
if (isMainThread) {
  process.on('exit', () => console.log('end'));
  if (how === 'woken')
    publish(ring, { epoch: 1, version: 1, createdAt: 0, createdAtMonotonic: 0, freshFor: 0, codec: 'json', bytes: new Uint8Array(8) });
  if (how === 'off') off();
  if (how === 'terminated') {
    // A thread that is kept alive, and ended while its waiter is pending.
    const worker = new Worker(new URL(import.meta.url), { argv: ['thread'] });
    worker.once('message', () => void worker.terminate());
  }
} else {
  const { parentPort } = await import('node:worker_threads');
  setInterval(() => {}, 1000);
  parentPort?.postMessage('watching');
}
