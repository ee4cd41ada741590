import test from 'ava';
import { Redis } from 'ioredis';
import { until } from '../../support/process.js';
import { startProxy } from '../../support/redis-proxy.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { faultOf, follow, leader, type Seen, type Standing, heardAll } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

test.after.always('nothing was rejected unheard', heardAll);

/** A client that never tries again by itself, so that what recovers is the link. */
const throughProxy = (t: Parameters<typeof startRedis>[0], port: number): Redis => {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: null, lazyConnect: true }).on('error', () => undefined);
  t.teardown(() => client.disconnect());
  return client;
};

const listening = (seen: Seen): Promise<unknown> => until(() => seen.follower.status().isSubscribed, { what: 'it listens' });

/** Publishes until `done`, as fast as it goes with a pause in between. */
async function publishWhile(writer: Standing, pause: number, done: () => boolean): Promise<void> {
  while (!done()) {
    await writer.next();
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

redisTest(`announcements that are lost, doubled, reordered or forged change nothing${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const writer = await leader(t, server.client());
  const seen = follow(t, throughProxy(t, proxy.port), { pollInterval: 300 });
  await listening(seen);
  const held: string[] = [];
  proxy.meddle = (message) => {
    held.push(message);
    const forged = ['', 'x', '1:2', '9999999999999999:1:1', '-1:5:5', '1e9:1:1', 'free', '0:0:0'];
    if (held.length % 2 === 1) return [forged[held.length % forged.length] as string];
    return [...held.splice(0).reverse(), message, '1:1:1', message];
  };
  for (let i = 0; i < 100; i++) await writer.next();
  await until(() => seen.version === 100, { what: 'the newest', deadline: 8000 });
  t.is(faultOf(seen.snapshots), undefined);
  t.deepEqual(seen.errors, []);
  const { polls = 0, pulls = 0 } = seen.follower.status();
  t.log(`${seen.snapshots.length} snapshots seen, ${polls} looks, ${pulls} pulls`);
  t.is(pulls, seen.snapshots.length, "nothing is fetched that isn't newer");
});

redisTest(`with announcements blocked altogether, what is published is seen within one poll${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  proxy.meddle = () => [];
  const writer = await leader(t, server.client());
  const seen = follow(t, throughProxy(t, proxy.port), { pollInterval: 500 });
  await listening(seen);
  for (let i = 1; i <= 3; i++) {
    await writer.next();
    await until(() => seen.version === i, { what: `version ${i}`, deadline: 500 * 1.2 + 3000 });
  }
  t.is(seen.follower.status().announcements, 0);
});

redisTest(`nothing published around the moment of subscribing is missed, polls being far away${hint}`, async (t) => {
  const server = await startRedis(t);
  const writer = await leader(t, server.client());
  const client = server.client();
  let done = false;
  let publishing = publishWhile(writer, 0, () => done);
  // A hundred subscriptions begin in the middle of publishes.
  for (let i = 0; i < 100; i++) {
    const seen = follow(t, client, { pollInterval: 600_000 });
    await until(() => seen.follower.status().isSubscribed && seen.version > 0, { what: 'it listens' });
    if (i % 10 === 9) {
      done = true;
      await publishing;
      const last = writer.candidate.status().version;
      await until(() => seen.version === last, { what: `the newest (${last})`, deadline: 8000 });
      done = false;
      publishing = publishWhile(writer, 0, () => done);
    }
    t.is(faultOf(seen.snapshots), undefined);
    await seen.follower.close();
  }
  done = true;
  await publishing;
});

redisTest(`a hundred random cuts: everybody converges, and nobody goes back${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const writer = await leader(t, throughProxy(t, proxy.port), { leaseMs: 20_000 });
  const readers = Array.from({ length: 8 }, () => follow(t, throughProxy(t, proxy.port), { pollInterval: 300 }));
  await Promise.all(readers.map(listening));
  let published = 0;
  let failed = 0;
  for (let i = 0; i < 100; i++) {
    proxy.cut(Math.random() < 0.8);
    // A publish that fails is made later, or a newer one in its place.
    writer.next().then(
      () => (published += 1),
      () => (failed += 1),
    );
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
  }
  const began = performance.now();
  await until(() => readers.every(({ version }) => version === 100), { what: 'all have version 100', deadline: 10_000 });
  t.log(
    `${published} publishes done at once, ${failed} later or never; all equal ${(performance.now() - began).toFixed()} ms after the last cut`,
  );
  for (const { snapshots } of readers) t.is(faultOf(snapshots), undefined);
  t.deepEqual(writer.lost, []);
});

redisTest(`a connection that is cut in silence is found out and replaced, and costs no more than a poll${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const writer = await leader(t, server.client());
  const seen = follow(t, throughProxy(t, proxy.port), { pollInterval: 400 });
  await listening(seen);
  proxy.silent = 'subscribers';
  await writer.next();
  await until(() => seen.version === 1, { what: 'the poll brings it', deadline: 400 * 1.2 + 3000 });
  t.is(seen.follower.status().announcements, 0);
  // PING every 5 s, and 5 s for the answer.
  await until(() => !seen.follower.status().isSubscribed, { what: 'found out', deadline: 20_000 });
  proxy.silent = false;
  await until(() => seen.follower.status().isSubscribed, { what: 'it listens again', deadline: 10_000 });
  await writer.next();
  await until(() => seen.version === 2 && seen.follower.status().announcements === 1, { what: 'told again' });
  t.deepEqual(
    seen.errors.map(({ name }) => name),
    ['StoreError'],
  );
  t.true(
    seen.states.every((state) => state === 'live'),
    'polls went on all the time',
  );
});

redisTest(`all connections silent: interrupted within the deadline, and back when Redis is${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const writer = await leader(t, server.client());
  const seen = follow(t, throughProxy(t, proxy.port));
  await listening(seen);
  proxy.silent = true;
  await until(() => seen.follower.status().state === 'interrupted', { what: 'interrupted', deadline: 8000 });
  t.is(seen.follower.status().lastErrorKind, 'timeout');
  await writer.next();
  proxy.silent = false;
  await until(() => seen.version === 1 && seen.states.at(-1) === 'live', { what: 'live again', deadline: 10_000 });
  t.deepEqual(seen.states, ['live', 'interrupted', 'live']);
});

redisTest(`a Redis that takes 200 ms for each answer is slow, and nothing else${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const writer = await leader(t, throughProxy(t, proxy.port), { leaseMs: 20_000 });
  const seen = follow(t, throughProxy(t, proxy.port));
  await listening(seen);
  proxy.delay = 200;
  for (let i = 1; i <= 4; i++) {
    const published = await writer.next();
    await until(() => seen.version === i, { what: `version ${i}`, deadline: 8000 });
    // One host, so one clock: what writer and reader make of Redis's is wrong by half of their quickest round trips.
    const error = (seen.snapshots.at(-1)?.createdAtMonotonic ?? 0) - published.createdAtMonotonic;
    t.true(Math.abs(error) < 250, `wrong by ${error} ms`);
  }
  t.deepEqual(seen.errors, []);
  t.deepEqual(writer.errors, []);
  t.deepEqual(writer.lost, []);
});

redisTest(
  `an answer that is lost is no publish that is lost: it is confirmed, or made again, and never in other words${hint}`,
  async (t) => {
    const server = await startRedis(t);
    const proxy = await startProxy(t, server.address);
    const writer = await leader(t, throughProxy(t, proxy.port), { leaseMs: 20_000, pollInterval: 5000 });
    const seen = follow(t, server.client());
    await writer.next();
    // Commands arrive, answers don't.
    proxy.mute = true;
    const timedOut = t.throwsAsync(writer.next(), { name: 'TimeoutError' });
    await until(() => seen.version === 2, { what: 'it has landed all the same' });
    t.true((await timedOut)?.message.startsWith("Redis didn't answer `publish`"));
    proxy.mute = false;
    // The retry finds it there: no second transfer.
    await until(() => writer.candidate.status().version === 2, { what: 'known to be stored', deadline: 8000 });
    await t.throwsAsync(
      writer.candidate.publish({ ...writer.snapshots[0]!, epoch: writer.epoch, version: 2, bytes: Buffer.from('{"other":1}') } as never),
      {
        message: /newer than/,
      },
    );
    await writer.next();
    await until(() => seen.version === 3, { what: 'the next one' });
    t.is(faultOf(seen.snapshots), undefined);
    t.is(seen.snapshots.length, 3);
  },
);
