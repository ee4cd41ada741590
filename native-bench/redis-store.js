// @ts-check
/**
 * `RedisCache` against the bare ioredis client, over a real redis-server of its own, in one run; and for how long `clear()` blocks Redis.
 *
 *     npm run build && node native-bench/redis-store.js [--quick]
 *
 * Both sides of a ratio run in turns, block by block, and the median of the blocks' ratios is printed: of operations in a second, and of this process's
 * processor time for one, which a busy machine moves less. The target is 85 % of the client.
 *
 * With many calls under way RedisCache passes the client: it sends the commands of one turn of the event loop in parcels (`redis/bursts.ts`). The
 * rows "auto" give the client its own way to do that, `enableAutoPipelining`, on both sides.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisCache, cache } from 'advanced-caching';
import { Redis } from 'ioredis';

const quick = process.argv.includes('--quick');
const BINARY = process.env['REDIS_SERVER'] ?? 'redis-server';
const CALLS = quick ? 500 : 20_000;
const ROUNDS = quick ? 2 : 15;
const KEYS = quick ? 2000 : 100_000;
const VALUE = { id: 42, name: 'Ada Lovelace', email: 'ada@example.com', tags: ['a', 'b', 'c'], nested: { deep: [1, 2, 3] } };

/** @param {number[]} numbers */
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/** @param {number} concurrency @param {(i: number) => Promise<unknown>} run */
async function time(concurrency, run) {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const calls = concurrency === 1 ? CALLS / 5 : CALLS;
  let next = 0;
  const lane = async () => {
    while (next < calls) await run(next++);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  const { user, system } = process.cpuUsage(cpu);
  return { rate: calls / ((performance.now() - started) / 1000), micros: (user + system) / calls };
}

/** @param {string} name @param {number} concurrency @param {(i: number) => Promise<unknown>} ours @param {(i: number) => Promise<unknown>} bare */
async function compare(name, concurrency, ours, bare) {
  const ratios = [];
  const work = [];
  const a = [];
  const b = [];
  for (let i = -2; i < ROUNDS; i++) {
    const first = i % 2 === 0;
    const x = first ? await time(concurrency, ours) : undefined;
    const y = await time(concurrency, bare);
    const z = x ?? (await time(concurrency, ours));
    if (i < 0) continue;
    a.push(z.rate);
    b.push(y.rate);
    ratios.push(z.rate / y.rate);
    work.push(y.micros / z.micros);
  }
  const figures = `${Math.round(median(a))} ops/s, the client ${Math.round(median(b))} ops/s`;
  const percent = `${(median(ratios) * 100).toFixed(1)} % (by processor time ${(median(work) * 100).toFixed(1)} %)`;
  console.log(`${name.padEnd(30)} ${String(concurrency).padStart(4)} at a time: ${figures}: ${percent}`);
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'advanced-caching-bench-'));
  const socket = join(folder, 'redis.sock');
  const server = spawn(BINARY, ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const redis = new Redis(socket, { retryStrategy: () => 20 });
  const auto = new Redis(socket, { retryStrategy: () => 20, enableAutoPipelining: true });
  // Until the server listens.
  for (const client of [redis, auto]) client.on('error', () => {});
  try {
    const store = new RedisCache(redis, { prefix: 'bench:', timeout: 30 });
    const automatic = new RedisCache(auto, { prefix: 'bench:', timeout: 30 });
    for (let i = 0; i < 1000; i++) await store.set(String(i), VALUE, 600);
    /** @param {number} i */
    const key = (i) => String(i % 1000);
    const bytes = Buffer.concat([Buffer.alloc(16), Buffer.from(JSON.stringify(VALUE))]);
    await store.set('small', 42, 600);
    for (const concurrency of [1, 50, 200]) {
      await compare(
        'get / getBuffer, of a number',
        concurrency,
        () => store.get('small'),
        () => redis.getBuffer('bench:small'),
      );
      await compare(
        'get / getBuffer',
        concurrency,
        (i) => store.get(key(i)),
        (i) => redis.getBuffer(`bench:${key(i)}`),
      );
      await compare(
        'get / getBuffer and JSON.parse',
        concurrency,
        (i) => store.get(key(i)),
        async (i) => JSON.parse(String((await redis.getBuffer(`bench:${key(i)}`))?.subarray(16))),
      );
      await compare(
        'get / getBuffer, auto',
        concurrency,
        (i) => automatic.get(key(i)),
        (i) => auto.getBuffer(`bench:${key(i)}`),
      );
      await compare(
        'set / set PX',
        concurrency,
        (i) => store.set(key(i), VALUE, 600),
        (i) => redis.set(`bench:${key(i)}`, bytes, 'PX', 600_000),
      );
    }

    for (let i = 0; i < KEYS; i += 1000) {
      await store.setMany(new Map(Array.from({ length: 1000 }, (_, j) => [`clear ${i + j}`, VALUE])), 600);
    }
    await redis.config('SET', 'slowlog-log-slower-than', 50, 'slowlog-max-len', 10_000);
    await redis.slowlog('RESET');
    const started = performance.now();
    await store.clear();
    const seconds = (performance.now() - started) / 1000;
    const entries = /** @type {[number, number, number, string[]][]} */ (await redis.slowlog('GET', 10_000));
    // By Redis's own watch, which also counts the time for which the machine ran something else: the tenth tells that apart.
    const longest = (/** @type {string} */ name) => {
      const times = entries.filter(([, , , [word]]) => word?.toLowerCase() === name).map(([, , microseconds]) => microseconds / 1000);
      times.sort((a, b) => b - a);
      return `${name.toUpperCase()} ${times[0]?.toFixed(2) ?? 'below 0.05'} ms (the 10th ${times[9]?.toFixed(2) ?? 'below 0.05'})`;
    };
    console.log(
      `clear() of ${KEYS} keys: ${seconds.toFixed(2)} s, longest commands (at most 5 ms): ${longest('scan')}, ${longest('unlink')}`,
    );

    server.kill('SIGKILL');
    await once(server, 'exit');
    const load = cache(60, { key: 'k:{}', store, onError: () => {} })(async (/** @type {number} */ i) => i);
    for (let i = 0; i < 20; i++) await load(i);
    const begin = performance.now();
    for (let i = 0; i < CALLS; i++) await load(i);
    console.log(`cache() over a dead Redis: ${(((performance.now() - begin) * 1000) / CALLS).toFixed(1)} µs a call`);
  } finally {
    redis.disconnect();
    auto.disconnect();
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

if (spawnSync(BINARY, ['--version']).status === 0) await main();
else console.log(`skipped: no ${BINARY} here (apt-get install redis-server, or set REDIS_SERVER)`);
