/** Servers that answer, and say that they are not the one to ask now. */
import test from 'ava';
import { until } from '../../support/process.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { faultOf, follow, leader, heardAll } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

test.after.always('nothing was rejected unheard', heardAll);

redisTest(
  `Redis comes back with old data, which it takes a second to load: nobody goes back, and the newest is put back${hint}`,
  async (t) => {
    // Two thousand keys, half a millisecond each.
    const server = await startRedis(t, ['--key-load-delay', '500', '--loading-process-events-interval-bytes', '1024']);
    const client = server.client();
    const writer = await leader(t, server.client());
    const readers = [follow(t, server.client()), follow(t, server.client())];
    await writer.next();
    const pipeline = client.pipeline();
    for (let i = 0; i < 2000; i++) pipeline.set(`other:${i}`, 'x'.repeat(50));
    await pipeline.exec();
    await client.save();
    for (let i = 2; i <= 4; i++) await writer.next();
    await until(() => readers.every(({ version }) => version === 4), { what: 'all have the fourth' });
    server.kill('SIGKILL');
    const restarted = server.restart();
    const { epoch } = writer;
    const probe = server.client({ enableReadyCheck: false, maxRetriesPerRequest: null });
    const replies = new Set<string>();
    const loading = until(
      async () => {
        replies.add(
          await probe.get('app:flags').then(
            () => 'an answer',
            ({ message }: Error) => message,
          ),
        );
        return replies.has('an answer');
      },
      { what: 'Redis has loaded', deadline: 20_000 },
    );
    await until(() => readers.every(({ follower }) => follower.status().state === 'interrupted'), { what: 'interrupted' });
    await Promise.all([restarted, loading]);
    t.true(
      [...replies].some((reply) => reply.startsWith('LOADING')),
      [...replies].join(),
    );
    await until(async () => (await client.hget('{app:flags}:m', 'v')) === '4', { what: 'put back' });
    await writer.next();
    await until(() => readers.every(({ version, states }) => version === 5 && states.at(-1) === 'live'), {
      what: 'the next',
      deadline: 20_000,
    });
    t.is(writer.epoch, epoch);
    t.deepEqual(writer.lost, []);
    for (const { snapshots } of readers) t.is(faultOf(snapshots), undefined);
  },
);

redisTest(
  `a replica that has lost its master and answers MASTERDOWN: another connection is tried, and all is well when it can${hint}`,
  async (t) => {
    const server = await startRedis(t);
    const client = server.client();
    const writer = await leader(t, server.client());
    const reader = follow(t, server.client());
    await writer.next();
    await until(() => reader.version === 1 && reader.follower.status().isSubscribed, { what: 'the reader has it' });
    await client.config('SET', 'replica-serve-stale-data', 'no');
    // A master that doesn't exist.
    await client.replicaof('127.0.0.1', 1);
    await until(() => reader.follower.status().lastErrorKind === 'out-of-place', { what: 'told' });
    const { connections } = reader.follower.status();
    await until(() => reader.follower.status().connections > connections, { what: 'it connects again' });
    t.is(reader.follower.status().state, 'interrupted');
    await client.replicaof('NO', 'ONE');
    await writer.next();
    await until(() => reader.version === 2 && reader.states.at(-1) === 'live', { what: 'live again' });
    t.is(faultOf(reader.snapshots), undefined);
    t.deepEqual(writer.lost, []);
  },
);
