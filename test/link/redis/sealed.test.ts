/** A store with a `secret`: what is announced is believed only where somebody who has it sealed it. */
import { crc32 } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import type { Redis } from 'ioredis';
import { monotonic } from '../../../dist/core/clock.js';
import { RedisCache } from '../../../dist/index.js';
import { encodeEntry } from '../../../dist/wire/entry.js';
import { until } from '../../support/process.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { faultOf, follow, granted, KEY, leader, PREFIX, type Seen, snapshotOf, stand, type Standing, storeOf } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

const [SECRET, OTHER] = ['a secret of more than 16 bytes', 'another secret of more than that'];
const [VALUE, META] = ['app:flags', '{app:flags}:m'];
const HEADER = 16;
const SEAL = 32;

const sealedStore = (client: Redis, secret: string | string[] = SECRET): RedisCache => new RedisCache(client, { prefix: PREFIX, secret });

interface Scene {
  readonly client: Redis;
  readonly writer: Standing;
  readonly reader: Seen;
  /** Somebody who may write to this Redis, and has no secret. */
  forge(meta: Record<string, string | number>, value?: Buffer): Promise<unknown>;
}

async function scene(t: ExecutionContext): Promise<Scene> {
  const server = await startRedis(t);
  const client = server.client();
  // Nothing is put back by itself while somebody tampers.
  const writer = await leader(t, client, { store: sealedStore(server.client()), leaseMs: 60_000, pollInterval: 60_000 });
  const reader = follow(t, client, { store: sealedStore(server.client()), pollInterval: 20 });
  await writer.next(1000);
  await until(() => reader.version === 1, { what: 'version 1' });
  return {
    client,
    writer,
    reader,
    forge: (meta, value) => {
      const transaction = client.multi().hset(META, meta);
      if (value) transaction.set(VALUE, value);
      return transaction.exec();
    },
  };
}

redisTest(`sealed snapshots travel, are confirmed without a transfer, and are entries of the store${hint}`, async (t) => {
  const { client, writer, reader } = await scene(t);
  const store = sealedStore(client);
  t.is(((await store.getEntry(KEY))?.value as { version?: number } | undefined)?.version, 1);
  t.is(await client.strlen(VALUE), HEADER + 1000 + SEAL);
  const { pulls } = reader.follower.status();
  const now = monotonic();
  const last = writer.grants[0]!;
  await writer.candidate.confirm({ epoch: last.epoch, version: 1, createdAt: Date.now(), createdAtMonotonic: now });
  await until(() => reader.confirmations.length === 1, { what: 'confirmed' });
  t.true(Math.abs((reader.confirmations[0]?.createdAtMonotonic ?? 0) - now) < 500);
  t.is(reader.follower.status().pulls, pulls);
  t.is(((await store.getEntry(KEY))?.value as { version?: number } | undefined)?.version, 1, 'still sealed as an entry');
  // One that expires never, and one from the future.
  await writer.candidate.publish({ ...snapshotOf(writer.epoch, 2), freshFor: Infinity, createdAtMonotonic: monotonic() + 60_000 });
  await until(() => reader.version === 2, { what: 'version 2' });
  t.is(reader.snapshots[1]?.freshFor, Infinity);
  t.true((reader.snapshots[1]?.createdAtMonotonic ?? Infinity) <= monotonic());
  t.is((await store.getEntry(KEY))?.freshUntil, Infinity);
  // Lost, it is put back; handed over, it is read by the next one.
  await client.del(VALUE, META);
  await writer.candidate.confirm({ epoch: writer.epoch, version: 2, createdAt: Date.now(), createdAtMonotonic: monotonic() + 60_001 });
  t.true((await store.getEntry(KEY)) !== undefined);
  const heir = stand(t, client, { store: sealedStore(client, [OTHER, SECRET]) });
  await until(() => heir.version === 2, { what: 'the heir has it' });
  await writer.candidate.release();
  t.is((await granted(heir)).last?.version, 2);
  t.deepEqual([...writer.errors, ...heir.errors], []);
});

redisTest(`a change of the secret: the new one behind the old, then before it, then alone${hint}`, async (t) => {
  const server = await startRedis(t);
  let version = 0;
  for (const [writes, reads] of [
    [[SECRET], [SECRET, OTHER]],
    [
      [OTHER, SECRET],
      [SECRET, OTHER],
    ],
    [[OTHER], [OTHER]],
  ] as [string[], string[]][]) {
    const client = server.client();
    const writer = await leader(t, client, { store: sealedStore(client, writes) });
    const reader = follow(t, client, { store: sealedStore(client, reads) });
    await writer.next();
    version += 1;
    await until(() => reader.version === version, { what: `version ${version}` });
    await writer.candidate.close();
    t.deepEqual(reader.errors, []);
    await reader.follower.close();
  }
});

redisTest(`whoever writes to Redis without the secret makes no reader believe anything${hint}`, async (t) => {
  const { client, writer, reader, forge } = await scene(t);
  const old = { meta: await client.hgetall(META), value: (await client.getBuffer(VALUE))! };
  await writer.next(1000);
  await until(() => reader.version === 2, { what: 'version 2' });
  const bytes = Buffer.from('{"admin":true}');
  const made = { w: 'me', n: bytes.length, h: crc32(bytes), at: 1_700_000_000_000, c: 'json', f: 'inf', d: '', s: '' };
  const entry = encodeEntry(bytes, Infinity, 1_700_000_000);
  const { e } = old.meta as { e: string };
  const good = { meta: await client.hgetall(META), value: (await client.getBuffer(VALUE))! };
  const changed = Buffer.from(good.value);
  changed[HEADER + 40] = (changed[HEADER + 40] as number) ^ 1;
  const cases: [what: string, forging: () => Promise<unknown>, message: RegExp][] = [
    ['a snapshot of their own', () => forge({ ...made, e, v: 9 }, entry), /not sealed with the secret/],
    ['a seal that is none', () => forge({ ...made, e, v: 9, s: 'bm8=', d: 'x' }, entry), /not sealed with the secret/],
    ['an old one under new numbers', () => forge({ ...old.meta, v: 9 }, old.value), /not sealed with the secret/],
    ['an old one as it was', () => forge(old.meta, old.value), /Redis went back from epoch/],
    ['a younger time', () => forge({ at: Number(good.meta['at']) + 60_000 }), /not sealed with the secret/],
    ['a longer life', () => forge({ f: 'inf' }), /not sealed with the secret/],
    ['another codec', () => forge({ c: 'v8' }), /not sealed with the secret/],
    ['another writer', () => forge({ w: 'me' }), /not sealed with the secret/],
    [
      'an entry without numbers',
      () => client.multi().del(META).set(VALUE, entry).exec(),
      /not sealed with the secret|older than what was read/,
    ],
    [
      'a younger entry without numbers',
      () =>
        client
          .multi()
          .del(META)
          .set(VALUE, encodeEntry(bytes, Infinity, Date.now() / 1000 + 9))
          .exec(),
      /not sealed with the secret/,
    ],
  ];
  for (const [what, forging, message] of cases) {
    const before = reader.errors.length;
    await forging();
    await until(() => reader.follower.status().state === 'interrupted', { what });
    t.regex(reader.follower.status().lastError?.message ?? '', message, what);
    t.true(reader.errors.length > before, what);
    const { polls = 0, pulls = 0 } = reader.follower.status();
    await until(() => (reader.follower.status().polls ?? 0) > polls + 3, { what: 'some polls' });
    t.true((reader.follower.status().pulls ?? 0) <= pulls + 1, what);
    t.is(reader.version, 2, what);
    t.deepEqual(reader.confirmations, [], what);
    await client.del(META);
    await forge(good.meta, good.value);
    await until(() => reader.follower.status().state === 'live', { what: `well after: ${what}` });
  }
  // Bytes that are changed under their own numbers: who has the right ones keeps them, and a newcomer takes none.
  await forge({ h: crc32(changed.subarray(HEADER, -SEAL)) }, changed);
  const late = follow(t, client, { store: sealedStore(client), pollInterval: 20 });
  await until(() => late.errors.length > 0, { what: 'refused' });
  t.regex(late.errors[0]?.message ?? '', /not the one that was sealed/);
  t.deepEqual(late.snapshots, []);
  t.is(late.follower.status().lastErrorKind, 'bad-snapshot');
  await writer.next(1000);
  await until(() => late.version === 3 && reader.version === 3, { what: 'the next is a good one' });
  t.is(faultOf(reader.snapshots), undefined);
});

redisTest(`a store without the secret, or with another one, refuses what is sealed, and one with it what is not${hint}`, async (t) => {
  const { client, writer } = await scene(t);
  const plain = follow(t, client, { store: storeOf(client) });
  const stranger = follow(t, client, { store: sealedStore(client, OTHER) });
  await until(() => plain.errors.length > 0 && stranger.errors.length > 0, { what: 'refused' });
  t.regex(plain.errors[0]?.message ?? '', /sealed, and this store has no `secret`/);
  t.regex(stranger.errors[0]?.message ?? '', /not sealed with the secret/);
  await writer.candidate.close();
  // The writers get a secret later than the readers: they go on with what they had.
  const unsealed = await leader(t, client, { store: storeOf(client) });
  await unsealed.next();
  await until(() => plain.version === 1, { what: 'who has none goes on' });
  const reader = follow(t, client, { store: sealedStore(client) });
  await until(() => reader.errors.length > 0, { what: 'refused' });
  t.deepEqual([...reader.snapshots, ...stranger.snapshots], []);
});

redisTest(`what nobody announces is opened by the entry's own seal${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const store = sealedStore(client);
  await store.set(KEY, { version: 1 }, 60);
  const reader = follow(t, client, { store, pollInterval: 20 });
  await until(() => reader.snapshots.length === 1, { what: 'the first' });
  t.deepEqual(JSON.parse(Buffer.from(reader.snapshots[0]!.bytes).toString()), { version: 1 });
  await client.set(VALUE, encodeEntry(Buffer.from('{"version":"forged"}'), Infinity, Date.now() / 1000 + 1));
  await until(() => reader.follower.status().lastErrorKind === 'bad-snapshot', { what: 'refused' });
  await store.set(KEY, { version: 2 }, 60);
  await until(() => reader.snapshots.length === 2, { what: 'the second' });
  t.deepEqual(JSON.parse(Buffer.from(reader.snapshots[1]!.bytes).toString()), { version: 2 });
});
