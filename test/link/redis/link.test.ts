import test from 'ava';
import { until } from '../../support/process.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { faultOf, follow, granted, leader, stand, storeOf } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

redisTest(`what is published is seen, in order, and by RedisCache too${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const writer = await leader(t, client);
  const announced: string[] = [];
  const ear = server.client();
  ear.on('message', (_, message: string) => announced.push(message));
  await ear.subscribe('{app:flags}:n');
  const readers = [follow(t, server.client(), { pollInterval: 60_000 }), follow(t, client, { pollInterval: 2 ** 33 })];
  await until(() => readers.every(({ follower }) => follower.status().isSubscribed), { what: 'all listen' });
  for (let i = 1; i <= 20; i++) {
    await writer.next(i * 1000);
    await until(() => readers.every(({ version }) => version === i), { what: `version ${i}`, deadline: 3000 });
  }
  for (const { snapshots, errors, states } of readers) {
    t.is(faultOf(snapshots), undefined);
    t.is(snapshots.length, 20);
    t.deepEqual(errors, []);
    t.is(states.at(-1), 'live');
  }
  // A timer of more than 2^31 - 1 ms doesn't fire at once.
  for (const { follower } of readers) {
    const { polls = 0, announcements, lag = Infinity } = follower.status();
    t.true(polls <= 20 + 3, `${polls} looks`);
    t.is(announcements, 20);
    t.true(lag >= 0 && lag < 10_000, `${lag} ms`);
  }
  await until(() => announced.length === 20, { what: 'all were announced' });
  t.true(
    announced.every((message) => message.length <= 64),
    'an announcement is numbers, whatever the value',
  );
  const entry = await storeOf(client).getEntry('flags');
  t.is((entry?.value as { version?: number } | undefined)?.version, 20);
  const last = readers[0]?.snapshots.at(-1);
  t.is(last?.createdAt, Math.round((entry?.createdAt ?? 0) * 1000));
  t.is(last?.freshFor, 60_000);
  t.is(last?.codec, 'json');
});

redisTest(`one of two stands by, and takes over when the other gives up${hint}`, async (t) => {
  const server = await startRedis(t);
  const first = await leader(t, server.client());
  await first.next();
  const second = stand(t, server.client());
  await until(() => second.followings === 1 && second.version === 1, { what: 'the second follows' });
  await t.throwsAsync(second.next(), { message: /not the key's writer/ });
  const began = performance.now();
  await first.candidate.release();
  const { epoch, last } = await granted(second);
  t.log(`handed over in ${(performance.now() - began).toFixed(1)} ms`);
  t.true(epoch > first.epoch);
  t.is(last?.version, 1);
  await second.next();
  await until(() => first.version === 2 || first.snapshots.length > 0, { what: 'the first follows' });
  t.is(faultOf(first.snapshots), undefined);
});
