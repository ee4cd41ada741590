import test from 'ava';
import { MAJORS, runtime } from '../support/runtimes.js';
import { type Agent, makeHost, sees } from './agents.js';

test('processes of all supported Nodes share a key, and take over from one another', async (t) => {
  t.timeout(600_000);
  const host = makeHost(t);
  const agents: Agent[] = [];
  for (const major of MAJORS) {
    const node = await runtime(major);
    if (node === undefined) t.log(`without Node ${major}: it is fetched on Linux x64 only`);
    else agents.push(await host.start({ node }));
  }
  const reader = await host.start();
  const threads: Agent[] = [];
  for (const agent of agents) {
    await agent.run(({ follow, write }) => {
      follow('k');
      write('k');
    });
    const thread = await agent.start('thread', 'a');
    await thread.run(({ follow }) => void follow('k'));
    threads.push(thread);
  }
  await reader.run(({ follow }) => void follow('k'));
  let left = agents.map((agent, index) => ({ agent, thread: threads[index] as Agent }));
  while (left.length > 0) {
    const states = await Promise.all(left.map(({ agent }) => agent.run(({ writers }) => writers.get('k').status().state as string)));
    const leader = left[states.indexOf('live')];
    if (!leader) continue;
    for (const agent of [reader, ...left.flatMap((pair) => [pair.agent, pair.thread])]) {
      await sees(agent, 'k', leader.agent.pid);
      t.like(await agent.run(({ followed }) => followed.get('k')?.seen), { backward: 0, torn: 0, foreign: 0, threw: 0 });
      t.deepEqual(await agent.run(({ errors, faults }) => [...errors, ...faults]), []);
    }
    if (left.length > 1) {
      // The crash of its link thread first: either it leads again, or another one does.
      await leader.agent.run(({ workers, bg }) =>
        workers.find(({ threadId }) => threadId === bg.status().threads.link?.threadId)?.terminate(),
      );
      await leader.thread.until('the next versions', ({ followed, box }) => {
        const version = followed.get('k')?.seen.version ?? 0;
        const { from = version } = box as { from?: number };
        Object.assign(box, { from });
        return version > from + 5;
      });
    }
    await leader.agent.kill();
    left = left.filter((pair) => pair !== leader);
  }
  t.is(await reader.run(({ followed }) => followed.get('k')?.pids.length), agents.length);
});
