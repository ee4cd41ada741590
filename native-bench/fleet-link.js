// @ts-check
// From the moment before `publish` in the writer's process to the moment a reader in another process has the bytes, through a real
// redis-server of its own over TCP on localhost, told by announcements (polls are 30 s apart); what handing the writer's role over takes;
// and what 1,000 polls cost Redis.
//
//     npm run bench -- fleet-link [--quick]
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RedisCache } from 'advanced-caching';
import { Redis } from 'ioredis';
import { monotonic } from '../dist/core/clock.js';
import { followRedis } from '../dist/link/redis/follow.js';
import { leadRedis } from '../dist/link/redis/lead.js';
import { noRedis } from './support/redis-server.js';
import { isQuick, skipped, table } from './support/results.js';
import { quantile } from './support/stats.js';

const SELF = fileURLToPath(import.meta.url);
const SIZES = /** @type {const} */ ([
  ['1 kB', 1000, 2000, 10],
  ['1 MB', 1_000_000, 300, 60],
  ['10 MB', 10_000_000, 40, Infinity],
]);
const POLL = 30_000;

/** @type {import('./support/results.js').Row[]} */
const rows = [];

/** @param {number} port */
const connect = (port) =>
  new RedisCache(
    new Redis(port, '127.0.0.1').on('error', () => {}),
    { prefix: 'bench:' },
  );

/** @param {RedisCache} store @param {string} key */
async function lead(store, key) {
  /** @type {(grant: import('../dist/link/ports.js').Grant) => void} */
  let onGranted = () => {};
  const granted = new Promise((resolve) => (onGranted = resolve));
  const candidate = leadRedis({ store, key, pollInterval: POLL, onSnapshot: () => {}, onGranted: (grant) => onGranted(grant) });
  const { epoch } = /** @type {import('../dist/link/ports.js').Grant} */ (await granted);
  return { candidate, epoch };
}

/** @param {string} name @param {number} size @param {number} times @param {number} target @param {number} port */
async function visible(name, size, times, target, port) {
  const { candidate, epoch } = await lead(connect(port), name);
  const reader = fork(SELF, ['follow', name, String(port)], { execArgv: [] });
  await once(reader, 'message');
  /** @type {number[]} */
  const took = [];
  const warmUp = 20;
  for (let version = 1; version <= times + warmUp; version++) {
    const bytes = Buffer.alloc(size, 7);
    const seen = once(reader, 'message');
    bytes.writeDoubleLE(monotonic(), 0);
    await candidate.publish({ epoch, version, createdAt: Date.now(), createdAtMonotonic: monotonic(), freshFor: 60_000, codec: '', bytes });
    const [message] = await seen;
    if (message.version !== version) throw new Error(`Expected version ${version}, got ${message.version}`);
    if (version > warmUp) took.push(message.took);
  }
  reader.kill();
  await Promise.all([once(reader, 'exit'), candidate.close()]);
  const p99 = quantile(took, 0.99);
  const verdict = target === Infinity || isQuick ? {} : { target: `under ${target} ms: ${p99 < target ? 'met' : 'MISSED'}` };
  rows.push({ what: `publish to visible, ${name}`, p50: quantile(took, 0.5), p99, max: Math.max(...took), ...verdict });
}

/** @param {number} port */
async function handOver(port) {
  /** @type {number[]} */
  const took = [];
  for (let i = 0; i < (isQuick ? 5 : 50); i++) {
    const first = await lead(connect(port), `hand-over ${i}`);
    const following = lead(connect(port), `hand-over ${i}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const began = performance.now();
    await first.candidate.release();
    const { candidate } = await following;
    took.push(performance.now() - began);
    await Promise.all([first.candidate.close(), candidate.close()]);
  }
  rows.push({ what: 'release to granted', p50: quantile(took, 0.5), p99: quantile(took, 0.99), max: Math.max(...took) });
}

/** @param {number} port */
async function pollCost(port) {
  const redis = new Redis(port, '127.0.0.1');
  const { candidate } = await lead(connect(port), 'polled');
  const follower = followRedis({ store: connect(port), key: 'polled', pollInterval: POLL, onSnapshot: () => {} });
  const cpu = async () =>
    Number(/used_cpu_user:([\d.]+)/.exec(await redis.info('cpu'))?.[1]) +
    Number(/used_cpu_sys:([\d.]+)/.exec(await redis.info('cpu'))?.[1]);
  const before = await cpu();
  const polls = isQuick ? 200 : 5000;
  const { polls: done = 0 } = follower.status();
  while ((follower.status().polls ?? 0) < done + polls) {
    follower.poke();
    await new Promise((resolve) => setImmediate(resolve));
  }
  table({
    title: 'Between hosts, without decoding',
    columns: [
      { key: 'what', label: 'what' },
      { key: 'p50', label: 'p50', unit: 'ms' },
      { key: 'p99', label: 'p99', unit: 'ms' },
      { key: 'max', label: 'max', unit: 'ms' },
      { key: 'target', label: 'target of p99' },
    ],
    rows,
    note: `One poll takes ${((((await cpu()) - before) * 1e6) / polls).toFixed(1)} µs of Redis's processor.`,
  });
  await Promise.all([follower.close(), candidate.close()]);
  redis.disconnect();
}

async function main() {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (free.address());
  await once(free.close(), 'close');
  const folder = mkdtempSync(join(tmpdir(), 'advanced-caching-bench-'));
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', '--appendonly', 'no'];
  const server = spawn(process.env['REDIS_SERVER'] ?? 'redis-server', args, { stdio: 'ignore' });
  const probe = new Redis(port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null }).on('error', () => {});
  await probe.ping();
  probe.disconnect();
  try {
    for (const [name, size, times, target] of SIZES) await visible(name, size, isQuick ? Math.ceil(times / 20) : times, target, port);
    await handOver(port);
    await pollCost(port);
  } finally {
    server.kill('SIGKILL');
    await once(server, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[2] === 'follow' && process.send) {
  const [, , , key = '', port] = process.argv;
  const follower = followRedis({
    store: connect(Number(port)),
    key,
    pollInterval: POLL,
    onSnapshot: ({ version, bytes }) => {
      const at = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
      process.send?.({ version, took: monotonic() - at });
    },
  });
  process.on('disconnect', () => process.exit());
  while (!follower.status().isSubscribed) await new Promise((resolve) => setTimeout(resolve, 5));
  process.send('ready');
} else if (noRedis) skipped('fleet-link', noRedis);
else {
  await main();
  // The clients of the stores are left.
  process.exit();
}
