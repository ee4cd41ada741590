/** A keyed snapshot is bytes with a codec: the link over Redis carries it as it is, into the memory of a process on another host. */
import test from 'ava';
import { createRing } from '../../dist/mirror/layout.js';
import { publish } from '../../dist/mirror/protocol.js';
import { until } from '../support/process.js';
import { noRedis, startRedis } from '../support/redis.js';
import { follow, leader } from '../link/redis/support.js';
import { differences, feedOf, keysOf, Publisher, readerOf } from './support.js';

const redisTest = noRedis ? test.skip : test;

redisTest(`records, changes and identity travel through Redis${noRedis ? ` (${noRedis})` : ''}`, async (t) => {
  const server = await startRedis(t);
  const writer = await leader(t, server.client());
  const far = follow(t, server.client());
  const publisher = new Publisher();
  const ring = createRing(1 << 20, { slots: 2, scope: 'host' });
  const { reader, errors } = readerOf(ring);
  const { feed, wake } = feedOf(reader);
  const told: ReturnType<typeof keysOf>[] = [];
  feed.onChange((change) => told.push(keysOf(change)));

  const versions: Record<string, unknown>[] = [
    { a: 1, same: { s: [1, 'ü'] } },
    { b: 2, same: { s: [1, 'ü'] } },
    { b: 3, c: 1, same: { s: [1, 'ü'] } },
  ];
  let before = new Map<string, unknown>();
  let same: unknown;
  for (const [at, records] of versions.entries()) {
    const model = new Map(Object.entries(records));
    const { bytes } = publisher.publish(model);
    const now = performance.timeOrigin + performance.now();
    const times = { createdAt: now, createdAtMonotonic: now, freshFor: 60_000 };
    await writer.candidate.publish({ epoch: writer.epoch, version: at + 1, ...times, codec: 'keyed', bytes: bytes.slice() });
    await until(() => far.version === at + 1, { what: `version ${at + 1}` });
    const snapshot = far.snapshots.at(-1);
    t.is(snapshot?.codec, 'keyed');
    publish(ring, snapshot as NonNullable<typeof snapshot>);
    wake();
    t.deepEqual(new Map(reader.lookups.entries()), model);
    t.deepEqual(told.at(-1), differences(before, model));
    same ??= reader.lookups.get('same');
    t.is(reader.lookups.get('same'), same);
    before = model;
  }
  t.deepEqual(errors, []);
});
