import { chmodSync } from 'node:fs';
import test from 'ava';
import { startProxy } from '../support/redis-proxy.js';
import { noRedis } from '../support/redis.js';
import { type Agent, goesOn, join, leads, makeFleet, mirrorOf, neverWrong, pidSeen, sees, until, writerOf } from './fleet-support.js';

const redisTest = noRedis ? test.skip : test.serial;
const hint = noRedis ? ` (${noRedis})` : '';

const state = async (agent: Agent): Promise<string> => (await mirrorOf(agent)).state;
async function all(agents: readonly Agent[], what: string): Promise<void> {
  for (const [index, agent] of agents.entries())
    await until(async () => (await state(agent)) === what, { what: `the agent ${index} is ${what}`, deadline: 30_000 });
}

/** A writer and its follower on one host; a relay, one behind it, and one without a store on the other. */
async function scene(t: Parameters<typeof makeFleet>[0], address?: string) {
  const fleet = await makeFleet(t);
  const { server, a, b } = fleet;
  const at = address ?? server.address;
  const writer = await join(a, at, { write: {}, read: { interval: 0.5 } });
  const relay = await join(b, at, { read: { interval: 0.5 } });
  const behind = await join(b, at, { read: { interval: 0.5 } });
  const storeless = await join(b, at, { read: false });
  const agents = [writer, relay, behind, storeless];
  await Promise.all(agents.map((agent) => sees(agent, writer.pid)));
  return { ...fleet, writer, relay, behind, storeless, agents };
}

redisTest(`Redis is killed and comes back empty: reads go on, say so, and converge${hint}`, async (t) => {
  const { server, writer, storeless, behind, agents } = await scene(t);
  await all(agents, 'live');
  const at = performance.now();
  server.kill('SIGKILL');
  await all(agents, 'interrupted');
  t.log(`interrupted everywhere after ${(performance.now() - at).toFixed(0)} ms`);
  for (const agent of agents) {
    const { age = 0 } = await mirrorOf(agent);
    t.is(await pidSeen(agent), writer.pid, 'the value stays');
    if (agent !== storeless)
      await until(async () => (await mirrorOf(agent)).lastError?.kind === (agent === behind ? 'relay' : 'connection'), { what: 'why' });
    await agent.until('that it ages', ({ followed }, than) => (followed.get('k')?.mirror.age ?? 0) > than + 0.3, age);
  }
  await until(async () => (await writerOf(writer)).state !== 'live', { what: 'the writer says so' });
  const { epoch, version } = await mirrorOf(storeless);
  await server.restart();
  const back = performance.now();
  await goesOn(...agents);
  await all(agents, 'live');
  t.log(`live everywhere ${(performance.now() - back).toFixed(0)} ms after Redis was back`);
  const now = await mirrorOf(storeless);
  t.true(now.epoch > epoch || (now.epoch === epoch && now.version > version));
  await neverWrong(t, ...agents);
  // Once for each kind in a row.
  for (const agent of agents) {
    const errors = await agent.run((scope) => scope.errors.map(({ message }) => message));
    t.true(errors.length < 8, errors.join('\n'));
  }
});

redisTest(`Redis is paused for less and for longer than the lease${hint}`, async (t) => {
  const { server, agents } = await scene(t);
  for (const pause of [400, 2500]) {
    server.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, pause));
    server.kill('SIGCONT');
    await goesOn(...agents);
    await all(agents, 'live');
  }
  await neverWrong(t, ...agents);
});

redisTest(`FLUSHALL takes nothing from a reader, and the writer puts it back${hint}`, async (t) => {
  const { server, agents, writer } = await scene(t);
  const client = server.client();
  for (let round = 0; round < 3; round++) {
    await client.flushall();
    await goesOn(...agents);
  }
  t.is((await writerOf(writer)).state, 'live');
  t.true((await client.exists('app:k')) === 1);
  await neverWrong(t, ...agents);
});

redisTest(`the relay of a host is killed; frozen: the others of the host go on, those with a store in any case${hint}`, async (t) => {
  const { relay, behind, storeless, writer } = await scene(t);
  t.is((await mirrorOf(relay)).via, 'direct');
  t.is((await mirrorOf(behind)).via, 'host');
  relay.child.kill('SIGSTOP');
  await until(async () => (await mirrorOf(behind)).via === 'direct', { what: 'the one behind it goes on its own' });
  await goesOn(behind);
  await until(async () => (await state(storeless)) === 'interrupted', { what: 'the one without a store says that it hears nothing' });
  relay.child.kill('SIGCONT');
  await goesOn(storeless, relay, behind);
  await until(async () => (await mirrorOf(behind)).via === 'host', { what: 'the relay is trusted again' });
  const at = performance.now();
  await relay.kill();
  await goesOn(behind, storeless);
  t.log(`on with another relay ${(performance.now() - at).toFixed(0)} ms after the first was killed`);
  await until(async () => (await mirrorOf(behind)).via === 'direct', { what: 'the other is the relay' });
  await neverWrong(t, writer, behind, storeless);
});

redisTest(`one host is cut off from Redis and comes back; the other never notices${hint}`, async (t) => {
  const fleet = await makeFleet(t);
  const { server, a, b } = fleet;
  const proxy = await startProxy(t, server.address);
  const writer = await join(a, String(proxy.port), { write: { lease: 1 }, read: { interval: 0.5 } });
  await leads(writer);
  const relay = await join(b, server.address, { write: { lease: 1 }, read: { interval: 0.5 } });
  const behind = await join(b, server.address, { read: false });
  await sees(behind, writer.pid);
  proxy.refuses = true;
  proxy.cut();
  await sees(behind, relay.pid);
  await all([writer], 'interrupted');
  t.is(await pidSeen(writer), writer.pid);
  t.not((await writerOf(writer)).state, 'live');
  proxy.refuses = false;
  await sees(writer, relay.pid);
  await all([writer, relay, behind], 'live');
  t.is((await writerOf(writer)).state, 'standby');

  // Cut in silence: nobody hangs up.
  proxy.silent = true;
  const { epoch, version } = await mirrorOf(writer);
  await until(async () => (await state(writer)) === 'interrupted', { what: 'the silence is noticed', deadline: 20_000 });
  proxy.silent = false;
  await goesOn(writer);
  const now = await mirrorOf(writer);
  t.true(now.epoch > epoch || now.version > version);
  await neverWrong(t, writer, relay, behind);
});

redisTest(`no announcement arrives: what is published is there within one interval${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const proxy = await startProxy(t, server.address);
  proxy.meddle = () => [];
  const writer = await join(a, server.address, { write: { interval: 0.1 }, read: {} });
  const relay = await join(b, String(proxy.port), { read: { interval: 1 } });
  const behind = await join(b, String(proxy.port), { read: { interval: 1 } });
  await Promise.all([sees(relay, writer.pid), sees(behind, writer.pid)]);
  for (const agent of [relay, behind]) {
    const gaps = await agent.run(async ({ followed }) => {
      const mirror = followed.get('k')?.mirror;
      const at: number[] = [];
      mirror?.onChange(() => at.push(performance.now()));
      while (at.length < 6) await new Promise((resolve) => setTimeout(resolve, 20));
      return at.slice(1).map((time, index) => time - (at[index] as number));
    });
    t.log(`a version every ${gaps.map((gap) => gap.toFixed(0)).join(', ')} ms`);
    // The interval, a round trip, and a busy machine.
    t.true(Math.max(...gaps) < 2000);
  }
  t.is((await mirrorOf(behind)).via, 'host', 'a process that sees more asks the relay, and leaves the fetching to it');
  await neverWrong(t, writer, relay, behind);
});

redisTest(`a writer whose event loop was blocked for longer than its lease publishes nothing${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  const writer = await join(a, server.address, { write: { lease: 1, interval: 0.02 }, read: {} });
  const standby = await join(b, server.address, { write: { lease: 1 }, read: {} });
  await sees(standby, writer.pid);
  const { epoch } = await writerOf(writer);
  await writer.run(() => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
  });
  await sees(standby, standby.pid);
  await sees(writer, standby.pid);
  await until(async () => (await writerOf(writer)).state === 'standby', { what: 'it stands by' });
  t.true((await writerOf(standby)).epoch > epoch);
  t.is(await server.client().hget('{app:k}:m', 'e'), String((await writerOf(standby)).epoch));
  await neverWrong(t, writer, standby);
});

redisTest(`without a directory that can be used, each process follows Redis itself${hint}`, async (t) => {
  const { server, a, b } = await makeFleet(t);
  chmodSync(b.directory, 0o777);
  const writer = await join(a, server.address, { write: {}, read: {} });
  const alone = await join(b, server.address, { read: {} });
  const other = await join(b, server.address, { read: {} });
  await Promise.all([sees(alone, writer.pid), sees(other, writer.pid)]);
  await goesOn(alone, other);
  t.like(await mirrorOf(alone), { via: 'direct', state: 'live' });
  const errors = await alone.run((scope) => scope.errors);
  t.true(
    errors.some(({ code }) => code === 'ERR_STORE'),
    JSON.stringify(errors),
  );
  await neverWrong(t, writer, alone, other);
});

redisTest(`a process of a lone host is frozen as writer and relay: another one of the host goes on within the lease${hint}`, async (t) => {
  const { server, a } = await makeFleet(t);
  const writer = await join(a, server.address, { write: { lease: 1 }, read: { interval: 0.5 } });
  await leads(writer);
  const standby = await join(a, server.address, { write: { lease: 1 }, read: { interval: 0.5 } });
  await sees(standby, writer.pid);
  writer.child.kill('SIGSTOP');
  const at = performance.now();
  await sees(standby, standby.pid);
  t.log(`${(performance.now() - at).toFixed(0)} ms, of a lease of 1,000`);
  writer.child.kill('SIGCONT');
  await sees(writer, standby.pid);
  await goesOn(writer, standby);
  await neverWrong(t, writer, standby);
});

redisTest(
  `hosts whose wall clocks are an hour apart either way: ages are right everywhere, and nothing is refreshed more often${hint}`,
  async (t) => {
    const { server, a, b } = await makeFleet(t);
    const writer = await join(a, server.address, { write: { interval: 0.2 }, read: { interval: 0.5 }, hours: 1 });
    await leads(writer);
    const late = await join(b, server.address, { write: {}, read: { interval: 0.5 }, hours: -1 });
    const behind = await join(b, server.address, { read: { interval: 0.5 } });
    const storeless = await join(b, server.address, { read: false, hours: 1 });
    const agents = [writer, late, behind, storeless];
    await Promise.all(agents.map((agent) => sees(agent, writer.pid)));
    const { refreshes } = await writerOf(writer);
    const began = performance.now();
    for (const agent of agents) {
      const wrong = await agent.run(async ({ followed, now }) => {
        const { mirror, last } = followed.get('k')!;
        const off: number[] = [];
        while (off.length < 50) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          const record = last();
          if (mirror() === record) off.push((mirror.age ?? Number.NaN) * 1000 - (now() - record.at));
        }
        return { off: Math.max(...off.map(Math.abs)), isStale: mirror.isStale, ahead: Date.now() };
      });
      t.log(`${((wrong.ahead - Date.now()) / 3_600_000).toFixed(0)} h: ages wrong by ${wrong.off.toFixed(1)} ms at most`);
      t.true(wrong.off < 500);
      t.false(wrong.isStale);
    }
    const more = (await writerOf(writer)).refreshes - refreshes;
    t.true(more <= (performance.now() - began) / 200 + 2, `${more} refreshes`);
    t.is((await writerOf(late)).state, 'standby');
    await neverWrong(t, ...agents);
  },
);
