/** A follower that begins with what its process has already, from another process of the host. */
import test from 'ava';
import { until } from '../../support/process.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { follow, granted, KEY, leader, stand, storeOf } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

redisTest(`what is there already is not fetched again, and what comes is newer${hint}`, async (t) => {
  const server = await startRedis(t);
  const writer = await leader(t, server.client());
  await writer.next(100_000);
  const first = follow(t, server.client());
  await until(() => first.version === 1, { what: 'version 1' });
  const last = first.snapshots[0];
  const second = follow(t, server.client(), { last });
  await until(() => (second.follower.status().polls ?? 0) > 2 && second.states.length > 0, { what: 'it has looked' });
  t.like(second.follower.status(), { pulls: 0, epoch: last?.epoch, version: 1, state: 'live' });
  t.deepEqual(second.snapshots, []);
  await writer.next();
  await until(() => second.version === 2, { what: 'version 2' });
  t.is(second.follower.status().pulls, 1);

  // What is older there than what was brought along isn't taken.
  const ahead = follow(t, server.client(), { last: { ...last!, version: 9 } });
  await until(() => ahead.follower.status().lastErrorKind === 'regressed', { what: 'told' });
  t.deepEqual(ahead.snapshots, []);
});

redisTest(`the same of a value that nobody announces: its number goes on from where another follower stopped${hint}`, async (t) => {
  const server = await startRedis(t);
  const store = storeOf(server.client());
  await store.set(KEY, { version: 1 }, 60);
  const first = follow(t, server.client(), { pollInterval: 50 });
  await until(() => first.snapshots.length === 1, { what: 'the first' });
  const second = follow(t, server.client(), { pollInterval: 50, last: first.snapshots[0] });
  await until(() => (second.follower.status().polls ?? 0) > 2 && second.states.length > 0, { what: 'it has looked' });
  t.is(second.follower.status().pulls, 0);
  await store.set(KEY, { version: 2 }, 60);
  await until(() => first.snapshots.length === 2 && second.snapshots.length === 1, { what: 'the second value' });
  t.is(first.version, second.version, 'the same number in both');
  // A value with an older moment, of a writer whose clock is behind, is newer all the same.
  await store.setEntry(KEY, { value: { version: 3 }, createdAt: Date.now() / 1000 - 100, freshUntil: Date.now() / 1000 + 60 });
  await until(() => first.snapshots.length === 3 && second.snapshots.length === 2, { what: 'the third value' });
  t.is(first.version, second.version);
  t.true(first.snapshots.every(({ version }, index) => index === 0 || version > (first.snapshots[index - 1]?.version ?? 0)));
});

redisTest(
  `a candidate that brought the last snapshot along leads without fetching it, and puts it back where Redis lost it${hint}`,
  async (t) => {
    const server = await startRedis(t);
    const writer = await leader(t, server.client());
    await writer.next(100_000);
    const follower = follow(t, server.client());
    await until(() => follower.version === 1, { what: 'version 1' });
    const last = follower.snapshots[0];
    await writer.candidate.close();
    const heir = stand(t, server.client(), { last });
    const grant = await granted(heir);
    t.is(grant.last?.version, 1);
    t.is(heir.candidate.status().pulls, 0);
    await heir.candidate.close();
    await server.client().flushall();
    const next = stand(t, server.client(), { last: { ...last!, epoch: heir.epoch } });
    t.is((await granted(next)).last?.version, 1);
    await until(async () => (await server.client().exists('app:flags')) === 1, { what: 'it is back' });
  },
);

redisTest(`the lease of a holder that is known to be dead is taken at once${hint}`, async (t) => {
  const server = await startRedis(t);
  const dead = await leader(t, server.client(), { leaseMs: 60_000, id: 'the dead one' });
  await dead.next();
  const other = stand(t, server.client(), { leaseMs: 60_000 });
  await until(() => other.followings === 1, { what: 'another one waits' });
  const heir = stand(t, server.client(), { leaseMs: 60_000, isGone: (holder) => holder === 'the dead one' });
  const { epoch } = await granted(heir);
  t.true(epoch > dead.epoch);
  // It wasn't dead after all: it is refused, as any that lost its lease.
  await t.throwsAsync(dead.next(), { message: /FENCED/ });
  t.is(other.grants.length, 0);
});
