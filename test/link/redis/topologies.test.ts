import test from 'ava';
import { until } from '../../support/process.js';
import { noRedis, startCluster, startSentinels } from '../../support/redis.js';
import { faultOf, follow, granted, leader, stand, storeOf } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

const rejections: unknown[] = [];
process.on('unhandledRejection', (reason) => void rejections.push(reason));
test.after.always('nothing was rejected unheard', (t) => {
  t.deepEqual(rejections, []);
});

redisTest(`a Cluster: keys of one slot, announcements on every node, elections${hint}`, async (t) => {
  const cluster = await startCluster(t);
  const client = cluster.client();
  const keys = ['a', 'b', '{tag}c', 'd{tag}', 'e{', 'emoji 🐘'];
  for (const key of keys) {
    const writer = await leader(t, client, { key });
    const readers = Array.from({ length: 4 }, () => follow(t, cluster.client(), { key, pollInterval: 60_000 }));
    await until(() => readers.every(({ follower }) => follower.status().isSubscribed), { what: `all listen to ${key}` });
    for (let i = 1; i <= 5; i++) await writer.next(i === 5 ? 1_000_000 : 0);
    await until(() => readers.every(({ version }) => version === 5), { what: `all have ${key}` });
    for (const { snapshots, errors } of readers) {
      t.is(faultOf(snapshots), undefined);
      t.deepEqual(errors, []);
    }
    t.is(((await storeOf(client).getEntry(key))?.value as { version?: number } | undefined)?.version, 5);
    const heir = stand(t, cluster.client(), { key, pollInterval: 60_000 });
    await until(() => heir.followings === 1, { what: 'the heir stands by' });
    await writer.candidate.release();
    await granted(heir);
    t.true(heir.epoch > writer.epoch);
    await heir.next();
    await until(() => readers.every(({ version }) => version === 6), { what: `all have the heir's ${key}` });
    await Promise.all([heir.candidate.close(), writer.candidate.close(), ...readers.map(({ follower }) => follower.close())]);
  }
  t.throws(() => follow(t, client, { key: 'x}y' }), { instanceOf: RangeError, message: /braces/ });
});

redisTest(`a Sentinel: the master is killed, and the link goes on with the one that is promoted${hint}`, async (t) => {
  const sentinels = await startSentinels(t);
  const writer = await leader(t, sentinels.client(), { leaseMs: 20_000 });
  const readers = [follow(t, sentinels.client()), follow(t, sentinels.client())];
  const standby = stand(t, sentinels.client(), { leaseMs: 20_000 });
  for (let i = 0; i < 5; i++) await writer.next();
  await until(() => readers.every(({ version }) => version === 5), { what: 'all have it' });
  await sentinels.killMaster();
  const began = performance.now();
  await until(() => readers.every(({ follower }) => follower.status().state === 'interrupted'), { what: 'interrupted', deadline: 2000 });
  const attempt = writer.next().catch(() => undefined);
  await until(() => readers.every(({ version, states }) => version === 6 && states.at(-1) === 'live'), {
    what: 'all have what was published meanwhile, and are live',
    deadline: 20_000,
  });
  await attempt;
  t.log(`live again ${(performance.now() - began).toFixed()} ms after the master was killed`);
  t.deepEqual(writer.lost, []);
  t.is(standby.grants.length, 0);
  await writer.next();
  await until(() => readers.every(({ version }) => version === 7), { what: 'it goes on' });
  for (const { snapshots } of readers) t.is(faultOf(snapshots), undefined);
});
