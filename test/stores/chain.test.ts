import test from 'ava';
import { InMemCache, InMemoryMetrics, InstrumentedStorage, cache } from '../../dist/index.js';
import type { CacheEntry, CacheStorage, Clock } from '../../dist/index.js';
import { cacheOn } from '../../dist/cache/cache.js';
import { systemClock } from '../../dist/core/clock.js';
import { ChainCache } from '../../dist/stores/chain.js';
import { HybridCache } from '../../dist/stores/hybrid.js';
import { type FakeClock, fakeClock } from '../../dist/testing/index.js';
import { until } from '../support/process.js';
import { Driven } from './support/driven.js';

const seconds = (clock: FakeClock): number => clock.wall() / 1000;

function levels(clock: Clock = systemClock): { l1: InMemCache; l2: Driven; l3: Driven; memory2: InMemCache; memory3: InMemCache } {
  const memory2 = new InMemCache({ clock });
  const memory3 = new InMemCache({ clock });
  return { l1: new InMemCache({ clock }), l2: new Driven(memory2), l3: new Driven(memory3), memory2, memory3 };
}

test('an entry that is promoted keeps its moments, and lives no longer than the one it was copied from', async (t) => {
  const clock = fakeClock();
  const { l1, l2, memory2 } = levels(clock);
  const chain = ChainCache.build(l1, l2, { clock });
  memory2.set('key', 'value', 100);
  const original = memory2.getEntry('key');
  clock.advance(90_000);
  t.is(await chain.get('key'), 'value');
  t.deepEqual(l1.getEntry('key'), original);
  clock.advance(10_000);
  t.is(memory2.get('key'), undefined);
  t.is(l1.getEntry('key'), undefined, 'gone with the original, not held as a stale one either');
  t.is(await chain.get('key'), undefined);
});

test('`ttls` cap each level, also what is promoted; a later read goes on to the level that has it still', async (t) => {
  const clock = fakeClock();
  const { l1, l2, l3, memory2, memory3 } = levels(clock);
  const chain = ChainCache.build(l1, l2, l3, { ttls: [60, '1h', '1d'], clock });
  await chain.set('key', 1, 7200);
  const from = seconds(clock);
  t.is(l1.getEntry('key')?.freshUntil, from + 60);
  t.is(memory2.getEntry('key')?.freshUntil, from + 3600);
  t.is(memory3.getEntry('key')?.freshUntil, from + 7200);

  clock.advance(3_590_000);
  t.is(await chain.get('key'), 1);
  t.is(l1.getEntry('key')?.freshUntil, from + 3600, 'the ten seconds that its original in the second tier has left');

  clock.advance(20_000);
  t.is(await chain.get('key'), 1);
  t.is(l1.getEntry('key')?.freshUntil, seconds(clock) + 60);
  t.is(memory2.getEntry('key')?.freshUntil, from + 7200);
  t.is(memory2.getEntry('key')?.createdAt, from);

  await chain.setEntry('entry', { value: 2, freshUntil: seconds(clock) + 10, createdAt: from });
  t.is(l1.getEntry('entry')?.freshUntil, seconds(clock) + 10, 'a cap makes nothing longer');
  await chain.setMany(new Map([['many', 3]]), 7200);
  t.is(l1.getEntry('many')?.freshUntil, seconds(clock) + 60);
  t.true(await chain.setIfNotExists('once', 4, 7200));
  t.is(l1.getEntry('once')?.freshUntil, seconds(clock) + 60);
  t.is(memory3.getEntry('once')?.freshUntil, seconds(clock) + 7200);
});

test('a hit in memory is answered at once, in a chain of any kind', (t) => {
  const { l1, l2 } = levels();
  const chain = ChainCache.build(l1, l2);
  l1.set('key', 'value', Infinity);
  t.is(chain.get('key'), 'value');
  t.deepEqual(chain.getEntry('key'), l1.getEntry('key'));
  t.true(chain.exists('key'));
  t.deepEqual(chain.getMany(['key']), new Map([['key', 'value']]));
  t.deepEqual(l2.calls, []);
});

test('a chain is synchronous when all of its tiers are, by its type too', async (t) => {
  const sync = ChainCache.build(new InMemCache(), new InMemCache(), { ttls: [60, 3600] });
  t.true(sync.sync);
  sync.set('key', 1, 60);
  const held: boolean = sync.delete('key');
  t.true(held);
  const double = cache(60, { key: 'double:{}', store: sync })((n: number) => 2 * n);
  const four: number = double(2);
  t.is(four, 4);
  t.is(sync.get('double:2'), 4);

  const mixed = ChainCache.build(new InMemCache(), new Driven(new InMemCache()));
  t.false(mixed.sync);
  const later = cache(60, { key: 'double:{}', store: mixed })((n: number) => 2 * n);
  const promise: Promise<number> = later(2);
  t.is(await promise, 4);

  const hybrid = new HybridCache({ l1Ttl: 60, l2Cache: new InMemCache() });
  const isSync: true = hybrid.sync;
  t.true(isSync);
});

test('HybridCache is a chain of two, the second of which keeps twice as long', (t) => {
  const clock = fakeClock();
  const [l1Cache, l2Cache] = [new InMemCache({ clock }), new InMemCache({ clock })];
  const hybrid = new HybridCache({ l1Ttl: '1m', l1Cache, l2Cache, clock });
  hybrid.set('key', 1, 3600);
  t.is(l1Cache.getEntry('key')?.freshUntil, seconds(clock) + 60);
  t.is(l2Cache.getEntry('key')?.freshUntil, seconds(clock) + 120);
  t.deepEqual(hybrid.tiers, [l1Cache, l2Cache]);
  new HybridCache({ l1Ttl: 60, l1Cache, l2Ttl: '1h', l2Cache, clock }).set('key', 1, Infinity);
  t.is(l2Cache.getEntry('key')?.freshUntil, seconds(clock) + 3600);
});

test('concurrent misses of a key ask the lower tiers once, and backfill once', async (t) => {
  const clock = fakeClock();
  const { l2, l3, memory3 } = levels(clock);
  const l1 = new Driven(new InMemCache({ clock }));
  const chain = ChainCache.build(l1, l2, l3, { clock });
  memory3.set('key', 'value', 60);
  const answers = await Promise.all([
    ...Array.from({ length: 50 }, async () => chain.get('key')),
    (async () => (await chain.getMany(['key', 'other'])).get('key'))(),
    (async () => (await chain.getEntry('key'))?.value)(),
  ]);
  t.deepEqual(new Set(answers), new Set(['value']));
  await until(() => l1.count('setEntry') === 1 && l2.count('setEntry') === 1, { what: 'the backfill' });
  t.is(l3.calls.filter((call) => call === 'getEntry key').length, 1);
  t.is(l2.calls.filter((call) => call === 'getEntry key').length, 1);
  await chain.get('key');
  t.is(l3.calls.filter((call) => call === 'getEntry key').length, 1);
});

test('getMany asks each tier only for what the faster ones lack, and promotes what it finds', async (t) => {
  const clock = fakeClock();
  const { l1, memory2, l3, memory3 } = levels(clock);
  const asked: (readonly string[])[] = [];
  const l2: CacheStorage = Object.assign(new Driven(memory2), {
    getEntries: async (keys: readonly string[]) => {
      asked.push(keys);
      const entries = keys.map((key) => [key, memory2.getEntry(key)] as const);
      return new Map(entries.filter(([, entry]) => entry)) as Map<string, CacheEntry>;
    },
  });
  const chain = ChainCache.build(l1, l2, l3, { clock });
  l1.set('a', 1, 60);
  memory2.set('b', 2, 60);
  memory3.set('c', 3, 60);
  memory3.set('a', 'hidden', 60);
  t.deepEqual(
    [...(await chain.getMany(['c', 'a', 'b', 'absent', 'a']))],
    [
      ['c', 3],
      ['a', 1],
      ['b', 2],
    ],
  );
  t.deepEqual(asked, [['c', 'b', 'absent']]);
  t.deepEqual(l3.calls, ['getEntry c', 'getEntry absent']);
  t.is(l1.get('b'), 2);
  t.is(l1.get('c'), 3);
  await until(() => memory2.get('c') === 3, { what: 'the backfill of the second tier' });
});

for (const mode of ['throws', 'rejects', 'hangs'] as const) {
  test(`a tier that ${mode} is passed over, counted and reported`, async (t) => {
    const { l1, l2, l3, memory2 } = levels();
    const errors: Error[] = [];
    const metrics = new InMemoryMetrics();
    const chain = ChainCache.build(l1, l2, l3, { onError: (error) => errors.push(error), metrics, name: 'items', timeout: '5ms' });
    l2.mode = mode;
    await chain.set('key', 1, 60);
    t.is(await chain.get('key'), 1);
    l1.clear();
    t.is(await chain.get('key'), 1, 'from the third tier');
    l1.clear();
    t.is((await chain.getEntry('key'))?.value, 1);
    l1.clear();
    t.deepEqual(await chain.getMany(['key', 'absent']), new Map([['key', 1]]));
    t.true(await chain.exists('key'));
    t.true(await chain.setIfNotExists('once', 1, 60), 'decided by the third');
    t.false(await chain.setIfNotExists('once', 2, 60));
    t.true(await chain.delete('key'));
    t.is(await chain.get('key'), undefined);
    await chain.setMany(new Map([['many', 1]]), 60);
    await chain.clear();
    t.is(await chain.get('many'), undefined);
    t.true(errors.length >= 8);
    t.true(errors.every((error) => (mode === 'hangs' ? error.name === 'TimeoutError' : error.message === `driven: ${mode}`)));
    const counted = Object.values(metrics.getStats().errors).flatMap((types) => Object.values(types));
    t.is(
      counted.reduce((a, b) => a + b, 0),
      errors.length,
    );

    l2.mode = 'well';
    await chain.set('key', 2, 60);
    t.is(memory2.get('key'), 2, 'it is used again once it works');
  });
}

test('a tier that takes no copy does not make the answer late, and the next change waits for the copy', async (t) => {
  const { l1, l2, l3, memory2, memory3 } = levels();
  const chain = ChainCache.build(l1, l2, l3);
  memory3.set('key', 'old', Infinity);
  let open = (): void => {};
  const find = l2.getEntry;
  l2.getEntry = async (key) => {
    const entry = await find(key);
    l2.gate = new Promise<void>((resolve) => (open = resolve));
    return entry;
  };
  t.is(await chain.get('key'), 'old');
  t.is(l2.count('setEntry'), 1);
  const change = chain.set('key', 'new', 60);
  l1.clear();
  t.is(l2.count('set'), 0);
  open();
  await change;
  t.is(memory2.get('key'), 'new');
  t.is(l1.get('key'), 'new');
});

test('a lookup that began before a change leaves no copy of what it found', async (t) => {
  const { l1, l2, memory2 } = levels();
  const chain = ChainCache.build(l1, l2);
  for (const change of [() => chain.delete('key'), () => chain.set('key', 'new', 60), () => chain.clear()]) {
    memory2.set('key', 'old', 60);
    l1.clear();
    let open = (): void => {};
    l2.getEntry = async (key) => {
      const entry = memory2.getEntry(key);
      await new Promise<void>((resolve) => (open = resolve));
      return entry;
    };
    const lookup = chain.get('key');
    await change();
    open();
    t.is(await lookup, 'old');
    t.not(l1.get('key'), 'old');
  }
});

test('a lookup that begins during a change leaves no copy either', async (t) => {
  const { l1, l2, memory2 } = levels();
  const chain = ChainCache.build(l1, l2);
  memory2.set('key', 'old', 60);
  let open = (): void => {};
  const remove = l2.delete;
  l2.delete = async (key) => {
    await new Promise<void>((resolve) => (open = resolve));
    return remove(key);
  };
  const change = chain.delete('key');
  t.is(await chain.get('key'), 'old', 'the second tier has it still');
  t.is(l1.get('key'), undefined);
  open();
  t.true(await change);
  t.is(await chain.get('key'), undefined);
});

test('the changes of one key reach every tier in one order', async (t) => {
  const { l1, l2, memory2 } = levels();
  const chain = ChainCache.build(l1, l2);
  const set = l2.set;
  let delay = 5;
  // Each write is quicker than the one before: without an order the first would land last.
  l2.set = async (key, value, ttl) => {
    for (let i = delay--; i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
    return set(key, value, ttl);
  };
  await Promise.all([1, 2, 3, 4].map(async (value) => chain.set('key', value, 60)));
  t.is(memory2.get('key'), 4);
  t.is(l1.get('key'), 4);
});

test('setIfNotExists is decided by the deepest tier', async (t) => {
  const { l1, l2, memory2 } = levels();
  const chain = ChainCache.build(l1, l2, { onError: (error) => t.fail(error.message) });
  memory2.set('taken', 'by another process', 60);
  t.false(await chain.setIfNotExists('taken', 'mine', 60));
  t.is(l1.get('taken'), undefined);
  l1.set('free', 'a copy of what has gone', 60);
  t.true(await chain.setIfNotExists('free', 'mine', 60));
  t.is(l1.get('free'), 'mine');
  l2.mode = 'rejects';
  await t.throwsAsync(async () => chain.setIfNotExists('unknown', 'mine', 60), { message: 'driven: rejects' });
  t.is(l1.get('unknown'), undefined);
});

test('a stale entry of a lower tier is found by getEntry, and the freshest of all is answered', async (t) => {
  const clock = fakeClock();
  const { l1, l2, l3, memory2, memory3 } = levels(clock);
  const chain = ChainCache.build(l1, l2, l3, { clock });
  const now = seconds(clock);
  memory3.setEntry('key', { value: 'older', freshUntil: now - 20, createdAt: now - 60 }, 600);
  memory2.setEntry('key', { value: 'old', freshUntil: now - 10, createdAt: now - 60 }, 600);
  t.is((await chain.getEntry('key'))?.value, 'old');
  t.is(await chain.get('key'), undefined);
  t.is(l1.getEntry('key'), undefined, 'what is stale is not promoted');
  await chain.setEntry('held', { value: 1, freshUntil: now + 10, createdAt: now }, 600);
  clock.advance(300_000);
  for (const store of [l1, memory2, memory3]) t.is(store.getEntry('held')?.value, 1, 'the stale window was passed on');
});

test('stale-while-revalidate works through a chain: served stale from a lower tier, refreshed once, and then fresh in all', async (t) => {
  const clock = fakeClock();
  const { l1, l2, memory2 } = levels(clock);
  let loads = 0;
  const make = (first: InMemCache): ((id: number) => Promise<string>) =>
    cacheOn(clock, 10, { key: 'item:{}', stale: 600, store: ChainCache.build(first, l2, { clock }) }, async (id: number) => {
      loads += 1;
      return `${id} by load ${loads}`;
    }) as never;
  const item = make(l1);
  t.is(await item(1), '1 by load 1');
  clock.advance(60_000);
  // Another process, whose memory is empty: it finds the stale entry in the shared tier.
  const other = new InMemCache({ clock });
  const elsewhere = make(other);
  t.is(await elsewhere(1), '1 by load 1');
  await until(() => loads === 2 && other.get('item:1') === '1 by load 2', { what: 'the refresh' });
  t.is(memory2.get('item:1'), '1 by load 2');
  t.is(await item(1), '1 by load 2', 'the first process has a stale copy, and finds the fresh one below it');
  t.is(l1.get('item:1'), '1 by load 2');
  t.is(loads, 2);
});

test('each tier has its own figures in the metrics, as in the guide', async (t) => {
  const metrics = new InMemoryMetrics();
  const clock = fakeClock();
  const { l1, memory2, memory3 } = levels(clock);
  const chain = ChainCache.build(
    new InstrumentedStorage(l1, metrics, 'L1:memory'),
    new InstrumentedStorage(new Driven(memory2), metrics, 'L2:redis'),
    new InstrumentedStorage(new Driven(memory3), metrics, 'L3:s3'),
    { ttls: [60, 300, 3600], clock },
  );
  memory3.set('page', 'content', 3600);
  const page = cacheOn(clock, 3600, { key: 'page', store: chain }, async () => 'never called') as () => Promise<string>;
  for (let i = 0; i < 10; i++) t.is(await page(), 'content');
  clock.advance(61_000);
  for (let i = 0; i < 10; i++) t.is(await page(), 'content');
  const { caches } = metrics.getStats();
  const row = (name: string): unknown[] => [caches[name]?.hits, caches[name]?.misses, caches[name]?.sets];
  t.deepEqual(row('L1:memory'), [18, 2, 2]);
  t.deepEqual(row('L2:redis'), [1, 1, 1]);
  t.deepEqual(row('L3:s3'), [1, 0, 0]);
});

test('without onError a tier that is down is warned about once, and again after it worked', async (t) => {
  const warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listen);
  t.teardown(() => process.off('warning', listen));
  const { l1, l2 } = levels();
  const chain = ChainCache.build(l1, l2, { name: 'items of this test' });
  l2.mode = 'rejects';
  for (let i = 0; i < 5; i++) await chain.get('key');
  l2.mode = 'well';
  await chain.get('key');
  l2.mode = 'throws';
  for (let i = 0; i < 5; i++) await chain.get('key');
  await until(() => warnings.length >= 2, { what: 'the warnings' });
  t.deepEqual(warnings, [
    'advanced-caching: tier 2 of items of this test (Driven) failed to get, and is passed over: Error: driven: rejects',
    'advanced-caching: tier 2 of items of this test (Driven) failed to get, and is passed over: Error: driven: throws',
  ]);
});

test('bad arguments are refused at once', (t) => {
  const [a, b] = [new InMemCache(), new InMemCache()];
  const refused = (run: () => unknown, message: RegExp): void => void t.throws(run, { message });
  const build = ChainCache.build as (...args: unknown[]) => ChainCache;
  refused(() => build(), /a chain of one store or more, got none/);
  refused(() => build({ ttls: [] }), /tier 1.*a store.*got an object/);
  refused(() => build(a, InMemCache), /tier 2.*a store.*got the function InMemCache/);
  refused(() => build(a, undefined, { ttls: [1, 2] }), /tier 2.*got undefined/);
  refused(() => build(a, a), /a store of its own, got one twice \(tier 2\)/);
  refused(() => build(a, b, { ttl: 1 }), /among ttls.*got 'ttl'/);
  refused(() => build(a, b, { ttls: 60 }), /ttls.*array/);
  refused(() => build(a, b, { ttls: [60] }), /one duration a tier \(2\), got 1/);
  refused(() => build(a, b, { ttls: [60, -1] }), /ttls\[1\].*got -1/);
  refused(() => build(a, b, { ttls: [0, 60] }), /ttls\[0\].*above 0/);
  refused(() => build(a, b, { timeout: 'soon' }), /timeout.*got 'soon'/);
  refused(() => build(a, b, { timeout: 0 }), /timeout.*above 0/);
  refused(() => build(a, b, { name: '' }), /name.*non-empty/);
  refused(() => build(a, b, { metrics: {} }), /MetricsCollector/);
  refused(() => build(a, b, { onError: 1 }), /onError.*function/);
  refused(() => build(a, b, { clock: 1 }), /clock/);
  refused(() => new HybridCache({ l1Ttl: 60 } as never), /tier 2.*got undefined/);
  refused(() => new HybridCache({ l2Cache: a } as never), /l1Ttl.*got undefined/);
  refused(() => new HybridCache({ l1Ttl: 60, l2Cache: a, l2Tll: 1 } as never), /among.*got 'l2Tll'/);
});
