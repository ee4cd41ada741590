import { crc32 } from 'node:zlib';
import test from 'ava';
import { type Clock, monotonic, systemClock } from '../../../dist/core/clock.js';
import { publishUnfenced } from '../../../dist/link/redis/unfenced.js';
import { encodeEntry } from '../../../dist/wire/entry.js';
import type { News } from '../../../dist/link/ports.js';
import { until } from '../../support/process.js';
import { commandsOf, noRedis, startRedis } from '../../support/redis.js';
import { bytesOf, faultOf, follow, granted, KEY, leader, snapshotOf, stand, storeOf, heardAll } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';
const META = '{app:flags}:m';

test.after.always('nothing was rejected unheard', heardAll);

redisTest(`the same bytes again cost a heartbeat: a younger age everywhere, no transfer${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const writer = await leader(t, client, { leaseMs: 10_000 });
  const reader = follow(t, server.client(), { pollInterval: 60_000 });
  await until(() => reader.follower.status().isSubscribed, { what: 'it listens' });
  const first = { ...snapshotOf(writer.epoch, 1, 1_000_000), createdAtMonotonic: monotonic() - 5000 };
  await writer.candidate.publish(first);
  await until(() => reader.version === 1, { what: 'version 1' });
  const age = monotonic() - (reader.snapshots[0]?.createdAtMonotonic ?? 0);
  t.true(age >= 4950 && age < 6000, `loaded 5 s ago, and seen as of ${age} ms ago`);
  const { commands, stop } = await commandsOf(server);
  const now = monotonic();
  await writer.candidate.confirm({ ...first, createdAt: Date.now(), createdAtMonotonic: now });
  await until(() => reader.confirmations.length === 1, { what: 'confirmed' });
  const { epoch, version, createdAtMonotonic = 0, createdAt = 0 } = reader.confirmations[0] ?? {};
  t.deepEqual([epoch, version], [writer.epoch, 1]);
  t.true(Math.abs(createdAtMonotonic - now) < 500);
  t.is((await storeOf(client).getEntry(KEY))?.createdAt, createdAt / 1000);
  stop();
  t.true(
    commands.every((words) => words.join(' ').length < 4000),
    'nothing large was sent',
  );
  t.is(reader.follower.status().pulls, 1);
  t.is(reader.snapshots.length, 1);
  // Older than what is known: welcome, and nothing changes.
  await writer.candidate.confirm(first);
  // Of another version: refused.
  await t.throwsAsync(writer.candidate.confirm({ ...first, version: 2 }), { message: /other than the one/ });
  // Where Redis lost it, a confirmation puts it back.
  await client.del('app:flags', META);
  await writer.candidate.confirm({ ...first, createdAt: Date.now(), createdAtMonotonic: monotonic() });
  t.is(await client.strlen('app:flags'), 1_000_016);
});

redisTest(`clocks of other hosts that are an hour wrong change nothing${hint}`, async (t) => {
  const server = await startRedis(t);
  const skewed = (hours: number): Clock => ({ ...systemClock, wall: () => Date.now() + hours * 3_600_000 });
  const writer = await leader(t, server.client(), { clock: skewed(1) });
  const readers = [-1, 0, 1].map((hours) => follow(t, server.client(), { clock: skewed(hours) }));
  const loaded = monotonic() - 2000;
  await writer.candidate.publish({ ...snapshotOf(writer.epoch, 1), createdAt: Date.now() + 3_600_000, createdAtMonotonic: loaded });
  await until(() => readers.every(({ version }) => version === 1), { what: 'all have it' });
  for (const { snapshots } of readers) {
    const [{ createdAt, createdAtMonotonic, freshFor } = snapshotOf(0, 0)] = snapshots;
    t.true(Math.abs(createdAtMonotonic - loaded) < 500, `${createdAtMonotonic - loaded} ms`);
    t.true(Math.abs(Date.now() - 2000 - createdAt) < 1000);
    t.is(freshFor, 60_000);
  }
  // From the future: the age is never negative.
  await writer.candidate.publish({ ...snapshotOf(writer.epoch, 2), createdAtMonotonic: monotonic() + 60_000 });
  await until(() => readers.every(({ version }) => version === 2), { what: 'all have it' });
  for (const { snapshots } of readers) t.true((snapshots[1]?.createdAtMonotonic ?? Infinity) <= monotonic());
});

redisTest(`writers without a lease: the last one wins, versions only rise, and a fleet's writer shuts them out${hint}`, async (t) => {
  const server = await startRedis(t);
  const clients = [server.client(), server.client()];
  const reader = follow(t, server.client(), { pollInterval: 60_000 });
  await until(() => reader.follower.status().isSubscribed, { what: 'it listens' });
  const write = (i: number) =>
    publishUnfenced({ store: storeOf(clients[i % 2]!), key: KEY }, { ...snapshotOf(0, 0), bytes: bytesOf(0, i) });
  const numbers: News[] = [];
  for (let i = 1; i <= 20; i++) numbers.push(await write(i));
  t.true(numbers.every(({ epoch, version }, i) => epoch === numbers[0]?.epoch && version === i + 1));
  await until(() => reader.version === 20, { what: 'the last' });
  t.is(faultOf(reader.snapshots, true), undefined);
  t.is(reader.states.at(-1), 'live');
  // Two at once: whoever was last is what all see.
  await Promise.all([write(21), write(22)]);
  await until(() => reader.version === 22, { what: 'both' });
  t.deepEqual((await storeOf(clients[0]!).getEntry(KEY))?.value, JSON.parse(Buffer.from(reader.snapshots.at(-1)!.bytes).toString()));
  // Even where Redis forgot everything.
  await clients[0]!.flushall();
  await write(23);
  await until(() => JSON.parse(Buffer.from(reader.snapshots.at(-1)!.bytes).toString()).version === 23, { what: 'after the flush' });
  t.is(faultOf(reader.snapshots, true), undefined);
  const writer = await leader(t, server.client());
  t.is(writer.grants[0]?.last?.version, 1);
  await t.throwsAsync(write(24), { name: 'StoreError', message: /scope 'fleet' holds the lease/ });
  await writer.next();
  await writer.candidate.close();
  await write(25);
  await until(() => reader.version === 3, { what: 'it is free again' });
  t.is(faultOf(reader.snapshots, true), undefined);
  t.deepEqual(
    reader.errors.filter(({ message }) => !/Redis has lost/.test(message)),
    [],
  );
});

redisTest(`values that nobody announces are polled by their first 16 bytes${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const store = storeOf(client);
  await store.set(KEY, { version: 1 }, 60);
  const reader = follow(t, server.client(), { pollInterval: 100 });
  await until(() => reader.snapshots.length === 1, { what: 'what was there' });
  const [first] = reader.snapshots;
  t.is(first?.version, Math.round(((await store.getEntry(KEY))?.createdAt ?? 0) * 1e6), 'its moment in microseconds');
  t.deepEqual([first?.epoch, first?.codec, Math.round(first?.freshFor ?? 0)], [0, 'json', 60_000]);
  t.true(monotonic() - (first?.createdAtMonotonic ?? 0) < 2000);
  await store.set(KEY, { version: 2 }, 60);
  await until(() => reader.snapshots.length === 2, { what: 'the next' });
  const { pulls, polls = 0 } = reader.follower.status();
  await until(() => (reader.follower.status().polls ?? 0) > polls + 3, { what: 'polls' });
  t.is(reader.follower.status().pulls, pulls, 'only what changed is fetched');
  // The same value again is a confirmation.
  await store.set(KEY, { version: 2 }, 60);
  await until(() => reader.confirmations.length === 1, { what: 'confirmed' });
  t.is(reader.snapshots.length, 2);
  t.deepEqual(reader.states, ['live']);

  // A fleet's writer takes over where they stopped, with a higher epoch.
  const writer = await leader(t, server.client());
  t.is(JSON.parse(Buffer.from(writer.grants[0]?.last?.bytes ?? []).toString()).version, 2);
  await writer.next();
  await until(() => (reader.snapshots.at(-1)?.epoch ?? 0) === writer.epoch, { what: 'the numbers of the writer' });

  // Somebody who writes beside it is told of, not followed, and overruled.
  await store.set(KEY, { version: 'foreign' }, 60);
  await until(() => reader.follower.status().lastErrorKind === 'foreign', { what: 'told' });
  await until(() => reader.states.at(-1) === 'live' && reader.follower.status().state === 'live', { what: 'put back' });
  t.is(((await store.getEntry(KEY))?.value as { epoch?: number } | undefined)?.epoch, writer.epoch);

  // Without a writer it is followed.
  await writer.candidate.close();
  const before = reader.snapshots.length;
  await store.set(KEY, { version: 'later' }, 60);
  await until(() => reader.snapshots.length > before, { what: 'followed' });
  t.is(reader.snapshots.at(-1)?.epoch, writer.epoch);
  // And overruled again by the next writer.
  const heir = await leader(t, server.client());
  await heir.next();
  await until(() => reader.snapshots.at(-1)?.epoch === heir.epoch, { what: "the heir's" });
  const numbers = reader.snapshots.map(({ epoch, version }) => [epoch, version] as const);
  t.true(
    numbers.every(([e, v], i) => i === 0 || e > numbers[i - 1]![0] || (e === numbers[i - 1]![0] && v > numbers[i - 1]![1])),
    JSON.stringify(numbers),
  );
});

redisTest(`bad snapshots are refused, told once, and not fetched again${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const writer = await leader(t, server.client(), { leaseMs: 30_000, pollInterval: 60_000 });
  await writer.candidate.publish(snapshotOf(writer.epoch, 1));
  const reader = follow(t, server.client(), { pollInterval: 50, maxBytes: 2000 });
  await until(() => reader.version === 1, { what: 'version 1' });
  const at = 1_700_000_000_000;
  const entry = (payload: Buffer): Buffer => encodeEntry(payload, Infinity, at / 1000);
  const bytes = Buffer.from('{"a":1}');
  const good = { n: bytes.length, h: crc32(bytes), at, c: 'json', f: 'inf', w: 'somebody' };
  const cases: [what: string, meta: object, value: Buffer | undefined, message: RegExp][] = [
    ['another checksum', { ...good, h: 1 }, entry(bytes), /corrupt: its checksum differs/],
    ['one byte short', good, entry(bytes.subarray(1)), /overwrote/],
    ['no header', good, Buffer.from('hello, this is no entry'), /does not begin as an entry does/],
    ['shorter than a header', good, Buffer.from('hello'), /does not begin as an entry does/],
    ['too large', { ...good, n: 5000, h: crc32(Buffer.alloc(5000)) }, entry(Buffer.alloc(5000)), /5000 bytes, more than `maxBytes`/],
    ['a meta hash of something else', { ...good, h: 'x' }, entry(bytes), /holds what no writer gives/],
    ['no string', good, undefined, /Redis answered WRONGTYPE/],
  ];
  for (const [k, [what, meta, value, message]] of cases.entries()) {
    const version = 2 + 2 * k;
    const before = reader.errors.length;
    const { pulls = 0 } = reader.follower.status();
    const transaction = client.multi().hset(META, { ...meta, e: writer.epoch, v: version });
    if (value) transaction.set('app:flags', value);
    else transaction.del('app:flags').rpush('app:flags', 'a', 'b');
    await transaction.publish('{app:flags}:n', `${writer.epoch}:${version}:${at}`).exec();
    await until(() => reader.errors.length > before, { what });
    const { polls = 0 } = reader.follower.status();
    await until(() => (reader.follower.status().polls ?? 0) > polls + 4, { what: 'some polls' });
    t.is(reader.errors.length, before + 1, what);
    t.regex(reader.errors.at(-1)?.message ?? '', message);
    t.true((reader.follower.status().pulls ?? 0) <= pulls + 1, `${what}: fetched again and again`);
    t.is(reader.version, version - 1, what);
    t.is(reader.follower.status().state, 'interrupted');
    // The next one is a good one.
    await client.hset(META, 'w', writer.candidate.status().writer ?? '');
    await writer.candidate.publish(snapshotOf(writer.epoch, version + 1));
    await until(() => reader.version === version + 1 && reader.follower.status().state === 'live', { what: `well after: ${what}` });
  }
  t.true(reader.follower.status().refused >= 4);
  t.is(faultOf(reader.snapshots), undefined);
});

redisTest(`a standby that has what Redis lost puts it back when it takes over${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const writer = await leader(t, server.client());
  await writer.next(1000);
  const standby = stand(t, server.client());
  await until(() => standby.version === 1, { what: 'it has it' });
  await client.client('PAUSE', 100, 'WRITE');
  await Promise.all([writer.candidate.close(), client.flushall()]);
  await client.flushall();
  const { last } = await granted(standby);
  t.is(last?.version, 1);
  await until(() => client.exists('app:flags'), { what: 'it is there' });
  const late = follow(t, server.client());
  await until(() => late.version === 1 && late.snapshots[0]?.epoch === standby.epoch, { what: 'a newcomer finds it' });
});
