import test from 'ava';
import { until } from '../../support/process.js';
import { noRedis, startCluster, startSentinels } from '../../support/redis.js';
import { faultOf, follow, granted, leader, stand, storeOf, heardAll } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

test.after.always('nothing was rejected unheard', heardAll);

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

redisTest(`a slot that moves to another node of a Cluster, one key after the other, in the middle of publishes${hint}`, async (t) => {
  const cluster = await startCluster(t);
  const { nodes } = cluster;
  const writer = await leader(t, cluster.client(), { leaseMs: 20_000 });
  const reader = follow(t, cluster.client());
  await writer.next();
  await until(() => reader.version === 1, { what: 'the reader has it' });
  let version = 1;
  let isMoving = true;
  const publishing = (async () => {
    while (isMoving) {
      version += 1;
      // One that is refused halfway is made later, or the next in its place.
      await Promise.race([writer.next().catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 50))]);
    }
  })();
  const names = ['app:flags', '{app:flags}:m', '{app:flags}:l'];
  const slot = (await nodes[0]?.cluster('KEYSLOT', 'app:flags')) as number;
  const ids = await Promise.all(nodes.map((node) => node.cluster('MYID') as Promise<string>));
  const owner = Math.floor((slot * 3) / 16_384);
  const other = (owner + 1) % 3;
  const port = nodes[other]?.options.port as number;
  await nodes[other]?.cluster('SETSLOT', slot, 'IMPORTING', ids[owner] as string);
  await nodes[owner]?.cluster('SETSLOT', slot, 'MIGRATING', ids[other] as string);
  for (const name of names) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await nodes[owner]?.migrate('127.0.0.1', port, name, 0, 5000);
  }
  for (const i of [other, owner]) await nodes[i]?.cluster('SETSLOT', slot, 'NODE', ids[other] as string);
  await new Promise((resolve) => setTimeout(resolve, 300));
  isMoving = false;
  await publishing;
  await until(() => reader.version === version && reader.states.at(-1) === 'live', { what: `the newest (${version})`, deadline: 8000 });
  t.log(`${reader.snapshots.length} of ${version} seen`);
  t.is(faultOf(reader.snapshots), undefined);
  t.deepEqual(writer.lost, []);
  t.is(writer.grants.length, 1);
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
  await until(() => readers.every(({ follower }) => follower.status().state === 'interrupted'), { what: 'interrupted' });
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
