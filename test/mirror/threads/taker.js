// @ts-check
/** Takes as fast as it can and checks that all bytes are those of one `snapshotOf`; ends at a snapshot with freshFor -1. */
import { parentPort, workerData } from 'node:worker_threads';
import { openRing } from '../../../dist/mirror/layout.js';
import { take } from '../../../dist/mirror/protocol.js';

const ring = openRing(workerData.buffer);
let bad = 0;
let count = 0;
let last = 0;
parentPort?.postMessage('ready');
for (;;) {
  const answer = take(ring, Infinity);
  if (!('bytes' in answer)) {
    if (answer.why === 'corrupt' || answer.why === 'too-large') bad++;
    continue;
  }
  const { bytes, meta } = answer;
  count++;
  if (meta.version < last) bad++;
  last = meta.version;
  const fill = (meta.epoch * 101 + meta.version * 37 + bytes.length) & 0xff;
  if (bytes.length > 0 && (bytes[0] !== fill || Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) !== 0)) bad++;
  if (meta.freshFor === -1) break;
}
parentPort?.postMessage({ last, bad, taken: count });
