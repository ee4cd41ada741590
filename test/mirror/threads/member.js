// @ts-check
/**
 * A thread of the directory tests. Obeys messages: { seek, key }, { find, key }, { write, key, value }, { withdraw },
 * { block }, { nest }, { close }; answers { ready }, { value, key }, { found }, { wrote }, { nested: … }. As a Piscina
 * task (default export) it answers the first value of a key.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { systemClock } from '../../../dist/core/clock.js';
import { announceRing, closeDirectory, findRing, seekRing, withdrawRing } from '../../../dist/mirror/directory.js';
import { createRing } from '../../../dist/mirror/layout.js';
import { publish } from '../../../dist/mirror/protocol.js';
import { createReader } from '../../../dist/mirror/reader.js';

/** @param {string} key @param {(value: unknown) => void} onValue */
function follow(key, onValue) {
  const reader = createReader({ key, maxBytes: 1024, freeze: true, clock: systemClock });
  const off = seekRing(key, (ring) => {
    reader.attach(ring);
    onValue(reader.read());
  });
  return { reader, off };
}

/** @param {string} key @param {unknown} value @param {number} version */
export function write(key, value, version = 1) {
  const ring = createRing(1024);
  const bytes = Buffer.from(JSON.stringify(value));
  publish(ring, { epoch: 1, version, createdAt: 0, createdAtMonotonic: 0, freshFor: Infinity, codec: 'json', bytes });
  announceRing(key, ring);
  return ring;
}

/** @param {{ key: string }} task */
export default async function firstValue({ key }) {
  // A directory never keeps a thread alive; a task that waits does.
  const alive = setInterval(() => {}, 1000);
  try {
    return await new Promise((resolve) => {
      const { off } = follow(key, (value) => {
        resolve(value);
        queueMicrotask(() => off());
      });
    });
  } finally {
    clearInterval(alive);
  }
}

/** Answers of nested threads go up as they are. */
function nest() {
  const worker = new Worker(new URL(import.meta.url), { workerData: { member: true } });
  worker.on('message', (message) => parentPort?.postMessage({ nested: message }));
  parentPort?.on('message', ({ nested }) => nested && worker.postMessage(nested));
}

if (workerData?.member) {
  /** @type {Map<string, import('../../../dist/mirror/layout.js').Ring>} */
  const mine = new Map();
  parentPort?.on('message', (message) => {
    const { key } = message;
    if (message.block) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.block);
    if (message.find) parentPort?.postMessage({ found: findRing(key)?.instance ?? null, key });
    if (message.seek) follow(key, (value) => parentPort?.postMessage({ value, key }));
    if (message.write) {
      mine.set(key, write(key, message.value, message.version));
      parentPort?.postMessage({ wrote: key });
    }
    if (message.withdraw) {
      const ring = mine.get(key);
      if (ring) withdrawRing(key, ring);
      parentPort?.postMessage({ withdrew: key });
    }
    if (message.nest) nest();
    if (message.close) {
      closeDirectory();
      parentPort?.close();
    }
  });
  parentPort?.postMessage({ ready: true });
}
