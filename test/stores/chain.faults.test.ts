/** What becomes of the failures and the faults of a chain's tiers: whoever uses the chain counts them, and hears of each once. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  type CacheStorage,
  type ChainOptions,
  ChainCache,
  HybridCache,
  InMemCache,
  InMemoryMetrics,
  InstrumentedStorage,
  LocalFileCache,
  RedisCache,
  cache,
} from '../../dist/index.js';
import { tempDir } from '../support/process.js';
import { noRedis, startRedis } from '../support/redis.js';

interface Heard {
  readonly name: string;
  readonly isReported: boolean;
}

interface Subject {
  readonly store: CacheStorage;
  /** What the chain itself reported. */
  readonly reported: Error[];
  readonly metrics: InMemoryMetrics;
}

/** A store with garbage under `key`. */
async function corrupt(t: ExecutionContext): Promise<LocalFileCache> {
  const directory = tempDir(t);
  const store = new LocalFileCache(directory);
  await store.set('key', 1, 60);
  await store.set('good', 'good', 60);
  const name = createHash('sha256').update('key').digest('hex');
  writeFileSync(join(directory, name.slice(0, 2), name), 'garbage');
  return store;
}

const COMPOSITIONS: Readonly<Record<string, (bad: CacheStorage, options: ChainOptions) => CacheStorage>> = {
  'as the second tier': (bad, options) => ChainCache.build(new InMemCache(), bad, options),
  'as the first tier': (bad, options) => ChainCache.build(bad, new InMemCache(), options),
  'alone in a chain': (bad, options) => ChainCache.build(bad, options),
  'in the middle': (bad, options) => ChainCache.build(new InMemCache(), bad, new InMemCache(), options),
  'in a HybridCache': (bad, options) => new HybridCache({ l1Ttl: 60, l2Cache: bad, ...options }),
  'instrumented, in a chain': (bad, options) =>
    ChainCache.build(new InMemCache(), new InstrumentedStorage(bad, new InMemoryMetrics(), 'L2'), options),
  'in a chain that is instrumented': (bad, options) =>
    new InstrumentedStorage(ChainCache.build(new InMemCache(), bad, options), new InMemoryMetrics(), 'chain'),
  'in a chain in a chain': (bad, options) => ChainCache.build(new InMemCache(), ChainCache.build(new InMemCache(), bad, options), options),
};

function subject(compose: (typeof COMPOSITIONS)[string], bad: CacheStorage): Subject {
  const reported: Error[] = [];
  return { store: compose(bad, { onError: (error) => reported.push(error) }), reported, metrics: new InMemoryMetrics() };
}

for (const [where, compose] of Object.entries(COMPOSITIONS)) {
  test(`what is no entry, found ${where}: told to the reader of the chain, reported once`, async (t) => {
    for (const read of ['get', 'getEntry', 'getMany'] as const) {
      const { store, reported } = subject(compose, await corrupt(t));
      const heard: Heard[] = [];
      const onFault = (error: Error, isReported: boolean): void => void heard.push({ name: error.name, isReported });
      const found = read === 'getMany' ? await store.getMany(['key', 'good'], onFault) : await store[read]('key', onFault);
      if (read === 'getMany') t.deepEqual([...(found as Map<string, unknown>)], [['good', 'good']]);
      else t.is(found, undefined);
      t.deepEqual(heard, [{ name: 'WireFormatError', isReported: true }], read);
      t.deepEqual(
        reported.map(({ name }) => name),
        ['WireFormatError'],
        read,
      );
    }
  });

  test(`what is no entry, found ${where}: cache() counts it, and has not to report it again`, async (t) => {
    const { store, reported, metrics } = subject(compose, await corrupt(t));
    const again: Error[] = [];
    const load = cache(60, { key: 'key', store, metrics, name: 'load', onError: (error) => again.push(error) })(async () => 'loaded');
    t.is(await load(), 'loaded');
    t.is(await load(), 'loaded');
    t.deepEqual(metrics.getStats().errors, { 'load.get': { WireFormatError: 1 } });
    t.deepEqual([metrics.getStats().caches['load']?.misses, metrics.getStats().caches['load']?.hits], [1, 1]);
    t.is(reported.length, 1);
    t.deepEqual(again, []);
  });
}

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

for (const [where, compose] of Object.entries(COMPOSITIONS)) {
  redisTest(`a Redis that hangs ${where}: cache() goes on, counts it and does not report it again${hint}`, async (t) => {
    const server = await startRedis(t);
    const redis = new RedisCache(server.client(), { prefix: 'p:', timeout: 0.2, breaker: { failures: 3, cooldown: 600 } });
    await new RedisCache(server.client(), { prefix: 'p:', timeout: 20 }).set('key', 1, 60);
    server.kill('SIGSTOP');
    const { store, reported, metrics } = subject(compose, redis);
    const again: Error[] = [];
    const load = cache(60, { key: 'key:{}', store, metrics, name: 'load', onError: (error) => again.push(error) })(
      async (id: number) => `loaded ${id}`,
    );
    for (let id = 0; id < 10; id++) t.is(await load(id), `loaded ${id}`);
    const counted = metrics.getStats().errors['load.get'] as Record<string, number>;
    t.is((counted['TimeoutError'] ?? 0) + (counted['StoreError'] ?? 0), 10, 'one for each lookup');
    t.true((counted['TimeoutError'] as number) < 4, 'then the breaker refuses');
    // A refusal is one error, told once.
    t.true(reported.length >= 3 && reported.length <= 5, `${reported.length}`);
    t.deepEqual(again, []);
  });
}
