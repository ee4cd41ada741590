import test, { type ExecutionContext } from 'ava';
import type { Redis } from 'ioredis';
import { RedisCache } from '../../../dist/index.js';
import { until } from '../../support/process.js';
import { noRedis, startRedis } from '../../support/redis.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

interface Subject {
  readonly store: RedisCache;
  readonly redis: Redis;
  /** How often the socket was written to since the last time this was asked. */
  writes(): number;
}

type Write = (...args: unknown[]) => void;

async function make(t: ExecutionContext): Promise<Subject> {
  const redis = (await startRedis(t)).client();
  await redis.ping();
  let count = 0;
  const stream = redis.stream as unknown as { _write: Write; _writev: Write };
  for (const name of ['_write', '_writev'] as const) {
    const write = stream[name];
    stream[name] = (...args) => {
      count += 1;
      Reflect.apply(write, stream, args);
    };
  }
  const writes = (): number => {
    const before = count;
    count = 0;
    return before;
  };
  return { redis, writes, store: new RedisCache(redis, { prefix: 'p:', timeout: 20 }) };
}

redisTest(`who asks alone waits for nothing${hint}`, async (t) => {
  const { store, writes } = await make(t);
  for (let i = 0; i < 3; i++) {
    const answer = store.get('key');
    t.is(writes(), 1, 'sent before the call returned');
    await answer;
    t.is(writes(), 0);
  }
});

redisTest(`the commands of one turn leave in parcels of 16, in their order${hint}`, async (t) => {
  const { store, writes } = await make(t);
  const answers = [];
  for (let i = 0; i < 50; i++) answers.push(store.set('key', i, 60), store.get('key'));
  await Promise.resolve();
  const early = writes();
  const all = await Promise.all(answers);
  t.is(early, 1 + Math.floor(99 / 16), 'Redis has the first ones already');
  t.is(writes(), 1, 'the rest leaves at the end of the turn');
  t.deepEqual(
    all.filter((_, i) => i % 2 === 1),
    Array.from({ length: 50 }, (_, i) => i),
  );
});

redisTest(`what others ask of the client in that turn goes along${hint}`, async (t) => {
  const { store, redis, writes } = await make(t);
  const answers = [store.set('key', 1, 60), store.set('key', 2, 60), redis.set('p:key', 'theirs'), redis.get('p:key')];
  t.is((await Promise.all(answers)).at(-1), 'theirs');
  t.is(writes(), 2);
});

redisTest(`what is large leaves at once, after what was held before it${hint}`, async (t) => {
  const { store, writes } = await make(t);
  const answers = [store.set('a', 1, 60), store.set('a', 2, 60), store.set('a', 'x'.repeat(20_000), 60)];
  t.is(writes(), 3);
  await Promise.all(answers);
  t.is(await store.get('a'), 'x'.repeat(20_000));
});

redisTest(`after a connection that ended in the middle of a turn nothing is held back${hint}`, async (t) => {
  const { store, redis } = await make(t);
  await store.set('key', 1, 60);
  const cutOff = Array.from({ length: 40 }, () => store.get('key'));
  redis.stream.destroy();
  // Whether ioredis asks again is its own affair; every call ends.
  await Promise.allSettled(cutOff);
  await until(() => redis.status === 'ready', { what: 'the client is connected again' });
  t.deepEqual(await Promise.all(Array.from({ length: 40 }, () => store.get('key'))), new Array<number>(40).fill(1));
});
