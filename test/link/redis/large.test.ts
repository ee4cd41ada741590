import test from 'ava';
import { monotonic } from '../../../dist/core/clock.js';
import { until } from '../../support/process.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { faultOf, follow, leader } from './support.js';

// One after the other, for their memory.
const redisTest = noRedis ? test.skip : test.serial;
const hint = noRedis ? ` (${noRedis})` : '';

redisTest(`64 MB travel, and one byte more doesn't${hint}`, async (t) => {
  const server = await startRedis(t);
  const size = 64 * 1024 * 1024;
  const writer = await leader(t, server.client(), { leaseMs: 9000 });
  const reader = follow(t, server.client());
  const small = follow(t, server.client(), { maxBytes: 1000 });
  await writer.next(size);
  await until(() => reader.version === 1, { what: 'it arrives', deadline: 30_000 });
  t.is(reader.snapshots[0]?.bytes.length, size);
  t.is(faultOf(reader.snapshots), undefined);
  await until(() => small.errors.length > 0, { what: 'refused' });
  t.regex(small.errors[0]?.message ?? '', /67108864 bytes, more than `maxBytes` \(1000\)/);
  t.is(small.follower.status().pulls, 1);
  await t.throwsAsync(writer.next(size + 1), { name: 'SnapshotTooLargeError' });
  t.deepEqual(writer.lost, [], 'its lease was renewed meanwhile');
});

redisTest(`100 MB travel where both sides allow it, and the lag says how long they took${hint}`, async (t) => {
  const server = await startRedis(t);
  const [size, maxBytes] = [100_000_000, 128 * 1024 * 1024];
  const writer = await leader(t, server.client(), { leaseMs: 9000, maxBytes });
  const reader = follow(t, server.client(), { maxBytes });
  await writer.next();
  await until(() => reader.version === 1, { what: 'the first' });
  const { createdAtMonotonic } = await writer.next(size);
  await until(() => reader.version === 2, { what: 'it arrives', deadline: 30_000 });
  t.is(reader.snapshots[1]?.bytes.length, size);
  t.is(faultOf(reader.snapshots), undefined);
  const { lag = -1 } = reader.follower.status();
  t.true(lag > 0 && lag <= monotonic() - createdAtMonotonic);
  t.deepEqual(writer.lost, []);
});
