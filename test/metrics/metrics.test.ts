import test from 'ava';
import {
  InMemCache,
  InMemoryMetrics,
  InstrumentedStorage,
  type MetricsCollector,
  NULL_METRICS,
  bg,
  cache,
  guardMetrics,
  isSyncCacheStorage,
} from '../../dist/index.js';
import { cacheOn } from '../../dist/cache/cache.js';
import { fakeClock } from '../../dist/testing/index.js';
import { AsyncStore } from '../helpers/async-store.js';
import { until } from '../helpers/wait.js';

test('getStats has the structure of the guide', (t) => {
  const metrics = new InMemoryMetrics();
  const before = metrics.getStats();
  t.true(before.uptimeSeconds >= 0);
  t.deepEqual(
    { ...before, uptimeSeconds: 0 },
    { uptimeSeconds: 0, caches: {}, latency: {}, errors: {}, memory: {}, backgroundRefresh: {} },
  );
  for (let i = 0; i < 120; i++) metrics.recordHit('getUser');
  for (let i = 0; i < 5; i++) {
    metrics.recordMiss('getUser');
    metrics.recordSet('getUser');
  }
  metrics.recordDelete('getUser');
  metrics.recordLatency('getUser', { operation: 'get', durationSeconds: 0.001 });
  metrics.recordLatency('getUser', { operation: 'get', durationSeconds: 0.003 });
  metrics.recordLatency('getUser', { operation: 'get' });
  metrics.recordError('getUser', { operation: 'get', errorType: 'WireFormatError' });
  metrics.recordError('getUser', { operation: 'get', errorType: 'WireFormatError' });
  metrics.recordMemoryUsage('getUser', { bytesUsed: 2 ** 20, entryCount: 5 });
  metrics.recordBackgroundRefresh('flags', { success: true });
  metrics.recordBackgroundRefresh('flags', { success: false });
  const { caches, latency, errors, memory, backgroundRefresh } = metrics.getStats();
  t.deepEqual(caches, { getUser: { hits: 120, misses: 5, sets: 5, deletes: 1, hitRatePercent: 96 } });
  t.deepEqual(errors, { 'getUser.get': { WireFormatError: 2 } });
  t.deepEqual(memory, { getUser: { bytes: 2 ** 20, entries: 5, mb: 1 } });
  t.deepEqual(backgroundRefresh, { flags: { success: 1, failure: 1 } });
  const get = latency['getUser.get'];
  t.deepEqual(Object.keys(get ?? {}), ['count', 'p50Ms', 'p95Ms', 'p99Ms', 'avgMs']);
  t.is(get?.count, 2);
  t.true(Math.abs((get?.p50Ms ?? 0) - 1) < 0.02 && Math.abs((get?.p99Ms ?? 0) - 3) < 0.05 && Math.abs((get?.avgMs ?? 0) - 2) < 0.05);
});

test('names made from keys do not fill the memory', (t) => {
  const metrics = new InMemoryMetrics();
  for (let i = 0; i < 5000; i++) metrics.recordHit(`name ${i}`);
  const { caches } = metrics.getStats();
  t.is(Object.keys(caches).length, 101);
  t.is(caches['other']?.hits, 4900);
});

test('cache records one hit or miss a call, and what it does', (t) => {
  const metrics = new InMemoryMetrics();
  let fails = false;
  const load = cache(60, { key: 'user:{id}', metrics })(function getUser(id: number) {
    if (fails) throw new RangeError('no');
    return id;
  });
  for (let i = 0; i < 5; i++) load(1);
  load(2);
  load.invalidate(2);
  fails = true;
  t.throws(() => load(3));
  const { caches, errors, latency } = metrics.getStats();
  t.deepEqual(caches, { getUser: { hits: 4, misses: 3, sets: 2, deletes: 1, hitRatePercent: 400 / 7 } });
  t.deepEqual(errors, { 'getUser.load': { RangeError: 1 } });
  t.is(latency['getUser.get']?.count, 7);
  t.is(latency['getUser.set']?.count, 2);
  const named = cache(60, { key: 'a', metrics, name: 'mine' })(() => 1);
  named();
  t.is(metrics.getStats().caches['mine']?.misses, 1);
});

test('with an asynchronous store: joined calls are misses, a stale one is a hit, refreshes and store errors are counted', async (t) => {
  const metrics = new InMemoryMetrics();
  const clock = fakeClock();
  const store = new AsyncStore(new InMemCache({ clock }));
  let runs = 0;
  const fn = async (): Promise<number> => {
    if (++runs === 3) throw new TypeError('no');
    return runs;
  };
  const load = cacheOn(clock, 60, { key: 'a', stale: 60, store, metrics, name: 'f', onError() {} }, fn) as () => Promise<number>;
  await Promise.all([load(), load(), load()]);
  t.deepEqual(metrics.getStats().caches['f'], { hits: 0, misses: 3, sets: 1, deletes: 0, hitRatePercent: 0 });
  for (const count of [1, 2]) {
    clock.advance(70_000);
    await load();
    await until(() => Object.values(metrics.getStats().backgroundRefresh['f'] ?? {}).reduce((a, b) => a + b, 0) === count);
  }
  t.deepEqual(metrics.getStats().backgroundRefresh, { f: { success: 1, failure: 1 } });
  t.is(metrics.getStats().caches['f']?.hits, 2);
  t.deepEqual(metrics.getStats().errors, { 'f.refresh': { TypeError: 1 } });
  store.failing.add('getEntry');
  await load();
  t.deepEqual(metrics.getStats().errors['f.get'], { Error: 1 });
});

function throwing(): MetricsCollector & { calls: number } {
  const collector = { calls: 0 } as Record<string, unknown> & { calls: number };
  for (const name of Object.keys(NULL_METRICS)) {
    collector[name] = () => {
      collector.calls++;
      throw new Error('in the collector');
    };
  }
  return collector as unknown as MetricsCollector & { calls: number };
}

test('runs of bg and bg.write are counted, timed, and their errors named', async (t) => {
  const metrics = new InMemoryMetrics();
  let fails = false;
  const loader = async (): Promise<number> => {
    if (fails) throw new RangeError('no');
    return 1;
  };
  const flags = bg(3600, { key: 'counted:flags', name: 'flags', metrics, onError() {} })(loader);
  const rates = bg.write(3600, { key: 'counted:rates', name: 'rates', metrics, ref: false, onError() {} })(loader);
  await Promise.all([flags(), rates.ready()]);
  fails = true;
  await t.throwsAsync(flags.refresh());
  await t.throwsAsync(rates.refresh());
  const { backgroundRefresh, latency, errors } = metrics.getStats();
  t.deepEqual(backgroundRefresh, { flags: { success: 1, failure: 1 }, rates: { success: 1, failure: 1 } });
  t.deepEqual(errors, { 'flags.refresh': { RangeError: 1 }, 'rates.refresh': { RangeError: 1 } });
  t.deepEqual([latency['flags.refresh']?.count, latency['rates.refresh']?.count], [2, 2]);
  await Promise.all([flags.stop(), rates.stop()]);
});

test('a throwing collector never reaches a caller, and is reported once', async (t) => {
  const errors: Error[] = [];
  const metrics = throwing();
  const load = cache(60, { key: 'a', metrics, onError: (error) => errors.push(error) })(() => 1);
  const async_ = cache(60, { key: 'a', metrics, store: new AsyncStore(), onError: (error) => errors.push(error) })(async () => 1);
  for (let i = 0; i < 3; i++) {
    t.is(load(), 1);
    t.is(await async_(), 1);
  }
  load.invalidate();
  t.true(metrics.calls > 6);
  t.is(errors.length, 2, 'once for each of the two functions');
});

test('a collector that answers rejected Promises is contained too', async (t) => {
  const errors: Error[] = [];
  const guarded = guardMetrics({ ...NULL_METRICS, recordHit: (() => Promise.reject(new Error('later'))) as () => void }, (error) =>
    errors.push(error),
  );
  guarded.recordHit('a');
  guarded.recordHit('a');
  await until(() => errors.length === 1);
  t.is(guardMetrics(guarded), guarded);
});

test('NULL_METRICS is no collector at all', (t) => {
  const load = cache(60, { key: 'a', metrics: NULL_METRICS })(() => 1);
  t.is(load(), load());
  t.notThrows(() => NULL_METRICS.recordHit('a', { key: 'b' }));
});

test('InstrumentedStorage counts what passes through it, and is synchronous when its store is', async (t) => {
  const metrics = new InMemoryMetrics();
  const sync = new InstrumentedStorage(new InMemCache(), metrics, 'L1');
  t.true(isSyncCacheStorage(sync));
  t.false(isSyncCacheStorage(new InstrumentedStorage(new AsyncStore(), metrics, 'L2')));
  sync.set('a', 1, 60);
  t.is(sync.get('a'), 1);
  sync.get('b');
  sync.getEntry('a');
  sync.setIfNotExists('a', 2, 60);
  sync.setIfNotExists('c', 2, 60);
  sync.setMany(
    new Map([
      ['d', 1],
      ['e', 2],
    ]),
    60,
  );
  sync.getMany(['a', 'd', 'nope']);
  sync.delete('a');
  sync.exists('a');
  sync.clear();
  const { caches, latency } = metrics.getStats();
  t.deepEqual(caches, { L1: { hits: 4, misses: 2, sets: 4, deletes: 1, hitRatePercent: 400 / 6 } });
  t.deepEqual(Object.fromEntries(Object.entries(latency).map(([name, { count }]) => [name, count])), {
    'L1.set': 4,
    'L1.get': 4,
    'L1.delete': 1,
    'L1.exists': 1,
    'L1.clear': 1,
  });
  const broken = new AsyncStore();
  broken.failing.add('get');
  await t.throwsAsync(async () => new InstrumentedStorage(broken, metrics, 'L2').get('a'), { message: 'get is down' });
  t.deepEqual(metrics.getStats().errors, { 'L2.get': { Error: 1 } });
});

test('cache on an InstrumentedStorage stays synchronous', (t) => {
  const metrics = new InMemoryMetrics();
  const load = cache(60, { key: 'a', store: new InstrumentedStorage(new InMemCache(), metrics, 'L1') })(() => 1);
  t.is(load(), 1);
  t.is(load(), 1);
  t.is(metrics.getStats().caches['L1']?.hits, 1);
});

test('every kind of key counts hits without a call of the collector, and times some of them', (t) => {
  const metrics = new InMemoryMetrics({ sampleEvery: 16 });
  const fixed = cache(60, { key: 'flags', metrics, name: 'fixed' })(() => 1);
  const first = cache(60, { key: 'user:{}', metrics, name: 'first' })((id: number) => id);
  const second = cache(60, { key: '{b}', metrics, name: 'second' })((a: number, b: number) => a + b);
  const both = cache(60, { key: '{a}:{b}', metrics, name: 'both' })((a: number, b: number) => a + b);
  const made = cache(60, { key: (id: number) => `made:${id}`, metrics, name: 'made' })((id: number) => id);
  for (let i = 0; i < 5000; i++) {
    fixed();
    first(7);
    second(1, 2);
    both(1, 2);
    made(7);
  }
  const { caches, latency } = metrics.getStats();
  for (const name of ['fixed', 'first', 'second', 'both', 'made']) {
    t.like(caches[name], { hits: 4999, misses: 1, sets: 1 }, name);
    const timed = latency[`${name}.get`];
    t.true(Math.abs((timed?.count ?? 0) - 5000) <= 32, `${name}: the timed ones stand for ${timed?.count}`);
  }
});

test('a collector with a recordHit of its own is called for each hit', (t) => {
  class Own extends InMemoryMetrics {
    readonly keys: (string | undefined)[] = [];
    override recordHit(cacheName: string, detail?: { key?: string }): void {
      this.keys.push(detail?.key);
      super.recordHit(cacheName);
    }
  }
  const metrics = new Own();
  const stubbed = new InMemoryMetrics();
  let calls = 0;
  stubbed.recordMiss = () => void calls++;
  const own = cache(60, { key: 'user:{}', metrics, name: 'own' })((id: number) => id);
  const stub = cache(60, { key: 'user:{}', metrics: stubbed })((id: number) => id);
  for (let i = 0; i < 3; i++) {
    own(1);
    stub(1);
  }
  t.deepEqual(metrics.keys, ['user:1', 'user:1']);
  t.is(metrics.getStats().caches['own']?.hits, 2);
  t.is(calls, 1);
});

test('a collector behind a guard counts as fast as without', (t) => {
  const metrics = new InMemoryMetrics();
  const load = cache(60, { key: 'a', metrics: guardMetrics(metrics), name: 'guarded' })(() => 1);
  for (let i = 0; i < 10; i++) load();
  t.is(metrics.getStats().caches['guarded']?.hits, 9);
});

test('two functions of one name share their counts, and the sampling', (t) => {
  const metrics = new InMemoryMetrics({ sampleEvery: 16 });
  const one = (value: number): (() => number) => cache(60, { key: 'a', metrics, name: 'same' })(() => value);
  const [a, b] = [one(1), one(2)];
  for (let i = 0; i < 2000; i++) t.is(a() + b(), 3);
  t.like(metrics.getStats().caches['same'], { hits: 3998, misses: 2 });
  t.true(Math.abs((metrics.getStats().latency['same.get']?.count ?? 0) - 4000) <= 32);
});

test('memory: what an InMemCache holds, where it is measured', (t) => {
  const metrics = new InMemoryMetrics();
  const counted = cache(60, { key: 'user:{}', metrics, name: 'counted' })((id: number) => id);
  const measured = cache(60, { key: 'user:{}', metrics, name: 'measured', store: new InMemCache({ maxBytes: 100_000 }) })(
    (id: number) => id,
  );
  const tier = new InstrumentedStorage(new InMemCache({ maxBytes: 100_000 }), metrics, 'tier');
  for (let i = 0; i < 5; i++) {
    counted(i);
    measured(i);
    tier.set(`key ${i}`, i, 60);
  }
  tier.delete('key 0');
  const { memory } = metrics.getStats();
  t.deepEqual(memory['counted'], { bytes: 0, entries: 5, mb: 0 });
  t.is(memory['measured']?.entries, 5);
  t.true((memory['measured']?.bytes ?? 0) > 100);
  t.is(memory['tier']?.entries, 4);
  t.true((memory['tier']?.bytes ?? 0) > 100);
});

test('InstrumentedStorage on a synchronous store times some lookups', (t) => {
  const metrics = new InMemoryMetrics({ sampleEvery: 16 });
  const store = new InstrumentedStorage(new InMemCache(), metrics, 'L1');
  store.set('a', 1, 60);
  for (let i = 0; i < 3000; i++) store.get(i % 3 === 0 ? 'b' : 'a');
  for (let i = 0; i < 100; i++) store.getMany(['a', 'b', 'c']);
  t.like(metrics.getStats().caches['L1'], { hits: 2000 + 100, misses: 1000 + 200 });
  const count = metrics.getStats().latency['L1.get']?.count ?? 0;
  t.true(Math.abs(count - 3100) <= 32, `${count} of 3000 lookups and 100 of many keys`);
});

test('loads are timed, also those that fail', async (t) => {
  const metrics = new InMemoryMetrics();
  const load = cache(60, { key: 'user:{}', metrics, name: 'slow', store: new AsyncStore() })(async (id: number) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (id === 2) throw new RangeError('no');
    return id;
  });
  await Promise.all([load(1), load(1), t.throwsAsync(async () => load(2))]);
  const { latency } = metrics.getStats();
  t.is(latency['slow.load']?.count, 2);
  t.true((latency['slow.load']?.p50Ms ?? 0) > 15);
});

/** A thenable that runs anew each time it is asked, as the queries of some libraries do. */
test('a lazy thenable is asked once, with metrics as without', async (t) => {
  for (const metrics of [undefined, new InMemoryMetrics()]) {
    let runs = 0;
    const query = { then: (resolve: (value: number) => void): void => resolve(++runs) };
    const load = cache(60, { key: 'a', ...(metrics && { metrics }) })(() => query as unknown as Promise<number>);
    t.is(await load(), 1);
    t.is(await load(), 1);
    t.is(runs, 1);
  }
});

for (const fault of ['traceLoad', 'run before', 'run after', 'run twice', 'run never', 'end'] as const) {
  test(`a tracer that fails never reaches a caller: ${fault}`, async (t) => {
    const errors: Error[] = [];
    const fail = (): never => {
      throw new Error('in the tracer');
    };
    const metrics: MetricsCollector = {
      ...NULL_METRICS,
      traceLoad: () => {
        if (fault === 'traceLoad') fail();
        return {
          run<T>(load: () => T): T {
            if (fault === 'run before') fail();
            if (fault === 'run never') return undefined as T;
            const value = load();
            if (fault === 'run twice') load();
            if (fault === 'run after') fail();
            return value;
          },
          end: () => {
            if (fault === 'end') fail();
          },
        };
      },
    };
    let runs = 0;
    const fn = (id: number): number => {
      runs++;
      if (id === 2) throw new RangeError('mine');
      return id;
    };
    for (const store of [new InMemCache(), new AsyncStore()]) {
      runs = 0;
      const load = cache(60, { key: 'user:{}', metrics, store, onError: (error) => errors.push(error) })(fn);
      t.is(await load(1), 1);
      await t.throwsAsync(async () => load(2), { instanceOf: RangeError, message: 'mine' });
      t.is(runs, 2, 'each load ran once');
    }
    t.true(errors.every(({ message }) => message === 'in the tracer'));
    if (!['run twice', 'run never'].includes(fault)) t.true(errors.length >= 1);
  });
}
