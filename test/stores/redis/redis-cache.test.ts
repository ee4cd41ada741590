import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import test from 'ava';
import type { Redis } from 'ioredis';
import {
  InMemoryMetrics,
  InstrumentedStorage,
  RedisCache,
  type RedisCacheOptions,
  type RedisClient,
  SerializationError,
  StoreError,
  WireFormatError,
  cache,
} from '../../../dist/index.js';
import { fakeClock } from '../../../dist/testing/index.js';
import { encodeEntry } from '../../../dist/wire/entry.js';
import { fileScope, once } from '../../support/file-scope.js';
import { until } from '../../support/process.js';
import { commandsOf, noRedis, startCluster, startRedis } from '../../support/redis.js';

const scope = fileScope();
const server = once(() => startRedis(scope));
const cluster = once(() => startCluster(scope));
const client = once(async () => (await server()).client());
const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

let stores = 0;
async function make(options: RedisCacheOptions = {}): Promise<{ store: RedisCache; redis: Redis; prefix: string }> {
  const redis = await client();
  const prefix = options.prefix ?? `t${stores++}:`;
  return { store: new RedisCache(redis, { timeout: 20, ...options, prefix }), redis, prefix };
}

const now = (): number => Date.now() / 1000;

/** What Redis is asked about keys under `prefix` while `run` runs. */
async function asked(prefix: string, run: () => Promise<unknown>): Promise<string[][]> {
  const { commands, stop } = await commandsOf(await server());
  await run();
  const mark = `${prefix}the run is over`;
  await (await client()).exists(mark);
  await until(() => commands.some((command) => command.includes(mark)), { what: 'MONITOR has told all' });
  stop();
  return commands.filter((command) => command.some((word) => word.startsWith(prefix)) && !command.includes(mark));
}

const names = (commands: string[][]): string[] => commands.map(([name]) => (name as string).toLowerCase());

redisTest(`each operation is the fewest commands, in one round trip${hint}`, async (t) => {
  const { store, prefix } = await make();
  const of = async (run: () => Promise<unknown>): Promise<string[]> => names(await asked(prefix, run));
  t.deepEqual(await of(() => store.set('a', 1, 60)), ['set']);
  t.deepEqual(await of(() => store.get('a')), ['get']);
  t.deepEqual(await of(() => store.getEntry('a')), ['get']);
  t.deepEqual(await of(() => store.exists('a')), ['getrange']);
  t.deepEqual(await of(() => store.setEntry('a', { value: 1, freshUntil: now() + 9, createdAt: now() }, 60)), ['set']);
  t.deepEqual(await of(() => store.delete('a')), ['unlink']);
  t.deepEqual(await of(() => store.set('a', 1, 0)), ['unlink']);
  const commands = await asked(prefix, () => store.setIfNotExists('b', 1, 60));
  t.deepEqual(names(commands), ['set', 'getrange']);
  t.deepEqual([commands[0]?.[3], commands[0]?.[5]], ['PX', 'NX']);
  t.deepEqual(await of(() => store.setIfNotExists('b', 2, 60)), ['set', 'getrange'], 'a loser waits no longer');
});

/** The client as it is, with a count of its pipelines. */
function counting<C extends RedisClient>(inner: C): { counted: C; pipelines: () => number } {
  let pipelines = 0;
  const counted = new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (name === 'pipeline') pipelines++;
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  return { counted, pipelines: () => pipelines };
}

const thousand = new Map(Array.from({ length: 1000 }, (_, i) => [`key ${i}`, { i }]));

redisTest(`a thousand keys are one pipeline${hint}`, async (t) => {
  const { counted, pipelines } = counting(await client());
  const store = new RedisCache(counted, { prefix: 'thousand:', timeout: 20 });
  await store.setMany(thousand, 60);
  t.is(pipelines(), 1);
  t.deepEqual(await store.getMany([...thousand.keys(), 'absent', 'key 1']), thousand);
  t.is(pipelines(), 3, 'one more each thousand');
});

redisTest(`a thousand keys are one pipeline for each node of a Cluster${hint}`, async (t) => {
  const { counted, pipelines } = counting((await cluster()).client());
  const store = new RedisCache(counted, { prefix: 'thousand:', timeout: 20 });
  await store.get('any');
  await store.setMany(thousand, 60);
  t.is(pipelines(), 3);
  t.deepEqual(await store.getMany([...thousand.keys()]), thousand);
  t.is(pipelines(), 6);
});

redisTest(`slots that moved to another node of a Cluster are followed${hint}`, async (t) => {
  const { nodes, client: connect } = await cluster();
  const redis = connect();
  const store = new RedisCache(redis, { prefix: 'moved{x}:', timeout: 20 });
  const slot = (await nodes[0]?.cluster('KEYSLOT', '{x}')) as number;
  const ids = await Promise.all(nodes.map((node) => node.cluster('MYID') as Promise<string>));
  await store.get('so that the client knows the nodes');
  const owner = Math.floor((slot * 3) / 16_384);
  const other = (owner + 1) % 3;
  await nodes[other]?.cluster('SETSLOT', slot, 'IMPORTING', ids[owner] as string);
  await nodes[owner]?.cluster('SETSLOT', slot, 'MIGRATING', ids[other] as string);
  // Halfway: the old node answers ASK for what it doesn't have.
  await store.setMany(new Map([['early', 0]]), 60);
  t.deepEqual([...(await store.getMany(['early', 'absent']))], [['early', 0]]);
  await store.clear();
  // Nothing is left in the old one, so it can be given away as it is.
  for (const i of [other, owner]) await nodes[i]?.cluster('SETSLOT', slot, 'NODE', ids[other] as string);
  await store.setMany(
    new Map([
      ['a', 1],
      ['b', 2],
    ]),
    60,
  );
  t.deepEqual(
    [...(await store.getMany(['a', 'b']))],
    [
      ['a', 1],
      ['b', 2],
    ],
  );
  t.is(await store.setIfNotExists('a', 3, 60), false);
  await store.clear();
  t.is(await store.get('a'), undefined);
});

redisTest(`clear() takes the prefix by the letter${hint}`, async (t) => {
  const foreign = ['app:x:1', 'app:[y]:1', 'app:[x]', 'APP:[x]:1', 'app:\\[x]:1'];
  const { store, redis } = await make({ prefix: 'app:[x]:' });
  for (const key of foreign) await redis.set(key, 'theirs');
  await store.setMany(new Map(Array.from({ length: 1500 }, (_, i) => [`*${i}`, i])), 60);
  const { commands, stop } = await commandsOf(await server());
  await store.clear();
  t.is(await store.get('*7'), undefined);
  t.deepEqual(
    await redis.mget(foreign),
    foreign.map(() => 'theirs'),
  );
  await until(() => commands.some(([name]) => name === 'mget'), { what: 'MONITOR has told all' });
  stop();
  t.true(commands.some(([name]) => name === 'scan'));
  t.deepEqual(
    commands.filter(([name]) => ['keys', 'flushdb', 'flushall', 'del'].includes((name as string).toLowerCase())),
    [],
  );
});

for (const prefix of ['*', '?', '[a-z]', '\\', '\\*', '^', '[^a]', '{a}*']) {
  redisTest(`clear() under the prefix ${prefix} leaves all others${hint}`, async (t) => {
    const own = (await startRedis(t)).client();
    await own.mset('a', '1', 'b*', '2', 'A', '3', 'z\\', '4');
    const store = new RedisCache(own, { prefix, timeout: 20 });
    await store.set('x', 1, 60);
    await store.clear();
    t.deepEqual((await own.keys('*')).sort(), ['A', 'a', 'b*', 'z\\']);
  });
}

redisTest(`clear() without a prefix has to be meant${hint}`, async (t) => {
  const own = (await startRedis(t)).client();
  const store = new RedisCache(own, { timeout: 20 });
  await store.set('a', 1, 60);
  await t.throwsAsync(store.clear(), { instanceOf: StoreError, message: /all: true/ });
  await t.throwsAsync(store.clear({ al: true } as never), { instanceOf: TypeError });
  t.is(await store.get('a'), 1);
  await store.clear({ all: true });
  t.is(await own.dbsize(), 0);
});

redisTest(`clear() reaches every node of a Cluster${hint}`, async (t) => {
  const { nodes, client: connect } = await cluster();
  const store = new RedisCache(connect(), { prefix: 'cleared:', timeout: 20 });
  const others = new RedisCache(connect(), { prefix: 'cleare', timeout: 20 });
  await store.setMany(thousand, 60);
  await others.setMany(
    new Map([
      ['x', 1],
      ['y', 1],
      ['z', 1],
    ]),
    60,
  );
  await store.clear();
  t.is((await store.getMany([...thousand.keys()])).size, 0);
  t.is((await others.getMany(['x', 'y', 'z'])).size, 3);
  const left = await Promise.all(nodes.map((node) => node.keys('cleared:*')));
  t.deepEqual(left.flat(), []);
});

redisTest(`Redis forgets an entry after its time and its stale window${hint}`, async (t) => {
  const { store, redis, prefix } = await make();
  await store.set('a', 1, 60);
  await store.setEntry('b', { value: 1, freshUntil: now() + 60, createdAt: now() }, 30);
  await store.set('ever', 1, Infinity);
  await store.set('nearly ever', 1, 1e15);
  const life = (key: string): Promise<number> => redis.pttl(prefix + key);
  t.true(Math.abs((await life('a')) - 60_000) < 5000);
  t.true(Math.abs((await life('b')) - 90_000) < 5000);
  t.is(await life('ever'), -1);
  t.is(await life('nearly ever'), -1);
});

redisTest(`unchanged bytes only prolong their life, with one command${hint}`, async (t) => {
  const { store, redis, prefix } = await make({ dedupeWrites: true });
  const value = { text: 'x'.repeat(5000) };
  await store.set('a', value, 60);
  await store.set('a', value, 60);
  const first = await store.getEntry('a');
  const commands = await asked(prefix, () => store.set('a', value, 600));
  t.deepEqual(names(commands), ['evalsha']);
  t.false(
    commands.some((command) => command.some((word) => word.length > 1000)),
    'the value does not travel',
  );
  const second = await store.getEntry('a');
  t.deepEqual(second?.value, value);
  t.true((second?.createdAt as number) >= (first?.createdAt as number));
  t.true((second?.freshUntil as number) > (first?.freshUntil as number) + 500);
  t.true((await redis.pttl(`${prefix}a`)) > 500_000);
  await store.set('a', value, Infinity);
  t.is(await redis.pttl(`${prefix}a`), -1);
  await store.set('a', value, 60);
  t.true((await redis.pttl(`${prefix}a`)) > 0);
});

redisTest(`bytes that another wrote, deleted or replaced since are written in full${hint}`, async (t) => {
  const { store, redis, prefix } = await make({ dedupeWrites: true });
  const other = new RedisCache(redis, { prefix, timeout: 20 });
  for (const meddle of [
    () => other.set('a', 'theirs', 60),
    () => other.delete('a'),
    () => redis.set(`${prefix}a`, 'garbage'),
    () => redis.unlink(`${prefix}a`).then(() => redis.rpush(`${prefix}a`, 'a list')),
  ]) {
    await store.set('a', 'ours', 60);
    await meddle();
    await store.set('a', 'ours', 60);
    t.is(await store.get('a'), 'ours');
  }
  await store.set('b', 1, 60);
  await store.delete('b');
  await store.set('b', 1, 60);
  t.is(await store.get('b'), 1);
});

redisTest(`setIfNotExists replaces what is held and not fresh, once${hint}`, async (t) => {
  const faults: Error[] = [];
  const { store, redis, prefix } = await make({ onError: (error) => void faults.push(error) });
  const createdAt = now() - 20;
  for (const [kind, plant] of Object.entries({
    stale: () => store.setEntry('key', { value: 'old', freshUntil: createdAt + 10, createdAt }, 600),
    corrupt: () => redis.set(`${prefix}key`, '{"no":"header, but long"}'),
    short: () => redis.set(`${prefix}key`, 'x'),
    empty: () => redis.set(`${prefix}key`, ''),
    list: () => redis.rpush(`${prefix}key`, 'x'),
  })) {
    await redis.unlink(`${prefix}key`);
    await plant();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => store.setIfNotExists('key', i, 60)));
    t.is(answers.filter(Boolean).length, 1, kind);
    t.is(await store.get('key'), answers.indexOf(true), kind);
  }
  t.is(await store.setIfNotExists('key', 1, 0), false);
  t.is(await store.setIfNotExists('other', 1, 0), true);
  t.is(await store.setIfNotExists('ever', 1, Infinity), true);
  t.is(await redis.pttl(`${prefix}ever`), -1);
  t.true(faults.length > 0);
  t.true(faults.every((error) => error instanceof WireFormatError));
});

/** What isn't an entry, under `key`. */
const corrupt: Record<string, (redis: Redis, name: string) => Promise<unknown>> = {
  'a text': (redis, name) => redis.set(name, '{"value":"secret canary, of somebody else"}'),
  'too short': (redis, name) => redis.set(name, 'canary'),
  empty: (redis, name) => redis.set(name, ''),
  'a good header before garbage': (redis, name) => redis.set(name, encodeEntry(Buffer.from('canary {'), Infinity, 1)),
  'a list': (redis, name) => redis.rpush(name, 'canary'),
  'too large': (redis, name) => redis.set(name, encodeEntry(Buffer.from(JSON.stringify('canary'.repeat(1000))), Infinity, 1)),
};

for (const [kind, plant] of Object.entries(corrupt)) {
  redisTest(`found under a key: ${kind}: a miss, counted as a WireFormatError${hint}`, async (t) => {
    const faults: Error[] = [];
    const { store, redis, prefix } = await make({ maxBytes: 2000, onError: (error) => void faults.push(error) });
    await plant(redis, `${prefix}key`);
    t.is(await store.get('key'), undefined);
    t.is(await store.getEntry('key'), undefined);
    await store.set('good', 1, 60);
    t.deepEqual([...(await store.getMany(['key', 'good']))], [['good', 1]]);
    // A good header is all that `exists` looks at.
    await store.exists('key');
    t.is(faults.filter((error) => error instanceof WireFormatError && error.name === 'WireFormatError').length, faults.length);
    t.true(faults.length >= 3);
    t.notRegex(inspect(faults, { depth: 9, showHidden: true }), /canary/);

    const metrics = new InMemoryMetrics();
    const instrumented = new InstrumentedStorage(store, metrics, 'L2');
    t.is(await instrumented.get('key'), undefined);
    const { errors, caches } = metrics.getStats();
    t.deepEqual(errors, { 'L2.get': { WireFormatError: 1 } } as never);
    t.is(caches['L2']?.misses, 1);

    const calls = new InMemoryMetrics();
    const reported: Error[] = [];
    const quiet = new RedisCache(redis, { prefix, timeout: 20, maxBytes: 2000 });
    const load = cache(60, { key: 'key', store: quiet, name: 'load', metrics: calls, onError: (error) => void reported.push(error) })(
      () => 7,
    );
    t.is(await load(), 7);
    t.is(await load(), 7);
    t.deepEqual(calls.getStats().errors, { 'load.get': { WireFormatError: 1 } } as never);
    t.deepEqual([calls.getStats().caches['load']?.misses, calls.getStats().caches['load']?.hits], [1, 1]);
    t.is(reported.length, 1);
  });
}

redisTest(`what can't be written is refused, and what is there stays${hint}`, async (t) => {
  const { store } = await make({ maxBytes: 1000 });
  await store.set('key', 1, 60);
  await t.throwsAsync(store.set('key', 'x'.repeat(1000), 60), { instanceOf: StoreError, message: /at most 1000 bytes, got one of 1018/ });
  await t.throwsAsync(store.set('key', undefined, 60), { instanceOf: SerializationError });
  await t.throwsAsync(store.set('key', 1n, 60), { instanceOf: SerializationError });
  await t.throwsAsync(store.setEntry('key', { value: 1, freshUntil: NaN, createdAt: 0 }), { instanceOf: TypeError });
  await t.throwsAsync(
    store.setMany(
      new Map<string, unknown>([
        ['key', 2],
        ['b', undefined],
      ]),
      60,
    ),
    { instanceOf: SerializationError },
  );
  t.is(await store.get('key'), 1);
});

for (const serializer of ['v8', 'msgpack'] as const) {
  redisTest(`${serializer}: bytes in a value are its own, not a part of what the client read${hint}`, async (t) => {
    const { store } = await make({ serializer });
    await store.set('key', { bytes: Buffer.from('hello'), floats: serializer === 'v8' ? new Float64Array([1, 2]) : null }, 60);
    const value = (await store.get('key')) as { bytes: Uint8Array; floats: Float64Array | null };
    t.is(Buffer.from(value.bytes).toString(), 'hello');
    t.true(value.bytes.buffer.byteLength < 200);
    if (value.floats) t.deepEqual([...value.floats], [1, 2]);
  });
}

redisTest(`an error says nothing of keys, values and credentials${hint}`, async (t) => {
  const redis = (await startRedis(t, ['--maxmemory', '1'])).client();
  const store = new RedisCache(redis, { prefix: 'p:', timeout: 20 });
  const errors: unknown[] = [];
  for (const run of [
    () => store.set('canary', 'canary', 60),
    () => store.setMany(new Map([['canary', 'canary']]), 60),
    () => store.setIfNotExists('canary', 'canary', 60),
  ]) {
    const error = await t.throwsAsync(run, { instanceOf: StoreError, message: /OOM/ });
    errors.push(error, error?.cause);
  }
  t.notRegex(inspect(errors, { depth: 9, showHidden: true }), /canary/);
});

redisTest(`what is no client, or no option, is refused at once${hint}`, async (t) => {
  const { redis } = await make();
  const refused = (options: unknown): Error => t.throws(() => new RedisCache(redis, options as RedisCacheOptions)) as Error;
  t.throws(() => new RedisCache({} as RedisClient), { instanceOf: TypeError, message: /a Redis or Cluster of ioredis/ });
  t.throws(() => new RedisCache(undefined as never), { instanceOf: TypeError });
  const prefixed = (await server()).client({ keyPrefix: 'x:' });
  t.throws(() => new RedisCache(prefixed), { instanceOf: TypeError, message: /keyPrefix/ });
  t.regex(refused({ prefx: 'a' }).message, /prefx/);
  t.regex(refused({ prefix: 1 }).message, /prefix/);
  t.regex(refused({ prefix: '\ud800' }).message, /prefix/);
  t.regex(refused({ timeout: 0 }).message, /timeout/);
  t.regex(refused({ timeout: { reed: 1 } }).message, /reed/);
  t.regex(refused({ maxBytes: -1 }).message, /maxBytes/);
  t.regex(refused({ breaker: { failures: 0 } }).message, /failures/);
  t.regex(refused({ breaker: { cooldown: -1 } }).message, /cooldown/);
  t.regex(refused({ serializer: 'pickle' }).message, /'json', 'v8', 'msgpack'/);
  t.regex(refused({ onError: 1 }).message, /onError/);
  t.regex(refused({ dedupeWrites: 1 }).message, /dedupeWrites/);
});

redisTest(`a reader whose clock runs ahead sees the value stale, and still held${hint}`, async (t) => {
  const clock = fakeClock(Date.now());
  const { store } = await make({ clock });
  const { value, freshUntil, createdAt } = { value: 1, freshUntil: now() + 60, createdAt: now() };
  await store.setEntry('key', { value, freshUntil, createdAt }, 600);
  clock.setWall(Date.now() + 120_000);
  t.is(await store.get('key'), undefined);
  t.is(await store.exists('key'), false);
  t.deepEqual(await store.getEntry('key'), { value, freshUntil, createdAt });
});

redisTest(`works with the rights that the docs name, and with no others${hint}`, async (t) => {
  const own = await startRedis(t);
  const docs = readFileSync(new URL('../../../docs/stores/redis.md', import.meta.url), 'utf8');
  const [, rights] = /^- Rights it needs: `([^`]+)`/m.exec(docs) ?? [];
  // What ioredis itself asks of a server at the beginning.
  const connecting = ['+hello', '+info', '+client', '+ping'];
  await own.client().call('ACL', 'SETUSER', 'app', 'on', 'nopass', 'resetkeys', '-@all', ...(rights as string).split(' '), ...connecting);
  const redis = own.client({ username: 'app', password: 'any' });
  const store = new RedisCache(redis, { prefix: 'app:', timeout: 20, dedupeWrites: true });
  for (const ttl of [60, 60, Infinity]) await store.set('a', 1, ttl);
  const createdAt = now() - 20;
  await store.setEntry('b', { value: 'old', freshUntil: createdAt + 10, createdAt }, 600);
  t.is(await store.setIfNotExists('b', 2, 60), true);
  t.is(await store.exists('b'), true);
  await store.setMany(new Map([['c', 3]]), 60);
  t.is((await store.getMany(['a', 'b', 'c'])).size, 3);
  t.is(await store.delete('c'), true);
  await store.clear();
  t.is(await store.getEntry('a'), undefined);
  const elsewhere = new RedisCache(redis, { prefix: 'other:', timeout: 20 });
  await t.throwsAsync(elsewhere.set('a', 1, 60), { instanceOf: StoreError, message: /NOPERM/ });
});
