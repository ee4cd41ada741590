/** What a link costs its process's event loop, and what it does when that was busy with something else. */
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { Redis } from 'ioredis';
import { until } from '../../support/process.js';
import { startProxy } from '../../support/redis-proxy.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { follow, leader } from './support.js';

// One after the other: what is measured is this process.
const redisTest = noRedis ? test.skip : test.serial;
const hint = noRedis ? ` (${noRedis})` : '';

redisTest(`announcements that came while the event loop was blocked are one look and one fetch, of the newest${hint}`, async (t) => {
  const server = await startRedis(t);
  const reader = follow(t, server.client(), { pollInterval: 60_000 });
  await until(() => reader.follower.status().isSubscribed, { what: 'it listens' });
  const { pulls: before = 0 } = reader.follower.status();
  const count = 300;
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./fixtures/burst.js', import.meta.url), {
    workerData: { address: server.address, count, done },
    execArgv: [],
    stdout: true,
    stderr: true,
  });
  t.teardown(() => worker.terminate());
  t.is(Atomics.wait(done, 0, 0, 30_000), 'ok', 'all is published');
  t.is(reader.version, 0);
  await until(() => reader.version === count, { what: 'the newest' });
  const { pulls = 0, announcements = 0 } = reader.follower.status();
  t.log(`${pulls - before} fetched for ${announcements} announcements`);
  // One for the first part of what the socket had, and one for the rest.
  t.true(pulls - before <= 3);
});

redisTest(`a Redis that takes 200 ms for each answer leaves the event loop idle${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const client = new Redis(proxy.port, '127.0.0.1', { lazyConnect: true });
  t.teardown(() => client.disconnect());
  const writer = await leader(t, server.client());
  const reader = follow(t, client, { pollInterval: 50 });
  await writer.next(100_000);
  await until(() => reader.version === 1 && reader.follower.status().isSubscribed, { what: 'the reader has it' });
  proxy.delay = 200;
  const { polls: from = 0 } = reader.follower.status();
  const start = performance.eventLoopUtilization();
  await until(() => (reader.follower.status().polls ?? 0) >= from + 5, { what: 'five slow polls' });
  const { utilization } = performance.eventLoopUtilization(start);
  t.log(`busy for ${(utilization * 100).toFixed(1)} % of the time`);
  t.true(utilization < 0.5);
  t.deepEqual(reader.states, ['live']);
});
