// Memory, Redis and S3 in a chain, and what each of the three sees of the traffic.
//   node --import=tsx examples/three-tier.ts
// Redis is a redis-server of this example's own (files stand in for it where none is installed); S3 is the real SDK on a server on localhost.
import { ChainCache, InMemCache, InMemoryMetrics, InstrumentedStorage, LocalFileCache, RedisCache, S3Cache, cache } from 'advanced-caching';
import { tempDir, until } from '../test/support/process.js';
import { noRedis, startRedis } from '../test/support/redis.js';
import { S3_BUCKET, s3Client, s3Server } from '../test/support/s3.js';

const ends: (() => unknown)[] = [];
const scope = { teardown: (end: () => unknown) => void ends.unshift(end) };

const metrics = new InMemoryMetrics();
const client = s3Client(scope, await s3Server(scope));
const L2 = noRedis ? 'L2:file' : 'L2:redis';
const shared = noRedis
  ? new LocalFileCache(tempDir(scope))
  : new RedisCache((await startRedis(scope)).client({ enableOfflineQueue: true }), { prefix: 'v1:' });
const l1 = new InMemCache();
const l2 = new InstrumentedStorage(shared, metrics, L2);
const l3 = new InstrumentedStorage(new S3Cache({ bucket: S3_BUCKET, prefix: 'v1/', client }), metrics, 'L3:s3');
const chain = ChainCache.build(new InstrumentedStorage(l1, metrics, 'L1:memory'), l2, l3, { ttls: ['1m', '5m', '1h'] });

let loads = 0;
const page = cache('1h', { key: 'page:{id}', store: chain })(async (id: number) => {
  loads += 1;
  return { id, title: `Page ${id}` };
});

function row(name: string, ...figures: unknown[]): void {
  console.log(name.padEnd(10), ...figures.map((figure) => String(figure).padStart(6)));
}

let before = metrics.getStats().caches;

async function story(what: string, run: () => Promise<unknown>): Promise<void> {
  const loadsBefore = loads;
  await run();
  const { caches } = metrics.getStats();
  console.log(`\n${what}: ${loads - loadsBefore} loads`);
  row('tier', 'hits', 'misses', 'sets');
  for (const [name, { hits, misses, sets }] of Object.entries(caches)) {
    const last = before[name];
    row(name, hits - (last?.hits ?? 0), misses - (last?.misses ?? 0), sets - (last?.sets ?? 0));
  }
  before = caches;
}

const read = async (times: number): Promise<void> => {
  for (let i = 0; i < times; i++) await page(i % 5);
};

await story('The first 5 reads find nothing, and fill all three', () => read(5));
await story('100 reads of the same 5 pages come from memory', () => read(100));
l1.clear();
await story('After a restart memory is empty: one read of the second tier for each page', () => read(100));
l1.clear();
await shared.clear();
await story('Memory and the second tier are empty: the third has everything, and both get copies', async () => {
  await read(100);
  // The reads did not wait for these copies.
  await until(() => metrics.getStats().caches[L2]?.sets === 10, { what: 'the copies in the second tier' });
});

const [mine, original] = [l1.getEntry('page:1'), await l3.getEntry('page:1')];
if (!mine || !original) throw new Error('page:1 is in the first and in the third tier');
console.log(`\nA copy lives no longer than its original, nor than its tier's ttl: ${mine.freshUntil <= original.freshUntil}`);
console.log(`It keeps the original's age: ${mine.createdAt === original.createdAt}`);

for (const end of ends) await end();
