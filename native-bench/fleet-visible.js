// @ts-check
// From the moment before `publish` on one host to the moment a process of another host has the value (scope 'fleet', a Redis of this
// benchmark's own, polls half a minute apart: announcements only). Beside it the floor: SET and PUBLISH by one ioredis client, GET by another.
// node native-bench/fleet-visible.js [--quick]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { bg, RedisCache } from '../dist/index.js';
import { noRedis, startRedis } from './support/redis-server.js';
import { isQuick, skipped, table } from './support/results.js';
import { quantile } from './support/stats.js';

const SELF = fileURLToPath(import.meta.url);
// The last column: rounds that aren't counted, in which five processes compile what they run.
const SIZES = /** @type {const} */ ([
  ['1 kB', 1000, 500, 10, 200],
  ['1 MB', 1_000_000, 200, 60, 20],
  ['10 MB', 10_000_000, 20, undefined, 5],
]);
/** The processes of the other host: the first one there follows Redis, the others get the value from it. */
const READERS = /** @type {const} */ (['the one that follows Redis', 'another, with a store', 'another, without']);

/** The clock that all processes of a host share, in milliseconds. */
function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Bytes with the time in front: nothing is copied or decoded by the serializer, so that what is measured is the way. */
const stamped = {
  name: '',
  dumps: (/** @type {unknown} */ value) => {
    const bytes = /** @type {Uint8Array} */ (value);
    new DataView(bytes.buffer).setFloat64(0, now());
    return bytes;
  },
  loads: (/** @type {Uint8Array} */ bytes) => new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0),
};

const storeOf = (/** @type {string} */ address) => new RedisCache(new Redis(address), { prefix: 'bench:', serializer: stamped });
/** SET and PUBLISH at one end, GET at the other, in milliseconds. @param {string} address @param {number} size @param {number} times */
async function floor(address, size, times) {
  const [writer, subscriber, reader] = [new Redis(address), new Redis(address), new Redis(address)];
  await subscriber.subscribe('floor');
  const bytes = Buffer.alloc(size, 7);
  /** @type {number[]} */
  const took = [];
  for (let round = 0; round < times; round += 1) {
    const heard = once(subscriber, 'message').then(() => reader.getBuffer('floor'));
    const began = now();
    await Promise.all([writer.set('floor', bytes), writer.publish('floor', '1'), heard]);
    took.push(now() - began);
  }
  for (const client of [writer, subscriber, reader]) client.disconnect();
  return took;
}

if (process.send && process.argv[2] === 'follow') {
  const [, , , address = '', kind] = process.argv;
  /** @type {Map<string, import('../dist/index.js').Mirror<number>>} */
  const mirrors = new Map();
  process.on('message', (/** @type {string} */ key) => {
    const how = kind === 'another, without' ? { serializer: stamped } : { store: storeOf(address), interval: 30 };
    const mirror = /** @type {import('../dist/index.js').Mirror<number>} */ (bg.read(key, { ...how, freeze: false }));
    mirrors.set(key, mirror);
    const tell = () => void process.send?.({ key, took: now() - (mirror() ?? 0), version: mirror.version }, () => {});
    mirror.onChange(tell);
    mirror.ready().then(tell, () => {});
  });
  process.on('disconnect', () => process.exit());
} else if (noRedis) skipped('fleet-visible', noRedis);
else {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-visible-'));
  const redis = await startRedis();
  const address = redis.socket;
  Object.assign(process.env, { ADVANCED_CACHING_NAMESPACE: 'fleet-visible', ADVANCED_CACHING_DIRECTORY: join(folder, 'a') });
  const env = { ...process.env, ADVANCED_CACHING_DIRECTORY: join(folder, 'b') };
  const children = READERS.map((kind) => fork(SELF, ['follow', address, kind], { env, execArgv: [] }));
  const store = storeOf(address);
  /** @type {import('./support/results.js').Row[]} */
  const rows = [];
  for (const [name, size, count, target, uncounted] of SIZES) {
    const times = Math.ceil(count / (isQuick ? 20 : 1));
    const warmUp = isQuick ? 5 : uncounted;
    const raw = (await floor(address, size, times + warmUp)).slice(warmUp);
    rows.push({ size: name, reader: 'SET, PUBLISH, GET alone', p50: quantile(raw, 0.5), p99: quantile(raw, 0.99), ratio: 1 });
    const key = `value of ${name}`;
    const bytes = new Uint8Array(size).fill(7);
    const writer = bg.write(0, { key, scope: 'fleet', store, runImmediately: false, ref: false }, () => bytes);
    /** @type {number[][]} */
    const samples = READERS.map(() => []);
    const has = READERS.map(() => 0);
    let wake = () => {};
    for (const [index, child] of children.entries()) {
      child.on('message', (/** @type {any} */ message) => {
        if (message.key !== key) return;
        has[index] = message.version;
        samples[index]?.push(message.took);
        wake();
      });
    }
    while (writer.status().state === 'standby') await new Promise((resolve) => setTimeout(resolve, 5));
    await writer.refresh();
    for (const [index, child] of children.entries()) {
      child.send(key);
      // The first one there is the one that follows Redis.
      while (has[index] === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let round = 0; round < times + warmUp; round += 1) {
      await writer.refresh();
      const { version } = writer.status();
      const end = now() + 20_000;
      while (has.some((seen) => seen < version)) {
        if (now() > end) throw new Error(`${key}: version ${version} was not seen by all within 20 s`);
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, 1000);
          wake = () => {
            clearTimeout(timer);
            resolve(undefined);
          };
        });
      }
      if (round === warmUp - 1) for (const times of samples) times.length = 0;
    }
    await writer.stop();
    for (const [index, reader] of READERS.entries()) {
      const took = /** @type {number[]} */ (samples[index]);
      const [p50, p99] = [quantile(took, 0.5), quantile(took, 0.99)];
      rows.push({ size: name, reader, p50, p99, ratio: p50 / quantile(raw, 0.5), ...(target ? { target } : {}), ours: 1 });
    }
  }
  table({
    title: 'From a publish to a process of another host',
    columns: [
      { key: 'size', label: 'value' },
      { key: 'reader', label: 'seen by' },
      { key: 'p50', label: 'p50', unit: 'ms' },
      { key: 'p99', label: 'p99', unit: 'ms' },
      { key: 'target', label: 'target of p99', unit: 'ms' },
      { key: 'ratio', label: '× SET, PUBLISH, GET' },
    ],
    rows,
  });
  await bg.shutdown();
  for (const child of children) {
    child.disconnect();
    await once(child, 'exit');
  }
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
  process.exit();
}
