// @ts-check
/** The same things as floor.cpp does, done by this library. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { bg } from '../../../dist/index.js';
import { systemClock } from '../../../dist/core/clock.js';
import { createRing } from '../../../dist/mirror/layout.js';
import { publish, take } from '../../../dist/mirror/protocol.js';
import { createReader } from '../../../dist/mirror/reader.js';
import { loop } from '../../harness.js';
import { median } from '../stats.js';

const ECHO = new URL('echo.js', import.meta.url);

let version = 0;
/** @param {unknown} value a number, or the bytes themselves */
export function snapshotOf(value) {
  version += 1;
  const bytes = value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value));
  return { epoch: 1, version, createdAt: 0, createdAtMonotonic: 0, freshFor: 1e9, codec: 'json', bytes };
}

/** @param {import('../../../dist/mirror/layout.js').Ring} ring */
export function readerOf(ring) {
  /** @type {import('../../../dist/mirror/reader.js').Reader<number>} */
  const reader = createReader({ key: 'floor', maxBytes: 1e6, freeze: true, clock: systemClock });
  reader.attach(ring);
  return reader.read;
}

/** Nanoseconds a call: the median over blocks. @param {number} milliseconds @param {number} calls @param {(n: number) => unknown} work */
async function cost(milliseconds, calls, work) {
  const blocks = [];
  const end = performance.now() + milliseconds;
  while (blocks.length < 3 || performance.now() < end) {
    const begin = performance.now();
    await work(calls);
    blocks.push(((performance.now() - begin) * 1e6) / calls);
  }
  return median(blocks);
}

/** @param {number} milliseconds @param {readonly number[]} sizes @returns {Promise<Map<string, number>>} */
export async function ourFigures(milliseconds, sizes) {
  /** @type {Map<string, number>} */
  const found = new Map();
  const value = { rate: 1 };
  const writer = bg.write(0, { key: 'floor', ref: false, loader: () => value });
  const read = /** @type {import('advanced-caching').Mirror<typeof value>} */ (bg.read('floor'));
  await read.ready();
  const work = loop('sum += read().rate;', { read });
  await cost(milliseconds, 200_000, work);
  found.set('read 0', await cost(milliseconds, 200_000, work));
  read.close();
  await writer.stop();

  for (const size of sizes) {
    const ring = createRing(size, { slots: 2 });
    const source = new Uint8Array(size).fill(1);
    const target = new Uint8Array(new SharedArrayBuffer(size));
    const calls = Math.max(1, Math.floor(2e6 / size));
    const snapshot = snapshotOf(source);
    const times = (/** @type {() => unknown} */ one) => (/** @type {number} */ n) => {
      for (let i = 0; i < n; i++) one();
    };
    for (const [what, one] of /** @type {const} */ ([
      ['copy', () => target.set(source)],
      ['checksum', () => crc32(source)],
      ['publish', () => publish(ring, snapshot)],
      ['take', () => take(ring, size)],
    ])) {
      await cost(milliseconds / 2, calls, times(one));
      found.set(`${what} ${size}`, await cost(milliseconds, calls, times(one)));
    }
  }
  found.set('visible, spinning 0', await spinning(milliseconds));
  found.set('visible, woken 0', await woken(milliseconds));
  return found;
}

/** @param {number} milliseconds */
async function spinning(milliseconds) {
  const rings = [createRing(64), createRing(64)];
  const [there, back] = /** @type {[typeof rings[0], typeof rings[0]]} */ (rings);
  const other = new Worker(ECHO, { workerData: { spin: true, rings: rings.map(({ buffer }) => buffer) } });
  await once(other, 'message');
  const read = readerOf(back);
  let sent = 0;
  const trip = await cost(milliseconds * 2, 5, (n) => {
    for (let i = 0; i < n; i++) {
      publish(there, snapshotOf(++sent));
      while (read() !== sent);
    }
  });
  publish(there, snapshotOf(-1));
  await once(other, 'exit');
  return trip / 2;
}

/** @param {number} milliseconds */
async function woken(milliseconds) {
  let sent = 0;
  const writer = bg.write(0, { key: 'there', runImmediately: false, ref: false, loader: () => sent });
  const other = new Worker(ECHO, { workerData: { spin: false } });
  await once(other, 'message');
  const mirror = bg.read('back');
  let wake = () => {};
  mirror.onChange(() => wake());
  const trip = await cost(milliseconds, 5, async (n) => {
    for (let i = 0; i < n; i++) {
      const answered = new Promise((resolve) => {
        wake = () => resolve(undefined);
      });
      sent += 1;
      await writer.refresh();
      // A wake-up alone keeps no thread alive.
      const timer = setTimeout(() => {}, 10_000);
      await answered;
      clearTimeout(timer);
    }
  });
  mirror.close();
  await writer.stop();
  other.postMessage('stop');
  await once(other, 'exit');
  return trip / 2;
}
