import test from 'ava';
import { noRedis } from '../support/redis.js';
import { goesOn, join, makeFleet, mirrorOf, neverWrong, pidSeen, sees, until, writerOf } from './fleet-support.js';

const redisTest = noRedis ? test.skip : test.serial;
const hint = noRedis ? ` (${noRedis})` : '';

redisTest(`one writer for two hosts; every process sees the same versions, with a store or without${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const writers = await Promise.all([a, b].map((host) => join(host, server.address, { write: {}, read: {} })));
  const readers = await Promise.all([
    join(a, server.address, { read: {} }),
    join(a, server.address, { read: false }),
    join(b, server.address, { read: {} }),
    join(b, server.address, { read: false }),
  ]);
  const all = [...writers, ...readers];
  const leader = await until(
    async () => {
      for (const agent of writers) if ((await writerOf(agent)).state === 'live') return agent;
      return undefined;
    },
    { what: 'a writer' },
  );
  const [standby] = writers.filter((agent) => agent !== leader);
  await Promise.all(all.map((agent) => sees(agent, leader.pid)));
  await goesOn(...all);
  t.is((await writerOf(standby!)).state, 'standby');
  const { epoch, writer } = await writerOf(leader);
  t.regex(writer ?? '', new RegExp(`:${leader.pid}:`));
  for (const agent of all) t.like(await mirrorOf(agent), { state: 'live', epoch, isStale: false });
  t.is((await writerOf(standby!)).writer, writer, 'the standby knows who writes');

  // The same number is the same value everywhere.
  const seen = await Promise.all(
    all.map((agent) =>
      agent.run(async ({ followed, bg }) => {
        const pairs: [number, number][] = [];
        const off = followed.get('k')?.mirror.onChange((value, { version }) => pairs.push([version, value.count]));
        await new Promise((resolve) => setTimeout(resolve, 500));
        off?.();
        return { pairs, keys: bg.status().mirrors.length };
      }),
    ),
  );
  const values = new Map<number, number>();
  for (const { pairs } of seen) {
    t.true(pairs.length > 2);
    for (const [version, count] of pairs) {
      t.is(values.get(version) ?? count, count, `version ${version}`);
      values.set(version, count);
    }
  }
  await neverWrong(t, ...all);
});

redisTest(`with polls half a minute apart, announcements bring a version to the other host at once${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const writer = await join(a, server.address, { write: {}, read: {} });
  const reader = await join(b, server.address, { read: { interval: 30 } });
  await sees(reader, writer.pid);
  const times = await reader.run(async ({ followed }) => {
    const follower = followed.get('k')!;
    await new Promise((resolve) => setTimeout(resolve, 500));
    follower.visibleAfter.length = 0;
    while (follower.visibleAfter.length < 40) await new Promise((resolve) => setTimeout(resolve, 20));
    return follower.visibleAfter.toSorted((x, y) => x - y);
  });
  t.log(`visible after ${times[20]?.toFixed(1)} ms (median), ${times.at(-1)?.toFixed(1)} ms (the longest of ${times.length})`);
  // A poll would take 15 s on average. The figures themselves are for an idle machine.
  t.true((times[20] as number) < 1000);
  await neverWrong(t, reader, writer);
});

redisTest(`bg.shutdown hands over at once, on the same host and to another${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const reader = await join(b, server.address, { read: {} });
  let writer = await join(a, server.address, { write: { lease: 30 }, read: {} });
  await sees(reader, writer.pid);
  for (const host of [a, b, a]) {
    const next = await join(host, server.address, { write: { lease: 30 }, read: {} });
    await sees(next, writer.pid);
    await next.until('it stands by', ({ writers }) => /:/.test(writers.get('k').status().writer));
    const at = performance.now();
    await writer.run(({ bg }) => bg.shutdown());
    const closed = performance.now();
    await sees(reader, next.pid);
    t.log(
      `shut down in ${(closed - at).toFixed(0)} ms; ${(performance.now() - at).toFixed(0)} ms until the successor's value on another host`,
    );
    t.true(performance.now() - at < 10_000, 'far less than the lease');
    await neverWrong(t, writer);
    await writer.kill();
    writer = next;
  }
  await neverWrong(t, reader, writer);
});

redisTest(`SIGKILL of the writer: another process of its host takes over at once, another host within the lease${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const reader = await join(b, server.address, { read: false });
  let writer = await join(a, server.address, { write: { lease: 30 }, read: {} });
  const relay = await join(b, server.address, { read: {} });
  await sees(reader, writer.pid);

  const neighbour = await join(a, server.address, { write: { lease: 1 }, read: {} });
  await sees(neighbour, writer.pid);
  let at = performance.now();
  await writer.kill();
  await sees(reader, neighbour.pid);
  t.log(`the same host: ${(performance.now() - at).toFixed(0)} ms, of a lease of 30,000`);
  t.true(performance.now() - at < 15_000);
  writer = neighbour;

  const other = await join(b, server.address, { write: { lease: 1 }, read: {} });
  await sees(other, writer.pid);
  at = performance.now();
  await writer.kill();
  await sees(reader, other.pid);
  t.log(`another host: ${(performance.now() - at).toFixed(0)} ms, of a lease of 1,000`);
  await neverWrong(t, reader, relay, other);
});

redisTest(`a writer that comes later takes the relay's place, so that its host can write${hint}`, async (t) => {
  const { server, a } = await makeFleet(t);
  const relay = await join(a, server.address, { read: {} });
  await relay.until('it is the relay', ({ bg }) => bg.status().mirrors[0]?.via === 'direct' || bg.status().threads.link?.state === 'up');
  const later = await join(a, server.address, { read: {} });
  await later.until('its link', ({ bg }) => bg.status().threads.link?.state === 'up');
  await later.run(({ write, box }) => void write('k', { scope: 'fleet', store: (box as { store: object }).store, lease: 1 }));
  await Promise.all([relay, later].map((agent) => sees(agent, later.pid)));
  t.is((await mirrorOf(relay)).via, 'host');
  await goesOn(relay, later);
  await neverWrong(t, relay, later);
});

redisTest(`a writer that is paused for longer than its lease and wakes is refused, stands by, and shows nothing${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const writer = await join(a, server.address, { write: { lease: 1, interval: 0.02 }, read: {} });
  const neighbour = await join(a, server.address, { read: { interval: 0.3 } });
  const storeless = await join(a, server.address, { read: false });
  const standby = await join(b, server.address, { write: { lease: 1 }, read: {} });
  await Promise.all([neighbour, storeless, standby].map((agent) => sees(agent, writer.pid)));
  writer.child.kill('SIGSTOP');
  await sees(standby, standby.pid);
  // The relay of host a is frozen: who has a store goes on without it.
  await sees(neighbour, standby.pid);
  t.is((await mirrorOf(neighbour)).via, 'direct');
  t.is(await pidSeen(storeless), writer.pid, 'who has none waits');
  writer.child.kill('SIGCONT');
  await writer.until('it stands by', ({ writers }) => writers.get('k').status().state === 'standby');
  await Promise.all([writer, neighbour, storeless].map((agent) => sees(agent, standby.pid)));
  await goesOn(neighbour, storeless);
  await until(async () => (await mirrorOf(neighbour)).via === 'host', {
    what: 'that the neighbour goes back to the relay',
    deadline: 20_000,
  });
  t.is((await writerOf(writer)).epoch, (await writerOf(standby)).epoch);
  t.true((await writer.run(({ errors }) => errors)).some(({ message }) => /FENCED|renewed in time/.test(message)));
  await neverWrong(t, writer, neighbour, storeless, standby);
  // Its numbers weren't shown either: under its epoch nothing came after the others had moved on.
  t.is((await neighbour.run(({ followed }) => followed.get('k')?.seen.epoch)) ?? 0, (await writerOf(standby)).epoch);
});

redisTest(
  `the primary of a cluster is killed: its workers end with it, as Node has them, and the other host writes on${hint}`,
  async (t) => {
    const { server, a, b } = await makeFleet(t);
    const primary = await join(a, server.address, { write: { lease: 1 }, read: {} });
    const worker = await primary.start('cluster', 'worker');
    await worker.run(({ follow }) => void follow('k'));
    await sees(worker, primary.pid);
    const pid = await worker.run(() => process.pid);
    const other = await join(b, server.address, { write: { lease: 1 }, read: {} });
    const reader = await join(b, server.address, { read: false });
    await Promise.all([other, reader].map((agent) => sees(agent, primary.pid)));
    await primary.kill();
    await Promise.all([other, reader].map((agent) => sees(agent, other.pid)));
    const isThere = (): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await until(() => !isThere(), { what: 'that the worker has ended' });
    await neverWrong(t, other, reader);
  },
);
