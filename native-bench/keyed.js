// @ts-check
/**
 * Keyed mirrors against a private `Map`, whole-value mirrors, lmdb (where it is installed: `npm install --no-save lmdb@3.5.6`) and Redis.
 *
 *     npm run bench -- keyed [--quick] [--records=1000000]
 *
 * Lookups run in turns, block by block, of keys at random; the medians of the blocks are printed, and of their ratios. What threads cost is
 * measured in a process for each number of them: a writer in the dedicated thread, and readers that look keys up all the time.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { bg, serializers } from 'advanced-caching';
import { KeyedBuilder } from '../dist/keyed/builder.js';
import { Memory } from '../dist/keyed/memory.js';
import { keyOf, recordOf } from './support/keyed-records.js';

const SELF = fileURLToPath(import.meta.url);
const quick = process.argv.includes('--quick');
const wanted = process.argv.find((word) => word.startsWith('--records='))?.slice(10);
const SIZES = wanted ? [Number(wanted)] : quick ? [1000] : [1000, 100_000, 1_000_000];
const BLOCK = quick ? 200 : 2000;
const BLOCKS = quick ? 3 : 151;
/** More than any memo keeps, and so many that they don't all stay in the processor's cache. */
const KEYS = 1 << 17;
const MAX_BYTES = 600_000_000;

/** @param {number[]} numbers */
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/** @param {string} name @param {string} text */
const print = (name, text) => console.log(`  ${name.padEnd(44)} ${text}`);

/**
 * A loop of its own for each subject.
 *
 * @param {{ get(key: string): unknown }} subject
 * @returns {(keys: readonly string[], from: number) => number}
 */
const loopOf = (subject) =>
  /** @type {never} */ (
    new Function(
      'subject',
      'block',
      'return (keys, from) => { let sum = 0; for (let i = from; i < from + block; i++) sum += subject.get(keys[i % keys.length]).id; return sum; };',
    )(subject, BLOCK)
  );

/** Nanoseconds a lookup, of each subject in turns. @param {Record<string, { get(key: string): unknown }>} subjects @param {readonly string[]} keys */
function compare(subjects, keys) {
  const loops = Object.entries(subjects).map(([name, subject]) => ({ name, loop: loopOf(subject), times: /** @type {number[]} */ ([]) }));
  let from = 0;
  let sum = 0;
  for (let round = -10; round < BLOCKS; round++) {
    for (const { loop, times } of loops) {
      const begun = process.hrtime.bigint();
      sum += loop(keys, from);
      if (round >= 0) times.push(Number(process.hrtime.bigint() - begun) / BLOCK);
    }
    from += BLOCK;
  }
  if (Number.isNaN(sum)) throw new Error('A lookup found nothing');
  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(loops.map((one) => [one.name, one.times]));
  return times;
}

/** The median of the blocks' ratios. @param {number[] | undefined} a @param {number[] | undefined} b */
const ratio = (a = [], b = []) => median(a.map((time, block) => time / (b[block] ?? NaN)));

/** @param {number} count */
async function lookups(count) {
  const map = new Map(Array.from({ length: count }, (_, i) => [keyOf(i), recordOf(i)]));
  const writer = bg.write(3600, { key: 'keyed', keyed: true, ref: false, maxBytes: MAX_BYTES }, () => map);
  await writer.ready(600);
  const whole = bg.write(3600, { key: 'whole', ref: false, maxBytes: MAX_BYTES, serializer: 'v8' }, () => map);
  await whole.ready(600);
  const keyed = bg.read.keyed('keyed');
  const none = bg.read.keyed('keyed', { memo: { maxEntries: 0 } });
  const value = bg.read('whole', { freeze: false });
  const begun = performance.now();
  const copy = /** @type {Map<string, unknown>} */ (value());
  print('whole-value mirror: the first read decodes', `${(performance.now() - begun).toFixed(0)} ms`);
  const { bytes, indexLoad } = keyed.status();
  print('snapshot', `${(bytes / 1e6).toFixed(1)} MB, index ${(indexLoad * 100).toFixed(0)} % full`);

  const random = Array.from({ length: KEYS }, () => keyOf(Math.floor(Math.random() * count)));
  const hot = random.slice(0, Math.min(count, 2000));
  for (let round = 0; round < 3; round++) for (const key of hot) keyed.get(key);
  const known = compare({ map, copy, keyed }, hot);
  print('memoised: Map.get, a private copy', `${median(known['map'] ?? []).toFixed(0)} ns`);
  print('memoised: whole-value mirror', `${median(known['copy'] ?? []).toFixed(0)} ns`);
  print(
    'memoised: keyed',
    `${median(known['keyed'] ?? []).toFixed(0)} ns, ${ratio(known['keyed'], known['map']).toFixed(2)} × Map.get (at most 3)`,
  );

  const db = await openLmdb(map);
  const times = compare({ map, keyed, none, ...(db ? { lmdb: db.store } : {}) }, random);
  print('at random: Map.get', `${median(times['map'] ?? []).toFixed(0)} ns`);
  print('at random: keyed, its memo as it is', `${median(times['keyed'] ?? []).toFixed(0)} ns`);
  print('at random: keyed, nothing memoised', `${median(times['none'] ?? []).toFixed(0)} ns`);
  if (db) {
    print('at random: lmdb', `${median(times['lmdb'] ?? []).toFixed(0)} ns`);
    print('lmdb / keyed, nothing memoised', `${ratio(times['lmdb'], times['none']).toFixed(2)} (at least 1.5)`);
    print('lmdb / keyed, its memo as it is', ratio(times['lmdb'], times['keyed']).toFixed(2));
    await db.close();
  } else {
    print('lmdb', 'not installed');
  }
  await redis(map, random);
}

/** @param {Map<string, unknown>} map */
async function openLmdb(map) {
  /** @type {any} */
  let lmdb;
  try {
    lmdb = await import(String('lmdb'));
  } catch {
    return undefined;
  }
  const path = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'advanced-caching-bench-'));
  const store = lmdb.open({ path, mapSize: 4e9, noSync: true });
  await store.transaction(() => {
    for (const [key, value] of map) store.put(key, value);
  });
  const close = async () => {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  };
  return { store: /** @type {{ get(key: string): unknown }} */ (store), close };
}

/** @param {Map<string, unknown>} map @param {readonly string[]} keys */
async function redis(map, keys) {
  const binary = process.env['REDIS_SERVER'] ?? 'redis-server';
  if (spawnSync(binary, ['--version']).status !== 0) return print('Redis HGET', 'no redis-server here');
  const { Redis } = await import('ioredis');
  const folder = mkdtempSync(join(tmpdir(), 'advanced-caching-bench-'));
  const socket = join(folder, 'redis.sock');
  const server = spawn(binary, ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  });
  const client = new Redis(socket, { retryStrategy: () => 20 });
  client.on('error', () => {});
  let some = /** @type {string[]} */ ([]);
  for (const [key, value] of map) {
    some.push(key, JSON.stringify(value));
    if (some.length < 20_000) continue;
    await client.hset('records', ...some);
    some = [];
  }
  if (some.length > 0) await client.hset('records', ...some);
  const times = [];
  for (let i = 0; i < (quick ? 100 : 5000); i++) {
    const begun = performance.now();
    JSON.parse((await client.hget('records', String(keys[i]))) ?? '');
    times.push((performance.now() - begun) * 1000);
  }
  print('Redis HGET, over a unix socket', `${median(times).toFixed(0)} µs`);
  await client.quit();
  server.kill();
  await once(server, 'exit');
  rmSync(folder, { recursive: true, force: true });
}

/** @param {number} count */
function building(count) {
  const records = Array.from({ length: count }, (_, i) => /** @type {const} */ ([keyOf(i), recordOf(i)]));
  const memory = new Memory(MAX_BYTES);
  /** @type {import('../dist/keyed/changes.js').Earlier | undefined} */
  let earlier;
  const serialize = /** @type {number[]} */ ([]);
  const build = [];
  for (let round = 0; round < (quick ? 2 : 7); round++) {
    let begun = performance.now();
    let bytes = 0;
    for (const [, value] of records) bytes += serializers.json.dumps(value).byteLength;
    serialize.push(performance.now() - begun);
    begun = performance.now();
    const builder = new KeyedBuilder({ serializer: serializers.json, maxBytes: MAX_BYTES, earlier, memory });
    for (const [key, value] of records) builder.add(key, value);
    const { packed } = builder.finish();
    build.push(performance.now() - begun);
    if (bytes > packed.words.length * 4) throw new Error('Not all was built');
    // What the next one is compared with, as if it were published.
    const words = packed.words.slice();
    earlier = { epoch: 1, version: round + 1, packed: { ...packed, words, index: words } };
  }
  const ratios = build.map((time, round) => time / (serialize[round] ?? NaN));
  print('serializing all values', `${median(serialize).toFixed(1)} ms`);
  print(
    'building the snapshot',
    `${median(build).toFixed(1)} ms: ${ratio(build, serialize).toFixed(2)} × (at most 2), the first ${ratios[0]?.toFixed(2)} ×`,
  );
}

/** A process with a writer in the dedicated thread and so many readers. @param {number} count @param {number} readers @param {boolean} keyed */
async function threads(count, readers, keyed) {
  const key = 'cities';
  const loader = new URL(`./support/keyed-records.js${keyed ? '' : '#whole'}`, import.meta.url);
  const options = { key, loader, maxBytes: MAX_BYTES };
  const writer = /** @type {import('advanced-caching').Writer<unknown>} */ (
    keyed ? bg.write(0, { ...options, keyed: true }) : bg.write(0, options)
  );
  await writer.refresh();
  await writer.refresh();
  const workers = Array.from({ length: readers }, () => new Worker(SELF, { workerData: { key, count, keyed } }));
  /** @param {string} what @returns {Promise<any[]>} */
  const all = (what) =>
    Promise.all(
      workers.map(async (worker) => {
        worker.postMessage(what);
        const [answer] = await once(worker, 'message');
        return answer;
      }),
    );
  const ready = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
  await all('begin');
  await new Promise((resolve) => setTimeout(resolve, 500));
  const quiet = await all('report');
  for (let round = 0; round < (quick ? 1 : 4); round++) await writer.refresh();
  const busy = await all('report');
  const rss = process.memoryUsage().rss / 1e6;
  const most = (/** @type {any[]} */ reports, /** @type {string} */ field) => Math.max(...reports.map((report) => report[field]));
  console.log(
    JSON.stringify({
      attach: most(ready, 'attach'),
      rss,
      refresh: writer.status().lastDuration,
      quietGap: most(quiet, 'gap'),
      gap: most(busy, 'gap'),
      burst: most(busy, 'burst'),
      versions: most(busy, 'version'),
    }),
  );
  await Promise.all(workers.map((worker) => worker.terminate()));
  await bg.shutdown();
}

/** A reader: looks keys up for a fifth of a millisecond of each, and notes for how long its event loop stood still. */
async function readThread() {
  const { key, count, keyed } = workerData;
  const begun = performance.now();
  /** @type {{ get(key: string): unknown, version: number }} */
  let source;
  if (keyed) {
    source = bg.read.keyed(key);
  } else {
    /** @type {import('advanced-caching').Mirror<Record<string, unknown>>} */
    const mirror = bg.read(key, { freeze: false });
    source = {
      get: (wanted) => mirror()?.[wanted],
      get version() {
        return mirror.version;
      },
    };
  }
  if (source.get(keyOf(0)) === undefined) throw new Error('The record is not there');
  const attach = performance.now() - begun;
  let last = performance.now();
  let gap = 0;
  let burst = 0;
  const look = () => {
    const now = performance.now();
    gap = Math.max(gap, now - last - 1);
    const end = now + 0.2;
    while (performance.now() < end) for (let i = 0; i < 8; i++) source.get(keyOf(Math.floor(Math.random() * count)));
    const after = performance.now();
    burst = Math.max(burst, after - now - 0.2);
    last = performance.now();
  };
  parentPort?.on('message', (what) => {
    if (what === 'begin') setInterval(look, 1);
    parentPort?.postMessage({ gap, burst, version: source.version });
    last = performance.now();
    gap = burst = 0;
  });
  parentPort?.postMessage({ attach });
}

/** @param {string[]} args @returns {any} */
function inProcess(...args) {
  const env = { ...process.env, BENCH_RECORDS: args[1] };
  const flags = quick ? ['--quick'] : [];
  const { stdout, status } = spawnSync(process.execPath, ['--max-old-space-size=6000', SELF, ...args, ...flags], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`keyed.js ${args.join(' ')} ended with ${status}`);
  return JSON.parse(stdout);
}

function main() {
  for (const count of SIZES) {
    console.log(`${count.toLocaleString('en')} records`);
    for (const part of ['lookups', 'building']) {
      const args = ['--max-old-space-size=6000', SELF, part, String(count), ...(quick ? ['--quick'] : [])];
      const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
      if (status !== 0) throw new Error(`keyed.js ${part} ended with ${status}`);
    }
    const one = inProcess('threads', String(count), '1', 'keyed');
    const whole = inProcess('threads', String(count), '1', 'whole');
    print('attaching, in a thread', `${one.attach.toFixed(1)} ms (under 50); whole-value mirror ${whole.attach.toFixed(0)} ms`);
    print(
      'a refresh, with a stream of records',
      `${(one.refresh * 1000).toFixed(0)} ms; whole-value ${(whole.refresh * 1000).toFixed(0)} ms`,
    );
    print(
      'longest stall of a reader during refreshes',
      `${one.gap.toFixed(1)} ms (under 5), in a burst of lookups ${one.burst.toFixed(1)} ms, without refreshes ${one.quietGap.toFixed(1)} ms; whole-value ${whole.gap.toFixed(0)} ms`,
    );
    for (const readers of quick ? [4] : [4, 8]) {
      const many = inProcess('threads', String(count), String(readers), 'keyed');
      print(
        `${readers} reading threads`,
        `${many.rss.toFixed(0)} MB, with one ${one.rss.toFixed(0)} MB: ${(many.rss / one.rss).toFixed(2)} × (8: at most 1.3); stall ${many.gap.toFixed(1)} ms, ${many.quietGap.toFixed(1)} ms without refreshes`,
      );
    }
    print('the same with a whole-value mirror, one thread', `${whole.rss.toFixed(0)} MB`);
  }
}

if (!isMainThread) {
  await readThread();
} else {
  const [part, count = '', readers = '', kind] = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  if (part === 'lookups') {
    await lookups(Number(count));
    await bg.shutdown();
  } else if (part === 'building') building(Number(count));
  else if (part === 'threads') await threads(Number(count), Number(readers), kind === 'keyed');
  else main();
}
