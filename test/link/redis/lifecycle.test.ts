import { readdirSync } from 'node:fs';
import test from 'ava';
import { Redis } from 'ioredis';
import { followRedis } from '../../../dist/link/redis/follow.js';
import { leadRedis } from '../../../dist/link/redis/lead.js';
import { namesOf } from '../../../dist/link/redis/names.js';
import { parseNews } from '../../../dist/link/redis/look.js';
import { slotOf } from '../../../dist/stores/redis/slots.js';
import { spawnNode, until } from '../../support/process.js';
import { startProxy } from '../../support/redis-proxy.js';
import { noRedis, startRedis } from '../../support/redis.js';
import { follow, leader, stand, storeOf, heardAll } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';
const ALONE = new URL('./fixtures/alone.js', import.meta.url);

test.after.always('nothing was rejected unheard', heardAll);

for (const [what, options, within] of [
  ['nothing of it keeps a process alive', {}, 1500],
  ['closed, it gives the lease up and is gone', { closes: true }, 1500],
  ['nor while Redis can not be reached', { connected: false, address: '/nowhere.sock' }, 1500],
  ['nor closing then', { connected: false, closes: true, address: '/nowhere.sock' }, 1500],
  ['nor while Redis does not answer', { connected: false, stopped: true }, 1500],
  ['nor closing then, either', { connected: false, closes: true, stopped: true }, 1500],
] as const) {
  redisTest(`${what}${hint}`, async (t) => {
    const server = await startRedis(t);
    if ('stopped' in options) server.kill('SIGSTOP');
    const child = spawnNode(t, ALONE, { args: [JSON.stringify({ address: server.address, ...options })] });
    await child.message<{ idle?: boolean }>(({ idle }) => idle === true);
    const began = performance.now();
    const { code } = await child.exited;
    t.is(code, 0, child.stderr());
    t.true(performance.now() - began < within);
    t.deepEqual(child.lines, []);
    if ('closes' in options && !('connected' in options)) {
      t.is(await server.client().exists('{app:flags}:l'), 0, 'the lease was given up');
    }
  });
}

redisTest(`with the option ref it does${hint}`, async (t) => {
  const server = await startRedis(t);
  const child = spawnNode(t, ALONE, { args: [JSON.stringify({ address: server.address, ref: true })] });
  await child.message<{ idle?: boolean }>(({ idle }) => idle === true);
  const ended = await Promise.race([child.exited, new Promise<string>((resolve) => setTimeout(resolve, 800, 'alive'))]);
  t.is(ended, 'alive');
  server.kill('SIGKILL');
  t.is(
    await Promise.race([child.exited, new Promise<string>((resolve) => setTimeout(resolve, 800, 'alive'))]),
    'alive',
    'without a connection too',
  );
});

redisTest(`many links of one client share its connections, and leave none behind${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const client = new Redis(proxy.port, '127.0.0.1', { lazyConnect: true });
  t.teardown(() => client.disconnect());
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const round = async (): Promise<void> => {
    const followers = Array.from({ length: 20 }, (_, i) => follow(t, client, { key: `key ${i % 5}` }));
    const candidates = Array.from({ length: 5 }, (_, i) => stand(t, client, { key: `key ${i}` }));
    await until(() => candidates.every(({ grants }) => grants.length === 1), { what: 'all granted' });
    await Promise.all(candidates.map((candidate) => candidate.next()));
    await until(() => followers.every(({ version, follower }) => version === 1 && follower.status().isSubscribed), { what: 'all have it' });
    t.is(proxy.connections, 3);
    await Promise.all([...followers.map(({ follower }) => follower.close()), ...candidates.map(({ candidate }) => candidate.close())]);
    await until(() => proxy.connections === 0, { what: 'all are gone' });
    await server.client().flushall();
  };
  await round();
  const before = descriptors();
  for (let i = 0; i < 10; i++) await round();
  await until(() => descriptors() <= before + 12, { what: 'no descriptor is left' });
  const { length } = client.eventNames();
  t.is(length, 0, 'no listener on the client');
});

redisTest(`after close there is no callback, and what is asked of it is refused${hint}`, async (t) => {
  const server = await startRedis(t);
  const writer = await leader(t, server.client());
  const readers = Array.from({ length: 10 }, () => follow(t, server.client(), { pollInterval: 20 }));
  const heir = stand(t, server.client());
  await writer.next();
  await until(() => readers.every(({ version }) => version === 1), { what: 'all have it' });
  const publishing = writer.next().catch(() => undefined);
  await Promise.all(readers.map(({ follower }) => follower.close()));
  const counts = readers.map(({ snapshots, states, errors }) => snapshots.length + states.length + errors.length);
  await publishing;
  await writer.candidate.close();
  await until(() => heir.grants.length === 1, { what: 'the heir has it' });
  await heir.next();
  server.kill('SIGKILL');
  await until(() => heir.errors.length > 0, { what: 'others hear' });
  t.deepEqual(
    readers.map(({ snapshots, states, errors }) => snapshots.length + states.length + errors.length),
    counts,
  );
  await t.throwsAsync(writer.next(), { message: /not the key's writer/ });
  t.is(readers[0]?.follower.status().state, 'closed');
  readers[0]?.follower.poke();
  await readers[0]?.follower.close();
  await writer.candidate.close();
  t.deepEqual(writer.lost, []);
});

redisTest(`a throwing callback hurts nobody${hint}`, async (t) => {
  const server = await startRedis(t);
  const errors: Error[] = [];
  const fail = (): never => {
    throw new Error('thrown by a callback');
  };
  const onError = (error: Error): void => void errors.push(error);
  const store = storeOf(server.client());
  const follower = followRedis({ store, key: 'flags', onSnapshot: fail, onState: fail, onConfirmed: fail, onError });
  const candidate = leadRedis({ store, key: 'other', onSnapshot: fail, onGranted: fail, onError });
  t.teardown(() => Promise.all([follower.close(), candidate.close()]));
  const writer = await leader(t, server.client());
  await writer.next();
  await writer.next();
  await until(() => follower.status().version === 2 && candidate.status().state === 'leading', { what: 'they go on' });
  t.true(errors.length > 0 && errors.every(({ message }) => message === 'thrown by a callback'));
});

test('options that can not be meant are refused at the call', (t) => {
  const client = new Redis({ lazyConnect: true });
  t.teardown(() => client.disconnect());
  const options = { store: storeOf(client), key: 'k', onSnapshot: () => undefined, onGranted: () => undefined };
  for (const [change, message] of [
    [{ store: {} }, /Expected `store` to be a RedisCache, got an object/],
    [{ key: '' }, /Expected `key`/],
    [{ leaseMs: 50 }, /Expected `leaseMs` to be a whole number of 100 or more, got 50/],
    [{ pollInterval: 0 }, /Expected `pollInterval`/],
    [{ maxBytes: 1.5 }, /Expected `maxBytes`/],
    [{ id: '' }, /Expected `id`/],
    [{ ref: 1 }, /Expected `ref`/],
  ] as [object, RegExp][]) {
    const error = t.throws(() => leadRedis({ ...options, ...change }), undefined, String(message));
    t.regex(error?.message ?? '', message);
    t.true(error instanceof TypeError || error instanceof RangeError);
  }
});

test('the keys of a snapshot are of one slot', (t) => {
  const cluster = { isCluster: true, nodes: () => [] };
  const names = (prefix: string, key: string, client: object = cluster) => namesOf({ client, prefix } as never, key);
  t.deepEqual(names('app:', 'flags'), { value: 'app:flags', meta: '{app:flags}:m', lease: '{app:flags}:l', channel: '{app:flags}:n' });
  t.is(names('{app}:', 'flags').meta, '{app}:flags:m');
  for (const [prefix, key] of [
    ['', 'a'],
    ['app:', 'a{b'],
    ['{app}', 'x}y'],
    ['a{b}c{d}', 'e'],
    ['', '{{x}'],
    ['', 'é{ü}'],
  ] as const) {
    const { value, meta, lease, channel } = names(prefix, key);
    t.is(value, prefix + key);
    t.deepEqual([meta, lease, channel].map(slotOf), [slotOf(value), slotOf(value), slotOf(value)], value);
    t.is(new Set([value, meta, lease, channel]).size, 4);
  }
  for (const key of ['x}y', '{}x', 'a{}b{c}', '}', '}{']) {
    t.throws(() => names('', key), { instanceOf: RangeError, message: /braces/ }, key);
    t.is(names('', key, {}).meta, `{${key}}:m`, 'one server has no slots');
  }
});

test('an announcement is three numbers, and nothing else is one', (t) => {
  t.deepEqual(parseNews('1700000000000:12:1700000000001'), { epoch: 1_700_000_000_000, version: 12, at: 1_700_000_000_001 });
  for (const text of ['', 'free', '1:2', '1:2:3:4', ' 1:2:3', '1:2:3\n', '1e3:2:3', '-1:2:3', '12345678901234567:1:1', '0x1:2:3'])
    t.is(parseNews(text), undefined, text);
});
