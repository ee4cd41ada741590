import test from 'ava';
import { until } from '../../support/process.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { faultOf, follow, leader } from './support.js';

const redisTest = noRedis ? test.skip : test;
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
