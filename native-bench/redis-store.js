// @ts-check
/**
 * `RedisCache` against the bare ioredis client, over a real redis-server of its own, in one run; and for how long `clear()` blocks Redis.
 *
 *     npm run bench -- redis-store [--quick]
 *
 * Both sides of a ratio run in turns, block by block, and the median of the blocks' ratios is printed: of operations in a second, and of this process's
 * processor time for one, which a busy machine moves less. The target is 85 % of the client.
 *
 * With many calls under way RedisCache passes the client: it sends the commands of one turn of the event loop in parcels (`redis/bursts.ts`). The
 * rows "auto" give the client its own way to do that, `enableAutoPipelining`, on both sides.
 */
import { RedisCache, cache } from 'advanced-caching';
import { Redis } from 'ioredis';
import { inTurns, isQuick, tell } from './harness.js';
import { progress, skipped, table } from './support/results.js';
import { noRedis, startRedis } from './support/redis-server.js';
import { spread } from './support/stats.js';

const CALLS = isQuick ? 500 : 20_000;
const ROUNDS = isQuick ? 2 : 15;
const KEYS = isQuick ? 2000 : 100_000;
const VALUE = { id: 42, name: 'Ada Lovelace', email: 'ada@example.com', tags: ['a', 'b', 'c'], nested: { deep: [1, 2, 3] } };

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

/** @type {import('./support/results.js').Row[]} */
const work = [];

/** @param {string} name @param {number} concurrency @param {(i: number) => Promise<unknown>} ours @param {(i: number) => Promise<unknown>} bare */
async function compare(name, concurrency, ours, bare) {
  const title = `${name}, ${concurrency} at a time`;
  progress(title);
  const micros = { ours: /** @type {number[]} */ ([]), bare: /** @type {number[]} */ ([]) };
  const measure = (/** @type {'ours' | 'bare'} */ side) => async () => {
    const { rate, micros: each } = await time(concurrency, side === 'ours' ? ours : bare);
    micros[side].push(each);
    return rate;
  };
  await inTurns(2, measure('ours'), measure('bare'));
  micros.ours.length = micros.bare.length = 0;
  tell({ name: title, ...(await inTurns(ROUNDS, measure('ours'), measure('bare'))), target: 'target 0.85' }, '/s');
  work.push({
    name: title,
    ours: spread(micros.ours),
    bare: spread(micros.bare),
    share: spread(micros.ours.map((of, i) => (micros.bare[i] ?? 0) / of)),
  });
}

async function main() {
  const { redis, socket, crash, stop } = await startRedis();
  const auto = new Redis(socket, { enableAutoPipelining: true });
  auto.on('error', () => {});
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
      return `${times[0]?.toFixed(2) ?? 'below 0.05'} ms (the 10th ${times[9]?.toFixed(2) ?? 'below 0.05'})`;
    };
    table({
      title: "This process's processor time for one operation",
      columns: [
        { key: 'name', label: 'what' },
        { key: 'ours', label: 'ours', unit: 'µs' },
        { key: 'bare', label: 'the client', unit: 'µs' },
        { key: 'share', label: 'client / ours', unit: '×' },
      ],
      rows: work,
    });
    await crash();
    const load = cache(60, { key: 'k:{}', store, onError: () => {} })(async (/** @type {number} */ i) => i);
    for (let i = 0; i < 20; i++) await load(i);
    const begin = performance.now();
    for (let i = 0; i < CALLS; i++) await load(i);
    table({
      title: 'Once',
      columns: [
        { key: 'what', label: 'what' },
        { key: 'took', label: 'took' },
      ],
      rows: [
        { what: `clear() of ${KEYS} keys`, took: `${seconds.toFixed(2)} s` },
        { what: 'its longest SCAN, by the watch of Redis (at most 5 ms)', took: longest('scan') },
        { what: 'its longest UNLINK', took: longest('unlink') },
        { what: 'a call of cache() over a dead Redis', took: `${(((performance.now() - begin) * 1000) / CALLS).toFixed(1)} µs` },
      ],
    });
  } finally {
    auto.disconnect();
    await stop();
  }
}

if (noRedis) skipped('redis-store', noRedis);
else await main();
