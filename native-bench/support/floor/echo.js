// @ts-check
/** The other thread: answers each value of one ring with one of another ring, by spinning; or each value of one mirror with one of another, when woken. */
import { parentPort, workerData } from 'node:worker_threads';
import { bg } from '../../../dist/index.js';
import { openRing } from '../../../dist/mirror/layout.js';
import { publish } from '../../../dist/mirror/protocol.js';
import { readerOf, snapshotOf } from './node-side.js';

if (workerData.spin) {
  const [there, back] = workerData.rings.map(openRing);
  const read = readerOf(there);
  parentPort?.postMessage('ready');
  for (let seen = 0; ; ) {
    const value = read() ?? 0;
    if (value < 0) break;
    if (value === seen) continue;
    seen = value;
    publish(back, snapshotOf(seen));
  }
} else {
  let value = 0;
  const answer = bg.write(0, { key: 'back', runImmediately: false, loader: () => value });
  bg.read('there').onChange((next) => {
    value = /** @type {number} */ (next);
    void answer.refresh();
  });
  parentPort?.once('message', () => void bg.shutdown());
  parentPort?.postMessage('ready');
}
