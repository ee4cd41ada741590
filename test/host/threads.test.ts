import test, { type ExecutionContext } from 'ava';
import { type Agent, makeHost, sees, until } from './agents.js';

const begin = (agent: Agent, ...roles: ('write' | 'follow')[]): Promise<void> =>
  agent.run((scope, what) => {
    for (const role of what) scope[role]('k');
  }, roles);
const version = (agent: Agent): Promise<number> => agent.run(({ followed }) => followed.get('k')?.seen.version ?? 0);
const writerState = (agent: Agent): Promise<string> => agent.run(({ writers }) => writers.get('k').status().state);

async function goesOn(agent: Agent): Promise<void> {
  const from = await version(agent);
  await until(async () => (await version(agent)) > from, { what: `a version after ${from}`, deadline: 30_000 });
}

async function neverWrong(t: ExecutionContext, ...agents: Agent[]): Promise<void> {
  for (const agent of agents)
    t.like(await agent.run(({ followed }) => followed.get('k')?.seen), { backward: 0, torn: 0, foreign: 0, threw: 0 });
}

/** Ends the link thread, which this agent made, as a crash would. */
const endLink = (agent: Agent): Promise<number> =>
  agent.run(async ({ bg, workers }) => {
    const id = bg.status().threads.link?.threadId;
    await workers.find(({ threadId }) => threadId === id)?.terminate();
    return id ?? -1;
  });
const makers = async (agents: Agent[]): Promise<Agent[]> => {
  const made = await Promise.all(agents.map((agent) => agent.run(({ bg }) => bg.status().threads.link?.state === 'up')));
  return agents.filter((_, index) => made[index]);
};

test('the workers of a Piscina pool in a follower share its ring', async (t) => {
  const host = makeHost(t);
  const writer = await host.start();
  await begin(writer, 'write');
  const follower = await host.start();
  await begin(follower, 'follow');
  await sees(follower, 'k', writer.pid);
  const results = await follower.run(async ({ makePool }, pid) => {
    const pool = makePool();
    const seen = await Promise.all([pool.run({ pid }), pool.run({ pid })]);
    await pool.destroy();
    return seen as { pid: number; via: string; thread: number }[];
  }, writer.pid);
  t.is(new Set(results.map(({ thread }) => thread)).size, 2);
  for (const result of results) t.like(result, { pid: writer.pid, via: 'host' });
});

test('the link thread of a follower dies: readers keep the value, another one brings the next', async (t) => {
  const host = makeHost(t);
  const writer = await host.start();
  await begin(writer, 'write');
  const follower = await host.start();
  await begin(follower, 'follow');
  await sees(follower, 'k', writer.pid);
  const thread = await follower.start('thread', 'a');
  await begin(thread, 'follow');
  await sees(thread, 'k', writer.pid);
  for (let round = 0; round < 3; round++) {
    const ended = await endLink(follower);
    t.is(await thread.run(({ followed }) => followed.get('k')?.mirror()?.pid), writer.pid);
    for (const agent of [follower, thread]) await goesOn(agent);
    const now = await follower.run(({ bg }) => bg.status().threads.link?.threadId);
    t.not(now, ended);
    t.is((await makers([follower, thread])).length, 1);
  }
  await neverWrong(t, follower, thread);
});

for (const module of [false, true]) {
  test(`the link thread of the writer's process dies: its ${module ? 'module' : 'function'} goes on as the writer, or a standby does`, async (t) => {
    const host = makeHost(t);
    const writer = await host.start();
    const standby = await host.start();
    const reader = await host.start();
    await writer.run(({ write, follow }, asModule) => {
      write('k', { module: asModule });
      follow('k');
    }, module);
    await sees(writer, 'k', writer.pid);
    await begin(standby, 'write', 'follow');
    await begin(reader, 'follow');
    await sees(standby, 'k', writer.pid);
    await sees(reader, 'k', writer.pid);
    for (let round = 0; round < 3; round++) {
      // Of the two, in turns, the one that leads.
      const leader = (await writerState(writer)) === 'live' ? writer : standby;
      await endLink(leader);
      for (const agent of [writer, standby, reader]) {
        await goesOn(agent);
        await goesOn(agent);
      }
      await until(
        async () => {
          const states = await Promise.all([writer, standby].map(writerState));
          return states.includes('live') && states.includes('standby');
        },
        { what: 'one writer and one standby' },
      );
    }
    // Both of them again: the role can come back.
    await ((await writerState(writer)) === 'live' ? standby : writer).run(({ writers }) => writers.get('k').stop());
    await goesOn(reader);
    await neverWrong(t, writer, standby, reader);
    for (const agent of [writer, standby]) t.deepEqual(await agent.run(({ errors }) => errors), []);
  });
}

test("a user's worker made the link thread and ends: another thread makes one", async (t) => {
  const host = makeHost(t);
  const writer = await host.start();
  await begin(writer, 'write');
  const follower = await host.start();
  const maker = await follower.start('thread', 'maker');
  await begin(maker, 'follow');
  await sees(maker, 'k', writer.pid);
  const other = await follower.start('thread', 'other');
  await begin(other, 'follow');
  await begin(follower, 'follow');
  for (const agent of [other, follower]) await sees(agent, 'k', writer.pid);
  t.deepEqual(await makers([maker, other, follower]), [maker]);
  const at = performance.now();
  await follower.run(({ workers }) => workers[0]?.terminate());
  for (const agent of [other, follower]) {
    await goesOn(agent);
    await goesOn(agent);
  }
  t.log(`new versions again after ${(performance.now() - at).toFixed(0)} ms`);
  t.is((await makers([other, follower])).length, 1);
  await neverWrong(t, other, follower);
});

test('many threads begin at once: one link thread is used, the others end', async (t) => {
  const host = makeHost(t);
  const writer = await host.start();
  await begin(writer, 'write');
  const follower = await host.start();
  const threads = await Promise.all(['a', 'b', 'c', 'd'].map((name) => follower.start('thread', name)));
  // All at the same moment, the main thread among them, which blocks a while so that they can't hear of each other.
  await Promise.all(
    [...threads, follower].map((agent) =>
      agent.run(({ follow }) => {
        follow('k');
        const end = performance.now() + 150;
        while (performance.now() < end);
      }),
    ),
  );
  for (const agent of [...threads, follower]) await sees(agent, 'k', writer.pid);
  await until(async () => (await makers([...threads, follower])).length === 1, { what: 'one link thread' });
  for (const agent of [...threads, follower]) await goesOn(agent);
  await neverWrong(t, ...threads, follower);
});

test('a key that two threads of a process register has one writer, and the other one is told', async (t) => {
  const host = makeHost(t);
  const both = await host.start();
  const a = await both.start('thread', 'a');
  const b = await both.start('thread', 'b');
  const reader = await both.start('thread', 'reader');
  await begin(reader, 'follow');
  await Promise.all([begin(a, 'write'), begin(b, 'write')]);
  const errorsOf = (agent: Agent) => agent.run(({ errors }) => errors);
  await until(async () => [...(await errorsOf(a)), ...(await errorsOf(b))].length > 0, { what: 'the error' });
  const loser = (await errorsOf(a)).length > 0 ? a : b;
  const winner = loser === a ? b : a;
  t.like((await errorsOf(loser))[0], { code: 'ERR_DUPLICATE_WRITER', name: 'DuplicateWriterError' });
  t.deepEqual(await errorsOf(winner), []);
  t.is(await writerState(loser), 'closed');
  await until(async () => (await writerState(winner)) === 'live', { what: 'the winner' });
  const other = await host.start();
  await begin(other, 'follow');
  for (const agent of [reader, other]) {
    await sees(agent, 'k', both.pid);
    await goesOn(agent);
  }
  // The place is free again once the winner is gone.
  await winner.run(({ writers }) => writers.get('k').stop());
  await begin(loser, 'write');
  await until(async () => (await writerState(loser)) === 'live', { what: 'the next writer' });
  for (const agent of [reader, other]) await goesOn(agent);
  t.is((await errorsOf(loser)).length, 1);
  await neverWrong(t, reader, other);
});

for (const module of [false, true]) {
  test(`the thread that registered the writer (a ${module ? 'module' : 'function'}) ends: its role is free at once`, async (t) => {
    const host = makeHost(t);
    const first = await host.start();
    // The link thread is the main thread's, and outlives the writer's.
    await begin(first, 'follow');
    await until(async () => (await makers([first])).length === 1, { what: 'the link thread' });
    const thread = await first.start('thread', 'a');
    await thread.run(({ write }, asModule) => void write('k', { module: asModule }), module);
    await sees(first, 'k', first.pid);
    const standby = await host.start();
    await begin(standby, 'write', 'follow');
    await sees(standby, 'k', first.pid);
    const at = performance.now();
    await first.run(({ workers, bg }) => workers.find(({ threadId }) => threadId !== bg.status().threads.link?.threadId)?.terminate());
    await sees(first, 'k', standby.pid);
    t.log(`a standby's record after ${(performance.now() - at).toFixed(0)} ms`);
    await sees(standby, 'k', standby.pid);
    // And back: the ring that the dead thread had is no obstacle.
    await begin(first, 'write');
    await standby.kill();
    await sees(first, 'k', first.pid);
    await goesOn(first);
    await neverWrong(t, first);
  });
}

test('a process is a writer, a follower, and a writer again', async (t) => {
  const host = makeHost(t);
  const agents = [await host.start(), await host.start()];
  const threads = await Promise.all(agents.map((agent) => agent.start('thread', 'reader')));
  for (const agent of [...agents, ...threads]) await begin(agent, 'follow');
  for (let round = 0; round < 6; round++) {
    const [now, before] = round % 2 === 0 ? agents : agents.toReversed();
    await begin(now as Agent, 'write');
    // With the old one there still, the new one stands by.
    if (round > 0) await before?.run(({ writers }) => writers.get('k').stop());
    for (const agent of [...agents, ...threads]) await sees(agent, 'k', now?.pid ?? 0);
  }
  for (const agent of [...agents, ...threads]) {
    t.true((await agent.run(({ followed }) => followed.get('k')?.seen.epoch ?? 0)) >= 6);
    t.deepEqual(await agent.run(({ errors, faults }) => [...errors, ...faults]), []);
  }
  await neverWrong(t, ...agents, ...threads);
});
