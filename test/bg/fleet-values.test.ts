/** What a user of scope 'fleet' calls, in one process. */
import test from 'ava';
import { bg, ChainCache, health, InMemCache, InMemoryMetrics, RedisCache, StaleError } from '../../dist/index.js';
import { fileScope, once } from '../support/file-scope.js';
import { until } from '../support/process.js';
import { noRedis, startRedis } from '../support/redis.js';
import { collect, endAfterwards, newKey } from './support.js';

// Before the Redis that it uses is ended.
endAfterwards();
const scope = fileScope();

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';
const server = once(() => startRedis(scope));

async function newStore(options: ConstructorParameters<typeof RedisCache>[1] = {}): Promise<RedisCache> {
  return new RedisCache((await server()).client(), { prefix: 'app:', ...options });
}

redisTest(`a fleet's value: written, read through the store and without, as an entry, and what the statuses say${hint}`, async (t) => {
  const key = newKey();
  const store = await newStore();
  let rate = 1;
  const writer = bg.write(3600, { key, scope: 'fleet', store, lease: '30s', ttl: 60, ref: false })(() => ({ rate }));
  const mirror = bg.read<{ rate: number }>(key, { store });
  const storeless = bg.read<{ rate: number }>(key);
  t.is(mirror(), undefined);
  t.deepEqual(await mirror.ready(), { rate: 1 });
  t.deepEqual(await storeless.ready(), { rate: 1 });
  t.deepEqual(await writer.ready(), { rate: 1 });
  t.is(mirror(), mirror(), 'the same object');
  rate = 2;
  await writer.refresh();
  t.deepEqual((await store.getEntry(key))?.value, { rate: 2 }, 'refresh resolves when Redis has it');
  await until(() => mirror()?.rate === 2 && storeless()?.rate === 2, { what: 'the second value' });
  t.like(writer.status(), { scope: 'fleet', state: 'live', version: 2, refreshes: 2, failures: 0 });
  t.true((writer.status().leaseLeft ?? 0) > 15);
  t.like(mirror.status(), { state: 'live', version: 2, epoch: writer.status().epoch, isStale: false });
  await until(() => mirror.status().writer === writer.status().writer, { what: 'who writes is told' });
  await until(() => mirror.status().lag !== undefined, { what: 'the lag is told' });
  t.true(health().ready);
  t.true(bg.status().writers.some((status) => status.key === key && status.scope === 'fleet'));
  const { version } = storeless;
  await writer.stop();
  t.deepEqual(storeless(), { rate: 2 }, 'it stays');
  t.is(storeless.version, version);
  t.is(writer.status().state, 'closed');
});

redisTest(`a loader that fails; a value past its ttl: as the reader chose${hint}`, async (t) => {
  const key = newKey();
  const store = await newStore();
  let fails = false;
  const { errors, onError } = collect();
  const writer = bg.write('50ms', { key, scope: 'fleet', store, ref: false, onError })(() => {
    if (fails) throw new Error('the source is down');
    return 'value';
  });
  const [gone, throws, served] = (['undefined', 'throw', 'serve'] as const).map((onStale) =>
    bg.read(key, { store, ttl: '400ms', onStale }),
  );
  for (const mirror of [gone, throws, served]) await mirror?.ready();
  fails = true;
  await until(() => writer.status().consecutiveFailures > 1, { what: 'failures' });
  t.is(writer.status().state, 'interrupted');
  t.regex(errors[0]?.message ?? '', /source is down/);
  await until(() => gone?.() === undefined, { what: 'it is too old' });
  t.throws(() => throws?.(), { instanceOf: StaleError });
  t.is(served?.(), 'value');
  t.true(served?.isStale);
  fails = false;
  await until(() => gone?.() === 'value' && throws?.() === 'value', { what: 'a new one' });
  t.is(writer.status().state, 'live');
  await writer.stop();
});

redisTest(`records: lookups through the store and without${hint}`, async (t) => {
  const key = newKey();
  const store = await newStore();
  const cities = { paris: { people: 2 }, rome: { people: 3 } };
  const writer = bg.write('1h', { key, scope: 'fleet', keyed: true, store, ref: false })(() => cities);
  const mirrors = [bg.read.keyed<{ people: number }>(key, { store }), bg.read.keyed<{ people: number }>(key)];
  for (const mirror of mirrors) {
    await mirror.ready();
    t.deepEqual(mirror.get('rome'), { people: 3 });
    t.is(mirror.size, 2);
  }
  cities.rome = { people: 4 };
  await writer.refresh();
  await until(() => mirrors.every((mirror) => mirror.get('rome')?.people === 4), { what: 'the change' });
  await writer.stop();
  t.throws(() => bg.read.keyed(key, { store: new InMemCache() as never }), { message: /`store` to be a RedisCache, got/ });
});

redisTest(`the store's serializer is the writer's: MessagePack, a custom one${hint}`, async (t) => {
  const custom = {
    name: 'reversed',
    dumps: (value: unknown) => Buffer.from(JSON.stringify(value)).reverse(),
    loads: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).reverse().toString()) as unknown,
  };
  for (const serializer of ['msgpack', custom] as const) {
    const key = newKey();
    const store = await newStore({ serializer });
    const writer = bg.write('1h', { key, scope: 'fleet', store, ref: false })(() => ({ a: [1, 2, 3] }));
    const mirror = bg.read(key, { store: await newStore({ serializer }) });
    t.deepEqual(await mirror.ready(), { a: [1, 2, 3] });
    t.deepEqual((await store.getEntry(key))?.value, { a: [1, 2, 3] });
    await writer.stop();
  }
});

redisTest(`bg with scope 'fleet' gives the fleet's value${hint}`, async (t) => {
  const store = await newStore();
  let calls = 0;
  const flags = bg('1h', { key: newKey(), scope: 'fleet', store })(async () => ({ call: ++calls }));
  t.deepEqual(await flags(), { call: 1 });
  await flags.refresh();
  t.deepEqual(await flags(), { call: 2 });
  await flags.stop();
});

redisTest(`the first look after one interval; what a collector hears; a writer of scope 'process' beside${hint}`, async (t) => {
  const key = newKey();
  const store = await newStore();
  const metrics = new InMemoryMetrics();
  const late = bg.read(key, { store, interval: '600ms', runImmediately: false, metrics });
  const writer = bg.write('1h', { key, store, ref: false })(() => 'of this process');
  await writer.ready();
  await until(async () => (await store.getEntry(key)) !== undefined, { what: 'the entry' });
  t.is(late(), undefined);
  t.is(await late.ready(), 'of this process');
  t.like(late.status(), { writer: '', via: 'direct' });
  t.true((metrics.getStats().backgroundRefresh[key]?.success ?? 0) > 0, JSON.stringify(metrics.getStats().backgroundRefresh));
  // The same bytes again: a younger entry, under the same version.
  const before = (await store.getEntry(key))?.createdAt ?? 0;
  const { version } = late;
  await until(() => Date.now() / 1000 > before + 0.02, { what: 'time goes by' });
  await writer.refresh();
  await until(async () => ((await store.getEntry(key))?.createdAt ?? 0) > before, { what: 'a younger entry' });
  t.is(late.version, version);
  await writer.stop();
});

redisTest(`other stores are looked into as before${hint}`, async (t) => {
  const chain = ChainCache.build(new InMemCache(), await newStore(), { ttls: [60, 60] });
  for (const store of [chain, new InMemCache()]) {
    const key = newKey();
    const writer = bg.write('1h', { key, store, ref: false })(() => 'kept');
    const mirror = bg.read(key, { store, interval: '50ms' });
    t.is(await mirror.ready(), 'kept');
    t.is(mirror.status().via, 'store');
    await writer.stop();
  }
});

redisTest(`a store with a secret: a fleet's value, its records, and a writer of scope 'process'${hint}`, async (t) => {
  const secret = 'x'.repeat(32);
  const [key, keyed, own] = [newKey(), newKey(), newKey()];
  const store = await newStore({ secret });
  let rate = 1;
  const writer = bg.write('1h', { key, scope: 'fleet', store, ref: false })(() => ({ rate }));
  const mirrors = [bg.read<{ rate: number }>(key, { store: await newStore({ secret }) }), bg.read<{ rate: number }>(key)];
  for (const mirror of mirrors) t.deepEqual(await mirror.ready(), { rate: 1 });
  rate = 2;
  await writer.refresh();
  t.deepEqual((await store.getEntry(key))?.value, { rate: 2 });
  await until(() => mirrors.every((mirror) => mirror()?.rate === 2), { what: 'the second value' });
  // Loaded again unchanged.
  const { version } = writer.status();
  await writer.refresh();
  t.is(writer.status().version, version);
  t.deepEqual((await store.getEntry(key))?.value, { rate: 2 }, 'sealed anew');

  const records = bg.write('1h', { key: keyed, scope: 'fleet', keyed: true, store, ref: false })(() => ({ rome: { people: 3 } }));
  const cities = bg.read.keyed<{ people: number }>(keyed, { store });
  await cities.ready();
  t.deepEqual(cities.get('rome'), { people: 3 });

  // Nobody announces it: it is found by looking.
  const lone = bg.write('1h', { key: own, store, ref: false })(() => 'kept');
  const found = bg.read(own, { store, interval: '50ms' });
  t.is(await found.ready(), 'kept');
  await Promise.all([writer, records, lone].map((one) => one.stop()));
});

// By itself: another test asks whether all mirrors of the process are ready.
(noRedis ? test.skip : test.serial)(`who has the secret and who has none never meet, not even in one process${hint}`, async (t) => {
  const key = newKey();
  const sealed = await newStore({ secret: 'x'.repeat(32) });
  const writer = bg.write('1h', { key, scope: 'fleet', store: sealed, ref: false })(() => 'sealed');
  const { errors, onError } = collect();
  const plain = bg.read(key, { store: await newStore(), interval: '50ms', onError });
  t.is(await bg.read(key, { store: sealed }).ready(), 'sealed');
  await until(() => errors.length > 0, { what: 'told' });
  t.regex(errors[0]?.message ?? '', /sealed, and this store has no `secret`/);
  t.is(plain(), undefined);
  plain.close();
  await writer.stop();
});

redisTest(`a second writer in this thread is refused, and what is published stays${hint}`, async (t) => {
  const key = newKey();
  const store = await newStore();
  const writer = bg.write('1h', { key, scope: 'fleet', store, ref: false })(() => 1);
  t.throws(() => bg.write('1h', { key, scope: 'fleet', store, ref: false })(() => 2), { code: 'ERR_DUPLICATE_WRITER' });
  t.is(await writer.ready(), 1);
  await writer.stop();
});
