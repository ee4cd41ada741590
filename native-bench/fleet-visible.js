// @ts-check
// From the moment before `publish` on one host to the moment a process of another host has the value (scope 'fleet', a Redis of this
// benchmark's own, polls half a minute apart: announcements only). Beside it the floor: SET and PUBLISH by one ioredis client, GET by another.
// node native-bench/fleet-visible.js [--quick]
import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { bg, RedisCache } from '../dist/index.js';

const SELF = fileURLToPath(import.meta.url);
const BINARY = process.env['REDIS_SERVER'] ?? 'redis-server';
const SIZES = /** @type {const} */ ([
  ['1 kB', 1000, 500, 10],
  ['1 MB', 1_000_000, 200, 60],
  ['10 MB', 10_000_000, 20, undefined],
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
const sorted = (/** @type {number[]} */ times) => times.toSorted((a, b) => a - b);
const at = (/** @type {number[]} */ times, /** @type {number} */ share) =>
  /** @type {number} */ (times[Math.min(times.length - 1, Math.floor(share * times.length))]);

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
  return sorted(took);
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
} else if (spawnSync(BINARY, ['--version']).status !== 0) {
  console.log(`skipped: no ${BINARY} here`);
} else {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-visible-'));
  const address = join(folder, 'redis.sock');
  const redis = spawn(BINARY, ['--port', '0', '--unixsocket', address, '--dir', folder, '--save', ''], { stdio: 'ignore' });
  while (!existsSync(address)) await new Promise((resolve) => setTimeout(resolve, 10));
  Object.assign(process.env, { ADVANCED_CACHING_NAMESPACE: 'fleet-visible', ADVANCED_CACHING_DIRECTORY: join(folder, 'a') });
  const env = { ...process.env, ADVANCED_CACHING_DIRECTORY: join(folder, 'b') };
  const children = READERS.map((kind) => fork(SELF, ['follow', address, kind], { env, execArgv: [] }));
  const store = storeOf(address);
  const share = process.argv.includes('--quick') ? 5 : 1;
  /** @type {Record<string, string | number>[]} */
  const rows = [];
  for (const [name, size, count, target] of SIZES) {
    const times = Math.ceil(count / share);
    const raw = await floor(address, size, times);
    rows.push({
      size: name,
      reader: 'SET, PUBLISH, GET alone',
      'p50 ms': at(raw, 0.5).toFixed(2),
      'p99 ms': at(raw, 0.99).toFixed(2),
      '× floor': 1,
    });
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
      child.send(key);
      // The first one there is the one that follows Redis.
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    while (writer.status().state === 'standby') await new Promise((resolve) => setTimeout(resolve, 5));
    for (let round = 0; round < times + 5; round += 1) {
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
      if (round === 4) for (const times of samples) times.length = 0;
    }
    await writer.stop();
    for (const [index, reader] of READERS.entries()) {
      const took = sorted(/** @type {number[]} */ (samples[index]));
      const ratio = (at(took, 0.5) / at(raw, 0.5)).toFixed(1);
      rows.push({ size: name, reader, 'p50 ms': at(took, 0.5).toFixed(2), 'p99 ms': at(took, 0.99).toFixed(2), '× floor': ratio });
      if (target !== undefined) {
        const p99 = at(took, 0.99);
        console.log(`${name}, ${reader}: p99 ${p99.toFixed(2)} ms, target under ${target} ms: ${p99 < target ? 'met' : 'MISSED'}`);
      }
    }
  }
  console.table(rows);
  await bg.shutdown();
  for (const child of children) {
    child.disconnect();
    await once(child, 'exit');
  }
  redis.kill('SIGKILL');
  await once(redis, 'exit');
  rmSync(folder, { recursive: true, force: true });
  process.exit();
}
