/** What the inspector is told of cached functions: counted exactly, and nothing kept alive for it. */
import test from 'ava';
import { listings, startCounting } from '../../dist/cache/listing.js';
import { cache, InMemCache, InMemoryMetrics, LocalFileCache, NULL_METRICS } from '../../dist/index.js';
import { ownTotalsOf } from '../../dist/metrics/counting.js';
import { collector } from '../support/collector.js';
import { tempDir, until } from '../support/process.js';

const bare = cache(60, { key: 'bare:{}', name: 'bare' }, (id: number) => id);
startCounting();

const of = (name: string) => listings().find((listing) => listing.name === name);
const totalsOf = (name: string) => {
  const counts = of(name)?.counts;
  return counts && ownTotalsOf(counts).get(name);
};

test('a function that was cached before is listed, and counts nothing', (t) => {
  bare(1);
  t.like(of('bare'), { template: 'bare:{}', ttl: 60, stale: 0, counts: undefined });
});

test('hits and misses are exact on every way to a hit: a fixed key, one argument, another argument, a function, a file', async (t) => {
  const functions = {
    fixed: cache(60, { key: 'fixed', name: 'fixed' }, () => 1),
    memo: cache(60, { key: 'memo:{}', name: 'memo' }, (id: number) => id),
    second: cache(60, { key: 'second:{b}', name: 'second', params: ['a', 'b'] }, (a: number, b = a) => b),
    byFunction: cache(60, { key: (id: number) => `f:${id}`, name: 'byFunction' }, (id: number) => id),
    promised: cache(60, { key: 'promised:{}', name: 'promised' }, async (id: number) => id),
    onDisk: cache(60, { key: 'disk:{}', name: 'onDisk', store: new LocalFileCache(tempDir(t)) }, async (id: number) => id),
  };
  for (const [name, call] of Object.entries(functions)) {
    for (let turn = 0; turn < 50; turn++) t.is(await call(1, 1), 1);
    t.like(totalsOf(name)?.counts, { hits: 49, misses: 1, sets: 1 }, name);
    t.is(totalsOf(name)?.latency.get('load')?.count, 1, name);
  }
});

test('callers who join a load are misses, as for every collector; a stale answer is a hit', async (t) => {
  const joined = cache(60, { key: 'joined', name: 'joined' }, async () => 1);
  await Promise.all(Array.from({ length: 10 }, () => joined()));
  t.like(totalsOf('joined')?.counts, { hits: 0, misses: 10, sets: 1 });

  let loads = 0;
  const stale = cache('20ms', { key: 'stale', name: 'stale', stale: '1m' }, () => ++loads);
  stale();
  await until(() => stale() === 2, { what: 'the refresh' });
  t.like(totalsOf('stale')?.counts, { misses: 1, refreshes: 1 });
});

test('errors are counted by operation and type, and loads that fail are timed', async (t) => {
  const failing = cache(60, { key: 'failing:{}', name: 'failing' }, async (id: number) => {
    throw id === 1 ? new TypeError('a secret') : new RangeError('another');
  });
  for (const id of [1, 1, 2]) await t.throwsAsync(async () => failing(id));
  t.deepEqual(
    [...(totalsOf('failing')?.errors.get('load') ?? [])],
    [
      ['TypeError', 2],
      ['RangeError', 1],
    ],
  );
  t.is(totalsOf('failing')?.latency.get('load')?.count, 3);
});

test('a collector of the user’s own hears all of it once; one that counts is read, and nothing is added', (t) => {
  const heard: string[] = [];
  const own = { ...NULL_METRICS, recordHit: () => void heard.push('hit'), recordMiss: () => void heard.push('miss') };
  const beside = cache(60, { key: 'beside', name: 'beside', metrics: own }, () => 1);
  for (let turn = 0; turn < 3; turn++) beside();
  t.deepEqual(heard, ['miss', 'hit', 'hit']);
  t.like(totalsOf('beside')?.counts, { hits: 2, misses: 1 });
  const metrics = new InMemoryMetrics();
  const counted = cache(60, { key: 'counted', name: 'counted', metrics }, () => 1);
  counted();
  counted();
  t.is(of('counted')?.counts, metrics);
  t.like(metrics.getStats().caches['counted'], { hits: 1, misses: 1 });
});

test('a lazy thenable is run once, as without the inspector', async (t) => {
  let runs = 0;
  const query = cache(60, { key: 'query', name: 'query' }, () => ({
    // oxlint-disable-next-line unicorn/no-thenable
    then(resolve: (rows: string) => void) {
      runs++;
      resolve('rows');
    },
  }));
  t.is(await (query() as unknown as Promise<string>), 'rows');
  t.is(runs, 1);
});

test('a function that throws keeps throwing at once, and one that is not cached is left alone', (t) => {
  const throwing = cache(60, { key: 'throwing', name: 'throwing' }, () => {
    throw new RangeError('at once');
  });
  t.throws(() => throwing(), { instanceOf: RangeError });
  const bypass = cache(0, { key: 'bypass', name: 'bypass' }, () => 1);
  t.is(bypass(), 1);
  t.like(totalsOf('bypass')?.counts, { hits: 0, misses: 0 });
});

test('a listing removes and clears as the function does', async (t) => {
  const store = new InMemCache();
  const one = cache(60, { key: 'one:{}', name: 'one', store }, (id: number) => id);
  one(1);
  one(2);
  const listing = of('one');
  t.true(await listing?.remove('one:1'));
  t.is(store.size, 1);
  await listing?.clear();
  t.is(store.size, 0);
  t.is(totalsOf('one')?.counts.deletes, 1);
});

test.serial('nothing is kept alive: a function that is dropped is listed no more', async (t) => {
  const collect = collector();
  const kept = cache(60, { key: 'kept', name: 'kept' }, () => 1);
  for (let at = 0; at < 1000; at++) cache(60, { key: 'dropped', name: 'dropped' }, () => 1)();
  await until(
    () => {
      collect();
      return listings().filter(({ name }) => name === 'dropped').length === 0;
    },
    { what: 'the end of a thousand functions' },
  );
  t.truthy(of('kept'), 'who holds the function holds its listing');
  kept();
});
