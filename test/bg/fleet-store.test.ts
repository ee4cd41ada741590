/** What stands in Redis, and what goes to it and comes from it. */
import test from 'ava';
import type { Mirror, MirrorStatus } from '../../dist/index.js';
import { type RedisServer, commandsOf, noRedis, startCluster } from '../support/redis.js';
import { spawnNode } from '../support/process.js';
import {
  type Agent,
  goesOn,
  join,
  leads,
  makeFleet,
  makeHost,
  mirrorOf,
  neverWrong,
  pidSeen,
  sees,
  until,
  writerOf,
} from './fleet-support.js';

const redisTest = noRedis ? test.skip : test.serial;
const hint = noRedis ? ` (${noRedis})` : '';

/** How many bytes Redis has sent. */
async function sent(server: RedisServer): Promise<number> {
  return Number(/total_net_output_bytes:(\d+)/.exec(await server.client().info('stats'))?.[1]);
}

const MEGABYTES = 10;

redisTest(`sixteen processes of a host fetch ${MEGABYTES} MB once${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const workers = await Promise.all(Array.from({ length: 16 }, () => join(b, server.address, {})));
  for (const agent of workers) {
    await agent.run(async ({ bg, openStore, box }) => {
      Object.assign(box, { mirror: bg.read('k', { store: await openStore(), interval: 0.5 }) });
    });
  }
  const status = (agent: Agent): Promise<MirrorStatus> => agent.run(({ box }) => (box as { mirror: Mirror<unknown> }).mirror.status());
  const writer = await join(a, server.address, { write: { interval: 3600, size: MEGABYTES * 1e6 } });
  for (const round of [1, 2]) {
    const before = round === 1 ? 0 : await sent(server);
    if (round === 2) await writer.run(({ writers }) => writers.get('k').refresh());
    await Promise.all(
      workers.map((agent) =>
        agent.until('the value', ({ box }, count) => (box as { mirror: Mirror<{ count: number }> }).mirror()?.count === count, round),
      ),
    );
    // Two polls of everybody later.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const bytes = (await sent(server)) - before;
    t.log(`Redis sent ${(bytes / 1e6).toFixed(2)} MB for value ${round}, to 16 processes`);
    t.true(bytes > 0.5 * MEGABYTES * 1e6 && bytes < 1.5 * MEGABYTES * 1e6);
  }
  const vias = await Promise.all(workers.map(async (agent) => (await status(agent)).via));
  t.is(vias.filter((via) => via === 'direct').length, 1);
  t.is(vias.filter((via) => via === 'host').length, 15);

  // Another relay has what the first one had, and fetches nothing.
  const before = await sent(server);
  await workers[vias.indexOf('direct')]?.kill();
  const others = workers.filter((_, index) => vias[index] === 'host');
  await until(async () => (await Promise.all(others.map(status))).some(({ via }) => via === 'direct'), { what: 'another relay' });
  await new Promise((resolve) => setTimeout(resolve, 700));
  t.true((await sent(server)) - before < 1e6);
  for (const agent of others) {
    t.like(await status(agent), { decodes: 2, refused: 0, regressed: 0 });
    t.deepEqual(await agent.run(({ faults }) => faults), []);
  }
});

redisTest(`the same bytes again cost a heartbeat: one version, and no transfer${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const writer = await join(a, server.address, {});
  await writer.run(async ({ bg, openStore, writers }) => {
    const text = 'x'.repeat(1_000_000);
    writers.set(
      'k',
      bg.write(0.05, { key: 'k', scope: 'fleet', store: await openStore(), lease: 30, ttl: 30 })(() => text),
    );
  });
  await leads(writer);
  const reader = await join(b, server.address, {});
  const behind = await join(b, server.address, {});
  for (const agent of [reader, behind])
    await agent.run(async ({ bg, openStore, box }) => {
      const mirror = bg.read('k', { store: await openStore(), interval: 30 });
      await mirror.ready();
      Object.assign(box, { mirror });
    });
  const before = await sent(server);
  const { refreshes } = await writerOf(writer);
  await until(async () => (await writerOf(writer)).refreshes > refreshes + 20, { what: 'twenty refreshes' });
  const bytes = (await sent(server)) - before;
  t.log(`${bytes} bytes sent for twenty refreshes of 1 MB`);
  t.true(bytes < 200_000);
  for (const agent of [reader, behind]) {
    const status = (await agent.run(({ box }) => (box as { mirror: { status(): object } }).mirror.status())) as { age: number };
    t.like(status, { version: 1, decodes: 1, state: 'live' });
    await agent.until('that it is confirmed', ({ box }) => ((box as { mirror: { age?: number } }).mirror.age ?? 9) < 1);
  }
});

redisTest(
  `writers of scope 'process' on two hosts: the last one wins, readers elsewhere are told, versions only rise${hint}`,
  async (t) => {
    const { server, a, b } = await makeFleet(t);
    const reader = await join(b, server.address, { read: {} });
    const behind = await join(b, server.address, { read: {} });
    const writers = await Promise.all([a, b].map((host) => join(host, server.address, { write: { scope: 'process', interval: 0.05 } })));
    const both = async (agent: Agent): Promise<boolean> => {
      const pids = await agent.run(({ followed }) => followed.get('k')?.pids);
      return writers.every(({ pid }) => pids?.includes(pid));
    };
    await until(async () => (await both(reader)) && (await both(behind)), { what: 'values of both' });
    await goesOn(reader, behind);
    for (const agent of [reader, behind]) {
      const { via, writer } = await mirrorOf(agent);
      if (via === 'direct') t.is(writer, '');
      t.like(await agent.run(({ followed }) => followed.get('k')?.seen), { backward: 0, torn: 0, threw: 0 });
      t.deepEqual(await agent.run(({ errors, faults }) => [...errors, ...faults]), []);
    }
    // What its own process wrote is in its own memory; through the store it reads what all read.
    const own = await writers[0]!.run(async ({ bg, box, follow, lib }) => {
      const { store } = box as { store: InstanceType<typeof lib.RedisCache> };
      const { mirror } = follow('k', { store });
      await mirror.ready();
      return { process: bg.status().writers[0]?.version, fleet: mirror.version, entry: (await store.getEntry('k')) !== undefined };
    });
    t.true(own.entry);
    t.true(own.fleet > 0);
    for (const writer of writers) t.like(await writerOf(writer), { state: 'live', failures: 0 });
    await writers[0]!.kill();
    await goesOn(reader, behind);
    await sees(reader, writers[1]!.pid);
  },
);

redisTest(`a value whose writer announces nothing (the Python library, store.set) is polled by its header${hint}`, async (t) => {
  const { server, b } = await makeFleet(t);
  const client = server.client();
  const put = (value: unknown, createdAt = Date.now() / 1000): Promise<unknown> => {
    const entry = Buffer.alloc(16);
    entry.writeDoubleBE(createdAt + 60, 0);
    entry.writeDoubleBE(createdAt, 8);
    return client.set('app:k', Buffer.concat([entry, Buffer.from(JSON.stringify(value))]));
  };
  await put({ rate: 1 });
  const agents = await Promise.all([1, 2].map(() => join(b, server.address, { read: { interval: 0.2 } })));
  const rate = (agent: Agent): Promise<number> =>
    agent.run(({ followed }) => (followed.get('k')?.mirror() as { rate: number } | undefined)?.rate ?? 0);
  const all = (is: number): Promise<unknown> =>
    until(async () => (await Promise.all(agents.map(rate))).every((one) => one === is), { what: `rate ${is}` });
  await all(1);
  const versions = [];
  for (let next = 2; next < 8; next++) {
    await put({ rate: next });
    await all(next);
    versions.push(...new Set(await Promise.all(agents.map(async (agent) => (await mirrorOf(agent)).version))));
  }
  t.is(versions.length, 6, `the same numbers in both: ${versions.join()}`);
  t.deepEqual(
    versions,
    versions.toSorted((x, y) => x - y),
  );
  const { commands, stop } = await commandsOf(server);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  stop();
  const read = commands.filter(([name, key]) => /^getrange$/i.test(name ?? '') && key === 'app:k');
  t.true(read.length > 0 && read.every(([, , , to]) => to === '15'), 'only its header');
  // A relay that takes over counts on.
  const relay = (await Promise.all(agents.map(mirrorOf))).findIndex(({ via }) => via === 'direct');
  await agents.splice(relay, 1)[0]?.kill();
  await put({ rate: 8 });
  await all(8);
  t.true((await mirrorOf(agents[0]!)).version > (versions.at(-1) as number));
  t.like(await agents[0]!.run(({ followed }) => followed.get('k')?.seen), { backward: 0, threw: 0 });
});

redisTest(`stores with the same key and another prefix, or another database, never meet${hint}`, async (t) => {
  const { server, a } = await makeFleet(t);
  const agent = await join(a, server.address, {});
  const other = await join(a, server.address, {});
  const values = await agent.run(async ({ bg, openStore }) => {
    const stores = [
      await openStore({ prefix: 'one:' }),
      await openStore({ prefix: 'two:' }),
      await openStore({ prefix: 'one:' }, { db: 1 }),
    ];
    for (const [index, store] of stores.entries()) await store.set('k', `value ${index}`, 60);
    const mirrors = stores.map((store) => bg.read('k', { store }));
    return Promise.all(mirrors.map((mirror) => mirror.ready()));
  });
  t.deepEqual(values, ['value 0', 'value 1', 'value 2']);
  t.is(await other.run(async ({ bg, openStore }) => bg.read('k', { store: await openStore({ prefix: 'two:' }) }).ready()), 'value 1');
});

redisTest(`the threads of a process share one ring and one link to Redis${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const writer = await join(a, server.address, { write: { interval: 0.2 } });
  const main = await join(b, server.address, { read: {} });
  const threads = await Promise.all(['one', 'two'].map((name) => main.start('thread', name)));
  for (const thread of threads)
    await thread.run(async ({ follow, openStore }) => void follow('k', { store: await openStore(), interval: 30 }));
  const pool = [main, ...threads];
  await Promise.all(pool.map((agent) => sees(agent, writer.pid)));
  await goesOn(...pool);
  const vias = await Promise.all(pool.map(async (agent) => (await mirrorOf(agent)).via));
  t.is(vias.filter((via) => via === 'direct').length, 1, vias.join());
  // The one that speaks to Redis is blocked: its process goes on.
  const speaker = pool[vias.indexOf('direct')];
  const others = pool.filter((agent) => agent !== speaker);
  const storeless = await main.start('thread', 'three');
  await storeless.run(({ follow }) => void follow('k'));
  await sees(storeless, writer.pid);
  await goesOn(storeless, ...others);
  await neverWrong(t, ...pool, storeless);
});

redisTest(`a loader in the dedicated thread, and one on its own via 'direct'${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const writer = await join(a, server.address, {});
  await writer.run(async ({ write, openStore, follow }) => {
    const store = await openStore();
    write('k', { scope: 'fleet', store, lease: 1, interval: 0.1, module: true });
    follow('k', { store });
  });
  await leads(writer);
  const direct = await join(b, server.address, { read: { via: 'direct' } });
  const other = await join(b, server.address, { read: { via: 'direct' } });
  await Promise.all([writer, direct, other].map((agent) => sees(agent, writer.pid)));
  await goesOn(writer, direct, other);
  t.is((await mirrorOf(direct)).via, 'direct');
  t.is((await mirrorOf(other)).via, 'direct');
  const { version } = await writerOf(writer);
  await writer.run(({ writers }) => writers.get('k').refresh());
  t.true((await writerOf(writer)).version > version, 'refresh resolves when it is published');
  // Its thread crashes; the loader runs again, under the same lease.
  const { epoch } = await writerOf(writer);
  await writer.run(({ bg, workers }) => {
    const id = bg.status().threads.loaders?.threadId;
    return workers.find(({ threadId }) => threadId === id)?.terminate();
  });
  await goesOn(direct, other);
  t.is((await writerOf(writer)).epoch, epoch);
  t.like(await direct.run(({ followed }) => followed.get('k')?.seen), { backward: 0, torn: 0, threw: 0 });
});

redisTest(`a Redis Cluster${hint}`, async (t) => {
  const cluster = await startCluster(t);
  const ports = cluster.nodes.map(({ options }) => options.port).join();
  const host = makeHost(t);
  const agents = await Promise.all([1, 2, 3].map(() => host.start({ env: { REDIS_NODES: ports } })));
  const [writer, ...readers] = agents as [Agent, Agent, Agent];
  await writer.run(async ({ write, openCluster }) => void write('k', { scope: 'fleet', store: await openCluster(), lease: 1 }));
  for (const agent of readers)
    await agent.run(async ({ follow, openCluster }) => void follow('k', { store: await openCluster(), interval: 0.5 }));
  await Promise.all(readers.map((agent) => sees(agent, writer.pid)));
  await goesOn(...readers);
  await neverWrong(t, ...readers);
});

redisTest(`nothing of it keeps a process alive, and shutdown leaves nothing${hint}`, async (t) => {
  const { server, a } = await makeFleet(t);
  for (const how of ['read', 'write', 'shutdown']) {
    const child = spawnNode(t, new URL('./fixtures/fleet-exit.js', import.meta.url), {
      args: [server.address, how],
      env: { ADVANCED_CACHING_DIRECTORY: a.directory, ADVANCED_CACHING_NAMESPACE: `${t.title} ${how}` },
    });
    const { at } = await child.message<{ at: number }>();
    t.deepEqual(await child.exited, { code: 0, signal: null }, child.stderr());
    t.log(`${how}: ended ${Date.now() - at} ms after its last line`);
    t.is(child.stderr(), '');
  }
});

redisTest(`a key that was a host's becomes a fleet's, and a host's again${hint}`, async (t) => {
  const { server, a } = await makeFleet(t);
  const reader = await join(a, server.address, { read: false });
  for (const scope of ['host', 'fleet', 'host', 'fleet']) {
    const writer = await join(a, server.address, { write: { scope } });
    await sees(reader, writer.pid);
    await goesOn(reader);
    await writer.kill();
    t.is(await pidSeen(reader), writer.pid);
  }
  t.like(await reader.run(({ followed }) => followed.get('k')?.seen), { torn: 0, threw: 0 });
});
