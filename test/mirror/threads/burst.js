// @ts-check
/** Reads JSON through a reader as fast as it can, until it has the last version; answers what it saw. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../dist/core/clock.js';
import { openRing } from '../../../dist/mirror/layout.js';
import { createReader } from '../../../dist/mirror/reader.js';

const { buffer, last } = workerData;
/** @type {import('../../../dist/mirror/reader.js').Reader<{ version: number, square: number, rows: number[] }>} */
const reader = createReader({
  key: 'burst',
  maxBytes: 1 << 20,
  freeze: true,
  clock: systemClock,
  onError: (error) => wrong.push(error.message),
});
/** @type {string[]} */
const wrong = [];
reader.attach(openRing(buffer));
let versions = 0;
let before = 0;
/** @type {unknown} */
let same;
parentPort?.postMessage('ready');
while (before < last) {
  const value = reader.read();
  if (value === undefined) continue;
  const { version, square, rows } = value;
  if (value !== same) versions++;
  else if (version !== before) wrong.push('one object, two versions');
  if (square !== version * version || rows.length !== version % 50 || rows.some((row) => row !== version)) wrong.push(`torn at ${version}`);
  if (version < before) wrong.push(`${version} after ${before}`);
  if (reader.meta()?.version !== version) wrong.push(`meta ${reader.meta()?.version} for ${version}`);
  if (!Object.isFrozen(rows)) wrong.push('not frozen');
  before = version;
  same = value;
}
const { reads, decodes, refused } = reader.counts();
parentPort?.postMessage({ wrong: wrong.slice(0, 5), versions, before, reads, decodes, refused });
