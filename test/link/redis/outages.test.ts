import { inspect } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import type { Redis } from 'ioredis';
import { until } from '../../support/process.js';
import { noRedis, type RedisServer, startRedis } from '../../support/redis.js';
import { faultOf, follow, granted, leader, type Seen, stand, heardAll } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

test.after.always('nothing was rejected unheard', heardAll);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A writer with a first version, and readers that have it and listen. */
async function setUp(t: ExecutionContext, leaseMs: number, server?: RedisServer) {
  const redis = server ?? (await startRedis(t));
  const writer = await leader(t, redis.client(), { leaseMs });
  const readers = Array.from({ length: 3 }, () => follow(t, redis.client()));
  await writer.next();
  await until(() => readers.every(({ version, follower }) => version === 1 && follower.status().isSubscribed), { what: 'all have it' });
  return { redis, writer, readers };
}

const all = (readers: readonly Seen[], version: number): Promise<unknown> =>
  until(() => readers.every((reader) => reader.version === version && reader.states.at(-1) === 'live'), {
    what: `all have version ${version} and are live`,
    deadline: 15_000,
  });

const checkAll = (t: ExecutionContext, readers: readonly Seen[]): void => {
  for (const { snapshots } of readers) t.is(faultOf(snapshots), undefined);
};

redisTest(`killed and restarted empty: interrupted at once, nothing lost, put back in full under the same epoch${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  redis.kill('SIGKILL');
  await until(() => readers.every(({ follower }) => follower.status().state === 'interrupted'), { what: 'interrupted', deadline: 8000 });
  t.is(writer.candidate.status().state, 'interrupted');
  t.is(readers[0]?.follower.status().lastErrorKind, 'connection');
  const { epoch } = writer;
  await redis.restart();
  await until(async () => (await redis.client().hget('{app:flags}:m', 'v')) === '1', { what: 'put back', deadline: 5000 });
  await until(() => readers.every(({ states }) => states.at(-1) === 'live'), { what: 'live', deadline: 5000 });
  t.is(writer.candidate.status().state, 'leading');
  t.is(writer.epoch, epoch);
  // A newcomer finds it.
  const late = follow(t, redis.client());
  await until(() => late.version === 1, { what: 'the newcomer has it' });
  await writer.next();
  await all([...readers, late], 2);
  checkAll(t, readers);
  for (const { snapshots, errors } of readers) {
    t.deepEqual(
      snapshots.map(({ version }) => version),
      [1, 2],
    );
    t.true(errors.length > 0 && errors.length <= 3, `each kind is told once: ${errors.map(String).join('; ')}`);
  }
});

redisTest(
  `down for longer than the lease: the writer stops, is granted a higher epoch, and what was there is there again${hint}`,
  async (t) => {
    const { redis, writer, readers } = await setUp(t, 2000);
    const { epoch } = writer;
    redis.kill('SIGKILL');
    await until(() => writer.lost.length === 1, { what: 'it gave up by its own clock', deadline: 8000 });
    await t.throwsAsync(writer.next(), { message: /not the key's writer/ });
    await redis.restart();
    const { last } = await granted(writer).then(() => writer.grants.at(-1)!);
    t.true(writer.epoch > epoch);
    t.is(last?.version, 1);
    t.is(last?.epoch, writer.epoch, 'put back under the new epoch');
    await until(() => readers.every((reader) => reader.snapshots.length === 2), { what: 'readers have it', deadline: 5000 });
    await writer.candidate.publish({ ...last!, version: 3, bytes: Buffer.from('{"epoch":0,"version":3,"crc":0}') });
    for (const { snapshots } of readers) t.is(faultOf(snapshots.slice(0, 2), true), undefined);
  },
);

redisTest(`FLUSHALL: readers keep what they have and say so, the writer puts it back at its next sign of life${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  const client = redis.client();
  for (let i = 2; i <= 4; i++) {
    await client.flushall();
    await until(async () => (await client.exists('app:flags', '{app:flags}:m', '{app:flags}:l')) === 3, {
      what: 'put back',
      // Sooner than a third of the lease.
      deadline: 6000,
    });
    await writer.next();
    await all(readers, i);
  }
  t.deepEqual(writer.lost, []);
  checkAll(t, readers);
});

redisTest(`what is put back is announced: readers whose next poll is a minute away are well again at once${hint}`, async (t) => {
  const server = await startRedis(t);
  const writer = await leader(t, server.client(), { leaseMs: 6000, pollInterval: 60_000 });
  const readers = Array.from({ length: 3 }, () => follow(t, server.client(), { pollInterval: 60_000 }));
  await writer.next();
  await until(() => readers.every(({ version, follower }) => version === 1 && follower.status().isSubscribed), { what: 'all have it' });
  await server.client().flushall();
  for (const { follower } of readers) follower.poke();
  await until(() => readers.every(({ follower }) => follower.status().lastErrorKind === 'regressed'), { what: 'told' });
  // Renewed at a third of the lease.
  await until(() => readers.every(({ states }) => states.join() === 'live,interrupted,live'), { what: 'live again' });
  t.true(readers.every(({ follower }) => follower.status().pulls === 1));
  t.deepEqual(writer.lost, []);
});

redisTest(`a key that is deleted or evicted comes back${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  const client = redis.client();
  for (const key of ['app:flags', '{app:flags}:m', '{app:flags}:l']) {
    await client.del(key);
    await until(() => client.exists(key), { what: `${key} is back`, deadline: 8000 });
  }
  await writer.next();
  await all(readers, 2);
  t.deepEqual(writer.lost, []);
  checkAll(t, readers);
});

redisTest(`restarted empty without its writer: readers keep what they have, and say that Redis went back${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  const standby = stand(t, redis.client());
  await until(() => standby.version === 1, { what: 'the standby has it' });
  await writer.candidate.close();
  await granted(standby);
  await standby.candidate.close();
  const client = redis.client();
  await client.flushall();
  await until(() => readers.every(({ follower }) => follower.status().lastErrorKind === 'regressed'), {
    what: 'regressed',
  });
  t.deepEqual(readers[0]?.states.at(-1), 'interrupted');
  // An old replica: a lower epoch.
  await client.hset('{app:flags}:m', { e: 5, v: 9, w: 'x', f: 'inf', at: 1, c: 'json', n: 2, h: 0 });
  await client.set('app:flags', Buffer.concat([Buffer.alloc(16), Buffer.from('{}')]));
  await pause(500);
  checkAll(t, readers);
  t.true(readers.every(({ snapshots }) => snapshots.length === 1));
  // A process that remembers takes over: above all that was.
  await client.flushall();
  const heir = stand(t, redis.client());
  await granted(heir);
  t.true(heir.epoch > standby.epoch);
});

const NAMES = ['app:flags', '{app:flags}:m', '{app:flags}:l'];

/** What a replica has that hears nothing more of its master; answers the way to promote it: Redis has only that then. */
async function fallBehind(client: Redis): Promise<() => Promise<unknown>> {
  const dumps = await Promise.all(NAMES.map((name) => client.dumpBuffer(name)));
  const left = await client.pttl('{app:flags}:l');
  return async () => {
    const transaction = client.multi().del(...NAMES);
    dumps.forEach((dump, i) => dump && transaction.restore(NAMES[i] as string, i === 2 ? Math.max(left, 1) : 0, dump, 'REPLACE'));
    return transaction.exec();
  };
}

redisTest(
  `a failover to a replica that is behind: readers keep what they have, and the writer puts it back under its epoch${hint}`,
  async (t) => {
    const { redis, writer, readers } = await setUp(t, 20_000);
    const promote = await fallBehind(redis.client());
    for (let i = 2; i <= 4; i++) await writer.next();
    await all(readers, 4);
    const { epoch } = writer;
    await promote();
    await until(async () => (await redis.client().hget('{app:flags}:m', 'v')) === '4', { what: 'put back', deadline: 8000 });
    await writer.next();
    await all(readers, 5);
    t.is(writer.epoch, epoch);
    t.deepEqual(writer.lost, []);
    checkAll(t, readers);
  },
);

redisTest(`a failover to a replica that has not even heard of the writer: it stops, and the next epoch is above all${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  const promote = await fallBehind(redis.client());
  const heir = stand(t, redis.client());
  await writer.candidate.release();
  await granted(heir);
  await heir.next();
  await all(readers, 2);
  await promote();
  await until(() => heir.lost.length === 1, { what: 'the heir is fenced', deadline: 8000 });
  await until(() => writer.grants.length + heir.grants.length === 3, { what: 'one is granted again' });
  const next = writer.grants.length === 2 ? writer : heir;
  t.true(next.epoch > (heir.grants[0]?.epoch ?? 0));
  await until(() => next.candidate.status().state === 'leading', { what: 'it leads' });
  await next.next();
  await until(() => readers.every(({ snapshots }) => snapshots.at(-1)?.epoch === next.epoch), { what: 'all follow it', deadline: 5000 });
  for (const { snapshots } of readers) t.is(faultOf(snapshots, true), undefined);
});

redisTest(`SIGSTOP for less than the lease: an interruption, and the same epoch${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  redis.kill('SIGSTOP');
  await until(() => readers.every(({ follower }) => follower.status().state === 'interrupted'), { what: 'interrupted', deadline: 8000 });
  const stuck = writer.next().then(
    () => 'stored',
    (error: Error) => error.name,
  );
  redis.kill('SIGCONT');
  await stuck;
  await all(readers, 2);
  t.deepEqual(writer.lost, []);
  checkAll(t, readers);
});

redisTest(`SIGSTOP for longer than the lease: it is lost, and granted anew${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 2000);
  const { epoch } = writer;
  redis.kill('SIGSTOP');
  await until(() => writer.lost.length === 1, { what: 'it gave up', deadline: 8000 });
  t.regex(writer.lost[0]?.message ?? '', /^FENCED: the lease was lost, since it was not renewed in time/);
  redis.kill('SIGCONT');
  await granted(writer);
  t.true(writer.epoch > epoch);
  await writer.next();
  await all(readers, 2);
  checkAll(t, readers);
});

redisTest(`CLIENT PAUSE: writes wait and nothing is lost; all wait and it shows${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  const client = redis.client();
  await client.client('PAUSE', 700, 'WRITE');
  await writer.next();
  await all(readers, 2);
  await client.client('PAUSE', 3000, 'ALL');
  await until(() => readers.every(({ follower }) => follower.status().state === 'interrupted'), { what: 'interrupted', deadline: 8000 });
  await until(() => writer.candidate.status().state === 'leading', { what: 'the writer is well', deadline: 5000 });
  await writer.next();
  await all(readers, 3);
  t.deepEqual(writer.lost, []);
  checkAll(t, readers);
});

redisTest(`no memory left: nobody is told of what wasn't stored, the writer says so and tries on${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  const client = redis.client();
  await client.config('SET', 'maxmemory', '1mb');
  const error = await t.throwsAsync(writer.next(10_000), { message: 'Redis failed to publish: Redis answered OOM' });
  t.false(inspect(error, { depth: 9, showHidden: true }).includes('crc'), 'no value in it');
  t.is(writer.candidate.status().lastErrorKind, 'out-of-memory');
  await until(() => writer.states.at(-1) === 'interrupted', { what: 'interrupted' });
  t.is(writer.candidate.status().state, 'interrupted');
  await pause(500);
  t.true(readers.every(({ version }) => version === 1));
  await client.config('SET', 'maxmemory', '0');
  // Nobody publishes again: what was owed comes.
  await all(readers, 2);
  t.is(writer.candidate.status().state, 'leading');
  t.is(writer.errors.filter(({ message }) => message.includes('OOM')).length, 1);
  checkAll(t, readers);
});

redisTest(`a server that becomes a replica: refused writes reconnect, and go on when it is a master again${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  const client = redis.client();
  // A master that doesn't exist: it keeps its data and refuses writes.
  await client.replicaof('127.0.0.1', 1);
  await t.throwsAsync(writer.next(), { message: 'Redis failed to publish: Redis answered READONLY' });
  t.is(writer.candidate.status().lastErrorKind, 'out-of-place');
  const before = writer.candidate.status().connections;
  await until(() => writer.candidate.status().connections > before, { what: 'it connects again', deadline: 3000 });
  await client.replicaof('NO', 'ONE');
  await all(readers, 2);
  t.is(writer.candidate.status().state, 'leading');
  t.deepEqual(writer.lost, []);
  checkAll(t, readers);
});

redisTest(`a subscriber that Redis hangs up on, for its output buffer: it listens again and has what it missed${hint}`, async (t) => {
  const { redis, writer, readers } = await setUp(t, 20_000);
  const client = redis.client();
  await client.config('SET', 'client-output-buffer-limit', 'pubsub 1mb 1mb 1');
  for (let i = 2; i <= 4; i++) {
    await client.publish('{app:flags}:n', 'x'.repeat(4_000_000));
    await until(() => readers.some(({ follower }) => !follower.status().isSubscribed), { what: 'cut off' });
    await writer.next();
    await all(readers, i);
    await until(() => readers.every(({ follower }) => follower.status().isSubscribed), { what: 'they listen again', deadline: 5000 });
  }
  checkAll(t, readers);
});
