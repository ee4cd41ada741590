import test from 'ava';
import { InMemoryMetrics, RedisCache, StoreError, TimeoutError, cache } from '../../../dist/index.js';
import { spawnNode, until } from '../../support/process.js';
import { noRedis, startRedis } from '../../support/redis.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

const rejections: unknown[] = [];
process.on('unhandledRejection', (reason) => void rejections.push(reason));
test.after.always('nothing was rejected unheard', (t) => {
  t.deepEqual(rejections, []);
});

redisTest(`a Redis that hangs: operations end at their deadline, the function is called, and it comes back${hint}`, async (t) => {
  const server = await startRedis(t);
  const store = new RedisCache(server.client(), {
    prefix: 'p:',
    timeout: { read: 0.1, write: 0.2 },
    breaker: { failures: 1000, cooldown: 1 },
  });
  await store.set('key', 'stored', 60);
  server.kill('SIGSTOP');
  for (const [name, run] of Object.entries({
    get: () => store.get('key'),
    getEntry: () => store.getEntry('key'),
    exists: () => store.exists('key'),
    getMany: () => store.getMany(['key', 'b']),
    set: () => store.set('key', 1, 60),
    setEntry: () => store.setEntry('key', { value: 1, freshUntil: Infinity, createdAt: 1 }),
    setIfNotExists: () => store.setIfNotExists('key', 1, 60),
    setMany: () => store.setMany(new Map([['key', 1]]), 60),
    delete: () => store.delete('key'),
    clear: () => store.clear(),
  })) {
    const error = await t.throwsAsync(run, { instanceOf: TimeoutError }, name);
    t.regex(error?.message ?? '', /^RedisCache didn't answer `\w+` within 0\.[12] s$/);
  }
  const reported: Error[] = [];
  const metrics = new InMemoryMetrics();
  const load = cache(60, { key: 'key', store, name: 'load', metrics, onError: (error) => void reported.push(error) })(() => 'loaded');
  t.is(await load(), 'loaded');
  t.deepEqual(
    reported.map((error) => error.name),
    ['TimeoutError', 'TimeoutError'],
  );
  t.deepEqual(metrics.getStats().errors, { 'load.get': { TimeoutError: 1 }, 'load.set': { TimeoutError: 1 } } as never);
  server.kill('SIGCONT');
  await until(
    () =>
      store.set('back', 1, 60).then(
        () => true,
        () => false,
      ),
    { what: 'Redis answers again' },
  );
  t.is(await store.get('back'), 1);
});

redisTest(`an answer that arrived while this thread was busy counts, however late it is read${hint}`, async (t) => {
  const server = await startRedis(t);
  const store = new RedisCache(server.client(), { prefix: 'p:', timeout: 0.2, breaker: false });
  await store.set('key', 'x'.repeat(1_000_000), 60);
  const answers = Promise.all([store.get('key'), store.get('key'), store.getMany(['key'])]);
  await new Promise((resolve) => setImmediate(resolve));
  const end = performance.now() + 500;
  while (performance.now() < end);
  const [one] = await answers;
  t.is((one as string).length, 1_000_000);
});

redisTest(`a dead Redis is not asked: calls are refused at once, reported once, and it is found again${hint}`, async (t) => {
  const server = await startRedis(t);
  const store = new RedisCache(server.client(), { prefix: 'p:', timeout: 0.2, breaker: { failures: 3, cooldown: 0.1 } });
  await store.set('key', 'stored', 60);
  server.kill('SIGSTOP');
  for (let i = 0; i < 3; i++) await t.throwsAsync(store.get('key'), { instanceOf: TimeoutError });
  const refusal = await t.throwsAsync(store.get('other'), {
    instanceOf: StoreError,
    message: /3 times in a row .* \(last: TimeoutError\)/,
  });
  t.is(await store.set('other', 1, 60).catch((error: unknown) => error), refusal, 'one error for all');

  const reported: Error[] = [];
  let loads = 0;
  const metrics = new InMemoryMetrics();
  const load = cache(60, { key: 'k:{}', store, name: 'load', metrics, onError: (error) => void reported.push(error) })(
    (i: number) => loads++ + i,
  );
  for (let i = 0; i < 50; i++) await load(i);
  t.is(loads, 50);
  // The probe in between has its own deadline to report, for the lookup or for the write.
  t.true(reported.length <= 5, `${reported.length} reports`);
  t.true(Object.values(metrics.getStats().errors).some((kinds) => JSON.stringify(kinds).includes('StoreError')));

  server.kill('SIGCONT');
  await until(
    () =>
      store.get('key').then(
        (value) => value === 'stored',
        () => false,
      ),
    { what: 'the store answers again' },
  );
});

redisTest(`kill -9 and an empty restart: cache() goes on${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const store = new RedisCache(client, { prefix: 'p:', timeout: 1, breaker: { failures: 3, cooldown: 0.05 } });
  let loads = 0;
  const load = cache(60, { key: 'key', store, onError: () => undefined })(async () => ++loads);
  t.deepEqual([await load(), await load()], [1, 1]);
  server.kill('SIGKILL');
  await until(() => client.status !== 'ready', { what: 'the client knows' });
  for (let i = 2; i < 10; i++) t.is(await load(), i);
  await server.restart();
  await until(
    () =>
      store.get('nothing').then(
        () => true,
        () => false,
      ),
    { what: 'the store answers again' },
  );
  const first = await load();
  t.is(await load(), first, 'cached again');
});

redisTest(`a client that was closed: the store fails, the function does not${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const store = new RedisCache(client, { prefix: 'p:', breaker: false });
  await store.set('key', 1, 60);
  client.disconnect();
  await until(() => client.status === 'end', { what: 'it is closed' });
  await t.throwsAsync(store.get('key'), { instanceOf: StoreError, message: /no connection/ });
  await t.throwsAsync(store.clear(), { instanceOf: StoreError });
  t.is(await cache(60, { key: 'key', store, onError: () => undefined })(() => 7)(), 7);
});

redisTest(`an answer of Redis about the command is a failure with its kind${hint}`, async (t) => {
  const server = await startRedis(t, ['--maxmemory', '1']);
  const store = new RedisCache(server.client(), { prefix: 'p:', timeout: 20, breaker: { failures: 2, cooldown: 600 } });
  await t.throwsAsync(store.set('key', 1, 60), { instanceOf: StoreError, message: 'RedisCache failed to set: Redis answered OOM' });
  // Reads work: what works between failures keeps the breaker closed.
  t.is(await store.get('key'), undefined);
  await t.throwsAsync(store.set('key', 1, 60), { message: /OOM/ });
  t.is(await store.get('key'), undefined);
});

redisTest(`stale-while-revalidate: one refresh for a key in the fleet${hint}`, async (t) => {
  const server = await startRedis(t);
  const members = ['a', 'b', 'c'].map((name) =>
    spawnNode(t, new URL('./fixtures/member.js', import.meta.url), { args: [server.address, name] }),
  );
  type Answer = { ready?: boolean; value: string; loads: number };
  await Promise.all(members.map((member) => member.message<Answer>(({ ready }) => ready === true)));
  const ask = (what: string): Promise<Answer[]> =>
    Promise.all(
      members.map((member) => {
        member.send({ ask: what });
        return member.message<Answer>();
      }),
    );
  members[0]?.send({ ask: 'call' });
  t.is((await members[0]?.message<Answer>())?.value, 'a 1');
  const reader = new RedisCache(server.client(), { prefix: 'fleet:', timeout: 20 });
  await until(async () => (await reader.get('rates')) === undefined, { what: 'the value is stale' });

  t.deepEqual(
    (await ask('call')).map(({ value }) => value),
    ['a 1', 'a 1', 'a 1'],
    'stale, at once',
  );
  await until(async () => ((await reader.getEntry('rates'))?.value as string) !== 'a 1', { what: 'it was refreshed' });
  const loads = (await ask('loads')).map((answer) => answer.loads);
  t.is(
    loads.reduce((sum, count) => sum + count),
    2,
    'the first load, and one refresh',
  );
});
