// @ts-check
/** Publishes up to version `count`, from where the ring is, in bursts of random length with a breath between them. */
import { workerData } from 'node:worker_threads';
import { openRing, VERSION } from '../../../dist/mirror/layout.js';
import { publish } from '../../../dist/mirror/protocol.js';

const { buffer, count, bursts, maxSize = 8 } = workerData;
const ring = openRing(buffer);
const breath = new Int32Array(new SharedArrayBuffer(4));
for (let version = Atomics.load(ring.words, VERSION) + 1; version <= count; version++) {
  const size = maxSize <= 8 ? 8 : Math.floor(Math.random() * maxSize);
  const bytes = new Uint8Array(size).fill((101 + version * 37 + size) & 0xff);
  publish(ring, { epoch: 1, version, createdAt: 0, createdAtMonotonic: 0, freshFor: 0, codec: 'json', bytes });
  if (Math.random() < 1 / bursts) Atomics.wait(breath, 0, 0, 0.1);
}
