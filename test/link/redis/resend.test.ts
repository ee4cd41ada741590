/** What was given to a connection that was lost: it must not come later, over what another one has written meanwhile. */
import test from 'ava';
import { Redis } from 'ioredis';
import { publishUnfenced } from '../../../dist/link/redis/unfenced.js';
import { until } from '../../support/process.js';
import { startProxy } from '../../support/redis-proxy.js';
import { commandsOf, noRedis, startRedis } from '../../support/redis.js';
import { bytesOf, faultOf, follow, granted, leader, snapshotOf, stand, storeOf } from './support.js';

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

/** With ioredis's defaults: what is asked meanwhile is queued, and what was not answered is sent again. */
function careless(t: Parameters<typeof startRedis>[0], port: number): Redis {
  const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null }).on('error', () => undefined);
  t.teardown(() => client.disconnect());
  return client;
}

redisTest(`a publish that the network swallowed is not sent again when it is back: the new writer's value stands${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const old = await leader(t, careless(t, proxy.port), { leaseMs: 2000 });
  const reader = follow(t, server.client());
  await old.next();
  const heir = stand(t, server.client(), { leaseMs: 20_000 });
  await until(() => heir.followings === 1 && reader.version === 1, { what: 'all have the first' });
  // One is on its way and lost, one is given to a connection that is dead.
  proxy.silent = true;
  const swallowed = t.throwsAsync(old.next());
  await granted(heir);
  proxy.refuses = true;
  proxy.cut();
  proxy.silent = false;
  const refused = t.throwsAsync(old.next());
  await heir.next();
  const { commands, stop } = await commandsOf(server);
  proxy.refuses = false;
  await Promise.all([swallowed, refused]);
  await until(() => old.version === heir.candidate.status().version, { what: 'the old one follows' });
  await heir.next();
  await until(() => old.version === 3 && reader.version === 3, { what: 'the next' });
  stop();
  // Nothing that it was told to publish came to Redis at all.
  const byOld = commands.filter((words) => words.some((word) => word.includes(`\\"epoch\\":${old.epoch},`)));
  t.deepEqual(byOld, []);
  t.is(faultOf(reader.snapshots), undefined);
  t.deepEqual(heir.lost, []);
});

redisTest(`a writer of scope 'process' gives nothing to a connection that is lost${hint}`, async (t) => {
  const server = await startRedis(t);
  const proxy = await startProxy(t, server.address);
  const client = careless(t, proxy.port);
  const write = (through: Redis, version: number): Promise<unknown> =>
    publishUnfenced({ store: storeOf(through), key: 'flags' }, { ...snapshotOf(0, 0), bytes: bytesOf(0, version) });
  await write(client, 1);
  proxy.refuses = true;
  proxy.cut();
  await until(() => client.status === 'reconnecting', { what: 'it is lost' });
  await t.throwsAsync(write(client, 2), { message: /the client has no connection/ });
  const other = server.client();
  await write(other, 3);
  proxy.refuses = false;
  await until(() => client.status === 'ready', { what: 'it is back' });
  // Whatever the client had kept would be on its way before this.
  await client.ping();
  t.is(((await storeOf(other).getEntry('flags'))?.value as { version?: number } | undefined)?.version, 3);
});
