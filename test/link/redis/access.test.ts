import { inspect } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import type { Redis } from 'ioredis';
import { RedisCache } from '../../../dist/index.js';
import { PUBLISH } from '../../../dist/link/redis/scripts.js';
import { until } from '../../support/process.js';
import { noRedis, type RedisServer, startCluster, startRedis } from '../../support/redis.js';
import { faultOf, follow, granted, leader, stand } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

const PASSWORD = 'canary-of-a-password';

/** The lines of docs/fleet.md, for the prefix `app:`. */
const READER =
  'resetkeys resetchannels %R~app:* %R~{app:*}:m %R~{app:*}:l &{app:*}:n -@all +hmget +getrange +strlen +get +pttl +time +multi +exec +subscribe +unsubscribe +ping +hello +info';
const WRITER =
  'resetkeys resetchannels ~app:* ~{app:*}:m ~{app:*}:l &{app:*}:n -@all +eval +evalsha +hmget +hset +get +set +setrange +getrange +strlen +pttl +del +publish +time +multi +exec +subscribe +unsubscribe +ping +hello +info';

async function users(t: ExecutionContext): Promise<{ server: RedisServer; admin: Redis; as: (user: string) => Redis }> {
  const server = await startRedis(t);
  const admin = server.client();
  for (const [name, rules] of Object.entries({ reader: READER, writer: WRITER }))
    await admin.call('ACL', 'SETUSER', name, 'on', `>${PASSWORD}`, ...rules.split(' '));
  await admin.call('ACL', 'SETUSER', 'default', 'nopass', '+@all', '~*', '&*');
  return { server, admin, as: (username) => server.client({ username, password: PASSWORD, disableClientInfo: true }) };
}

redisTest(`the rights in the documentation suffice, for a writer and for a reader${hint}`, async (t) => {
  const { admin, as } = await users(t);
  const writer = await leader(t, as('writer'));
  const standby = stand(t, as('writer'));
  const reader = follow(t, as('reader'));
  await until(() => reader.follower.status().isSubscribed && standby.followings === 1, { what: 'all are there' });
  const snapshot = await writer.next();
  await writer.next(200_000);
  await until(() => reader.version === 2, { what: 'the reader has it' });
  await writer.candidate.confirm({ ...snapshot, version: 2, createdAtMonotonic: snapshot.createdAtMonotonic + 5000 });
  await until(() => reader.confirmations.length === 1, { what: 'confirmed' });
  await admin.flushall();
  await until(() => admin.exists('app:flags'), { what: 'put back' });
  await writer.candidate.release();
  await granted(standby);
  await standby.next();
  await until(() => reader.version === 3, { what: 'the reader has the next' });
  t.is(faultOf(reader.snapshots), undefined);
  // The flush is told; that something is denied is not.
  for (const { errors } of [writer, standby, reader]) t.false(errors.some(({ message }) => message.includes('NOPERM')));
  const denied = (await admin.call('ACL', 'LOG')) as unknown[][];
  t.deepEqual(
    denied.map((entry) => entry[5]),
    [],
  );
});

redisTest(`in a Cluster, with what its client needs besides, and for a prefix that is a hash tag${hint}`, async (t) => {
  const cluster = await startCluster(t);
  const more = ['+cluster|slots', '+cluster|info', '+asking', '+readonly', '+client|setname'];
  const tagged = (rules: string): string[] =>
    rules
      .replaceAll('app:', '{app}:')
      .replaceAll(/\{\{app\}:\*\}/g, '{app}:*')
      .split(' ');
  for (const node of cluster.nodes) {
    for (const [name, rules] of Object.entries({ reader: READER, writer: WRITER }))
      await node.call('ACL', 'SETUSER', name, 'on', `>${PASSWORD}`, ...tagged(rules), ...more);
  }
  const storeFor = (username: string): RedisCache =>
    new RedisCache(cluster.client({ username, password: PASSWORD, disableClientInfo: true }), { prefix: '{app}:' });
  const client = cluster.client();
  const writer = await leader(t, client, { store: storeFor('writer') });
  const reader = follow(t, client, { store: storeFor('reader') });
  await until(() => reader.follower.status().isSubscribed, { what: 'it listens' });
  await writer.next();
  await until(() => reader.version === 1, { what: 'the reader has it' });
  const denied = await Promise.all(cluster.nodes.map((node) => node.call('ACL', 'LOG') as Promise<unknown[]>));
  t.deepEqual(denied.flat(), []);
  t.deepEqual([...writer.errors, ...reader.errors], []);
});

redisTest(`everything else is denied: a reader that writes or tells, and a writer outside of its keys${hint}`, async (t) => {
  const { as } = await users(t);
  const [reader, writer] = [as('reader'), as('writer')];
  const names = ['app:flags', '{app:flags}:m', '{app:flags}:l'];
  const publish = (client: Redis, keys: string[], channel = '{app:flags}:n'): Promise<unknown> =>
    client.eval(PUBLISH.text, 3, ...keys, 1, 'id', 1, 0, 0, 'json', 'inf', 0, channel, '', '', '');
  for (const [what, attempt] of Object.entries({
    'a reader sets': () => reader.set('app:flags', 'x'),
    'a reader sets the meta': () => reader.hset('{app:flags}:m', 'e', 9),
    'a reader takes the lease': () => reader.set('{app:flags}:l', 'me', 'PX', 1000, 'NX'),
    'a reader deletes': () => reader.del('app:flags'),
    'a reader announces': () => reader.publish('{app:flags}:n', '9:9:9'),
    'a reader runs the script': () => publish(reader, names),
    'a reader reads a stranger': () => reader.get('other'),
    'a reader lists': () => reader.keys('*'),
    'a reader listens to a stranger': () => as('reader').subscribe('other'),
    'a writer writes a stranger': () => writer.set('other', 'x'),
    'a writer runs the script on a stranger': () => publish(writer, ['other', '{other}:m', '{other}:l']),
    'a writer flushes': () => writer.flushall(),
    'a writer lists': () => writer.keys('*'),
    'a writer tells strangers': () => writer.publish('other', 'x'),
  })) {
    await t.throwsAsync(Promise.resolve(attempt()), { message: /NOPERM/ }, what);
  }
  // In a script the channel is checked too, though after the value was written: it is no key.
  await writer.set('{app:flags}:l', 'id');
  await t.throwsAsync(publish(writer, names, 'other'), { message: /ACL failure|NOPERM|can't publish to the channel/ });
});

redisTest(`a reader that may not listen polls, says so once, and listens when it may${hint}`, async (t) => {
  const { admin, as, server } = await users(t);
  await admin.call('ACL', 'SETUSER', 'reader', 'resetchannels');
  const writer = await leader(t, server.client());
  const reader = follow(t, as('reader'));
  for (let i = 1; i <= 3; i++) {
    await writer.next();
    await until(() => reader.version === i, { what: `version ${i}` });
  }
  t.is(reader.follower.status().lastErrorKind, 'denied');
  t.is(reader.follower.status().state, 'live');
  t.deepEqual(
    reader.errors.map(({ message }) => message),
    ['Redis failed to subscribe: Redis answered NOPERM'],
  );
  await admin.call('ACL', 'SETUSER', 'reader', '&{app:*}:n');
  await until(() => reader.follower.status().isSubscribed, { what: 'it listens' });
});

redisTest(`a wrong password is told, without it${hint}`, async (t) => {
  const { server } = await users(t);
  const wrong = 'canary-that-is-wrong';
  const reader = follow(t, server.client({ username: 'reader', password: wrong }));
  await until(() => reader.errors.length > 0, { what: 'told' });
  t.is(reader.follower.status().state, 'interrupted');
  t.is(reader.follower.status().lastErrorKind, 'denied');
  t.regex(reader.errors[0]?.message ?? '', /WRONGPASS/);
  for (const error of reader.errors) {
    const text = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + (error.stack ?? '');
    t.false(text.includes(wrong));
  }
});
