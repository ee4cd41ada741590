import test from 'ava';
import { type Agent, makeHost, sees } from './agents.js';

const startReader = (agent: Agent): Promise<unknown> => agent.run(({ follow }) => void follow('k'));
const startWriter = (agent: Agent): Promise<unknown> => agent.run(({ write }) => void write('k'));

test('separately started programs meet, readers started before and after the writer', async (t) => {
  const host = makeHost(t);
  const early = await host.start();
  await startReader(early);
  const writer = await host.start();
  await startWriter(writer);
  const late = await host.start();
  await startReader(late);
  for (const reader of [early, late]) {
    await sees(reader, 'k', writer.pid);
    t.like(await reader.run(({ followed }) => followed.get('k')?.mirror.status()), {
      state: 'live',
      via: 'host',
      isStale: false,
      refused: 0,
    });
    t.deepEqual(await reader.run(({ errors, faults }) => [...errors, ...faults]), []);
  }
});

test('other namespaces never meet', async (t) => {
  const host = makeHost(t);
  const writer = await host.start();
  await startWriter(writer);
  const reader = await host.start({ env: { ADVANCED_CACHING_NAMESPACE: 'another' } });
  await startReader(reader);
  const third = await host.start();
  await startReader(third);
  await sees(third, 'k', writer.pid);
  const other = await host.start({ env: { ADVANCED_CACHING_NAMESPACE: 'another' } });
  await other.run(({ write }) => void write('k'));
  await sees(reader, 'k', other.pid);
  const pids = (agent: Agent): Promise<unknown> => agent.run(({ followed }) => followed.get('k')?.pids);
  t.deepEqual(await pids(reader), [other.pid]);
  t.deepEqual(await pids(third), [writer.pid]);
});

test('cluster: a writer in the primary', async (t) => {
  const primary = await makeHost(t).start();
  const early = await primary.start('cluster', 'early');
  await startReader(early);
  await startWriter(primary);
  const late = await primary.start('cluster', 'late');
  await startReader(late);
  for (const worker of [early, late]) {
    await sees(worker, 'k', primary.pid);
    t.is(await worker.run(({ followed }) => followed.get('k')?.mirror.status().via), 'host');
  }
});

test('cluster: every worker registers the writer, one of them runs it', async (t) => {
  const primary = await makeHost(t).start();
  const workers = await Promise.all(['a', 'b', 'c'].map((name) => primary.start('cluster', name)));
  for (const worker of workers) {
    await startWriter(worker);
    await startReader(worker);
  }
  for (const worker of workers)
    await worker.until(
      'a record',
      ({ followed }) => followed.get('k')?.seen.versions && followed.get('k')?.mirror.status().state === 'live',
    );
  const states = async () => Promise.all(workers.map((worker) => worker.run(({ writers }) => writers.get('k').status().state)));
  t.deepEqual(
    (await states()).sort((a, b) => a.localeCompare(b)),
    ['live', 'standby', 'standby'],
  );
  await startReader(primary);
  await primary.until('a record', ({ followed }) => followed.get('k')?.seen.versions);
});

test('siblings that were forked by another program', async (t) => {
  const manager = await makeHost(t).start();
  const siblings = await Promise.all(['a', 'b', 'c'].map((name) => manager.start('fork', name)));
  await Promise.all(
    siblings.map(async (sibling) => {
      await startReader(sibling);
      await startWriter(sibling);
    }),
  );
  for (const sibling of siblings) await sibling.until('records', ({ followed }) => (followed.get('k')?.seen.versions ?? 0) > 2);
  const pids = await Promise.all(siblings.map((sibling) => sibling.run(({ followed }) => followed.get('k')?.last()?.pid)));
  t.is(new Set(pids).size, 1, 'one writer for all');
});

test('threads of a follower, nested ones too, share its ring', async (t) => {
  const host = makeHost(t);
  const writer = await host.start();
  await writer.run(({ write }) => void write('k', { size: 4_000_000, interval: 0.3 }));
  const follower = await host.start();
  const before = await follower.start('thread', 'before');
  await startReader(before);
  await startReader(follower);
  await sees(follower, 'k', writer.pid);
  const after = await follower.start('thread', 'after');
  const nested = await after.start('thread', 'nested');
  await startReader(nested);
  await startReader(after);
  for (const thread of [before, after, nested]) {
    await sees(thread, 'k', writer.pid);
    t.is(await thread.run(({ followed }) => followed.get('k')?.mirror.status().via), 'host');
    t.deepEqual(await thread.run(({ errors, faults }) => [...errors, ...faults]), []);
  }
  const made = await Promise.all(
    [follower, before, after, nested].map((agent) => agent.run(({ bg }) => bg.status().threads.link !== undefined)),
  );
  t.is(made.filter(Boolean).length, 1, 'one link thread for all');
});
