// @ts-check
/** Publishes `count` times, in bursts of random length with a breath between them. */
import { workerData } from 'node:worker_threads';
import { openRing } from '../../../dist/mirror/layout.js';
import { publish } from '../../../dist/mirror/protocol.js';

const { buffer, count, bursts } = workerData;
const ring = openRing(buffer);
const breath = new Int32Array(new SharedArrayBuffer(4));
for (let version = 1; version <= count; version++) {
  publish(ring, { epoch: 1, version, createdAt: 0, createdAtMonotonic: 0, freshFor: 0, codec: 'json', bytes: new Uint8Array(8) });
  if (Math.random() < 1 / bursts) Atomics.wait(breath, 0, 0, 0.1);
}
