// @ts-check
/**
 * A thousand readers of one value in four processes, each with connections to Redis of its own, as a thousand hosts have them. Redis is killed,
 * stays away for so long that all have backed off, and comes back empty. Printed is what Redis was asked in each tenth of a second: in
 * peace, around a publish, and when all come back; and how often the loader ran.
 *
 *   node test/soak/herd.js
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { bg, RedisCache } from '../../dist/index.js';
import { followRedis } from '../../dist/link/redis/follow.js';

const SELF = fileURLToPath(import.meta.url);
const [PROCESSES, READERS] = [4, 250];
const AWAY = 5000;
const INTERVAL = 10_000;
const BINARY = process.env['REDIS_SERVER'] ?? 'redis-server';

const storeAt = (/** @type {string} */ address, /** @type {object} */ options = {}) =>
  new RedisCache(
    new Redis(address, { enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: () => 200, ...options }).on('error', () => {}),
    { prefix: 'herd:' },
  );

/** @param {string} address */
function read(address) {
  const followers = Array.from({ length: READERS }, () =>
    // A client of its own, which itself never connects: the link's connections are made after it.
    followRedis({
      store: storeAt(address, { lazyConnect: true }),
      key: 'k',
      pollInterval: INTERVAL,
      onSnapshot: () => {},
      onError: () => {},
    }),
  );
  process.on('message', () => {
    const all = followers.map((follower) => follower.status());
    process.send?.({
      live: all.filter(({ state, isSubscribed }) => state === 'live' && isSubscribed).length,
      oldest: Math.min(...all.map(({ version }) => version)),
    });
  });
  process.on('disconnect', () => process.exit());
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-herd-'));
  const address = join(folder, 'redis.sock');
  const startServer = async () => {
    rmSync(address, { force: true });
    const child = spawn(BINARY, ['--port', '0', '--unixsocket', address, '--dir', folder, '--save', ''], { stdio: 'ignore' });
    while (!existsSync(address)) await delay(5);
    return child;
  };
  let server = await startServer();
  const children = Array.from({ length: PROCESSES }, () => fork(SELF, ['read', address]));
  process.once('exit', () => {
    server.kill('SIGKILL');
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  let loads = 0;
  const writer = bg.write(0, { key: 'k', scope: 'fleet', store: storeAt(address), lease: 60, ref: false, onError: () => {} }, () => ({
    load: ++loads,
    text: 'x'.repeat(1000),
  }));

  const reports = async () =>
    Promise.all(
      children.map(async (child) => {
        child.send('report');
        const [report] = await once(child, 'message');
        return /** @type {{ live: number, oldest: number }} */ (report);
      }),
    );
  const all = async (/** @type {(report: { live: number, oldest: number }) => boolean} */ holds) => {
    const began = performance.now();
    while (!(await reports()).every(holds)) await delay(50);
    return performance.now() - began;
  };
  const isLive = (/** @type {{ live: number }} */ { live }) => live === READERS;

  // What Redis was asked, in tenths of a second.
  const probe = new Redis(address, { retryStrategy: () => 20, maxRetriesPerRequest: null, enableReadyCheck: false }).on('error', () => {});
  /** @type {{ commands: number, connections: number }[]} */
  let tenths = [];
  let last = { at: 0, commands: 0, connections: 0 };
  const sample = async () => {
    if (probe.status !== 'ready') return;
    const info = await probe.info('stats').catch(() => '');
    const number = (/** @type {string} */ name) => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0);
    const now = { at: performance.now(), commands: number('total_commands_processed'), connections: number('total_connections_received') };
    // A server that was started anew counts from 0.
    if (now.commands < last.commands) last = { ...last, commands: 0, connections: 0 };
    const share = 100 / (now.at - last.at);
    tenths.push({
      commands: Math.round((now.commands - last.commands) * share),
      connections: Math.round((now.connections - last.connections) * share),
    });
    last = now;
  };
  const sampling = setInterval(() => void sample(), 100);
  const told = (/** @type {string} */ what) => {
    const [commands, connections] = /** @type {const} */ (['commands', 'connections']).map((of) => tenths.map((one) => one[of]));
    const peak = Math.max(...(commands ?? []));
    console.log(`${what.padEnd(34)} at most ${peak} commands and ${Math.max(...(connections ?? []))} connections in 0.1 s`);
    tenths = [];
    return peak;
  };

  console.log(`${PROCESSES * READERS} readers are there after ${(await all(isLive)).toFixed(0)} ms`);
  tenths = [];
  await delay(INTERVAL);
  told('in peace');
  for (let i = 0; i < 5; i++) {
    await writer.refresh();
    const { version } = writer.status();
    await all(({ oldest }) => oldest >= version);
  }
  const publish = told('five publishes');

  server.kill('SIGKILL');
  await once(server, 'exit');
  const before = loads;
  await delay(AWAY);
  tenths = [];
  server = await startServer();
  const back = await all(isLive);
  await delay(500);
  const herd = told('all come back');
  console.log(`all are live ${(back / 1000).toFixed(1)} s after Redis was back; the loader ran ${loads - before} times for that`);
  console.log(`the peak is ${(herd / publish).toFixed(2)} × that of a publish`);
  process.exitCode = loads - before <= 1 && herd <= 2 * publish ? 0 : 1;
  clearInterval(sampling);
  probe.disconnect();
  await bg.shutdown({ timeout: 2 });
  process.exit();
}

if (process.argv[2] === 'read') read(process.argv[3] ?? '');
else await main();
