import test from 'ava';
import { type Agent, type Host, makeHost, sees, until } from './agents.js';

interface Faults {
  readonly backward: number;
  readonly torn: number;
  readonly foreign: number;
  readonly threw: number;
}
const NONE: Faults = { backward: 0, torn: 0, foreign: 0, threw: 0 };
/** Generous: what a blocked read would far exceed, and a busy machine doesn't. */
const MAX_GAP = 5000;

async function startStandby(host: Host, size = 1000): Promise<Agent> {
  const agent = await host.start();
  await agent.run(({ write, follow }, bytes) => {
    write('k', { size: bytes });
    follow('k');
  }, size);
  return agent;
}

const writerState = (agent: Agent): Promise<string> => agent.run(({ writers }) => writers.get('k').status().state);

test('SIGKILL of the writer: readers keep the value, a standby publishes within 2 s', async (t) => {
  const host = makeHost(t);
  let writer = await startStandby(host);
  await until(async () => (await writerState(writer)) === 'live', { what: 'the first writer' });
  const reader = await host.start();
  await reader.run(({ follow }) => void follow('k'));
  await reader.run(({ followed, box }) => {
    // The states that it goes through, as a monitor would see them.
    const states: string[] = [];
    Object.assign(box, { states });
    setInterval(() => {
      const state = followed.get('k')?.mirror.status().state ?? '';
      if (states.at(-1) !== state) states.push(state);
    }, 1);
  });
  const took: number[] = [];
  for (let round = 0; round < 5; round++) {
    await sees(reader, 'k', writer.pid);
    const standby = await startStandby(host);
    await sees(standby, 'k', writer.pid);
    t.is(await writerState(standby), 'standby');
    const killedAt = performance.now();
    await writer.kill();
    await sees(reader, 'k', standby.pid);
    took.push(performance.now() - killedAt);
    writer = standby;
  }
  t.log(`from SIGKILL to the standby's record in another process: ${took.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  t.true(Math.max(...took) < 2000, `took ${took.join(', ')} ms`);
  t.like(await reader.run(({ followed }) => followed.get('k')?.seen), NONE);
  const { states } = (await reader.run(({ box }) => box)) as { states: string[] };
  t.true(states.includes('interrupted') && states.at(-1) === 'live', states.join());
  t.deepEqual(await reader.run(({ errors, faults }) => [...errors, ...faults]), []);
});

test('who takes over says so to its listeners, and nobody else does', async (t) => {
  const host = makeHost(t);
  const listen = (agent: Agent): Promise<void> =>
    agent.run(async ({ box }) => {
      const { subscribe } = await import('node:diagnostics_channel');
      const takeovers: unknown[] = [];
      Object.assign(box, { takeovers });
      subscribe('advanced-caching:takeover', (event) => takeovers.push(event));
    });
  const heard = (agent: Agent): Promise<{ key: string; scope: string; epoch: number }[]> =>
    agent.run(({ box }) => (box as unknown as { takeovers: { key: string; scope: string; epoch: number }[] }).takeovers);
  const start = async (): Promise<Agent> => {
    const agent = await host.start();
    await listen(agent);
    await agent.run(({ write, follow }) => {
      write('k', { size: 100 });
      follow('k');
    });
    return agent;
  };
  const first = await start();
  await sees(first, 'k', first.pid);
  const second = await start();
  await sees(second, 'k', first.pid);
  const [before] = await heard(first);
  t.like(before, { key: 'k', scope: 'host' });
  t.deepEqual(await heard(second), []);
  await first.kill();
  await sees(second, 'k', second.pid);
  const after = await heard(second);
  t.is(after.length, 1);
  t.like(after[0], { key: 'k', scope: 'host' });
  t.true((after[0]?.epoch ?? 0) > (before?.epoch ?? 0), 'of a later epoch');
});

for (const [name, size, kills] of [
  ['small records', 300, 50],
  ['records of 150 kB', 150_000, 50],
] as const) {
  test.serial(`${kills} SIGKILLs of the writer under load, ${name}`, async (t) => {
    t.timeout(600_000);
    const host = makeHost(t);
    const readers: Agent[] = [];
    for (let n = 0; n < 2; n++) {
      const reader = await host.start();
      readers.push(reader, await reader.start('thread', 'a'), await reader.start('thread', 'b'));
    }
    let writers = [await startStandby(host, size), await startStandby(host, size)];
    for (const reader of readers) {
      await reader.run(({ follow }) => void follow('k'));
      await reader.until('the first record', ({ followed }) => followed.get('k')?.seen.versions);
      await reader.run(({ followed }) => followed.get('k')?.restartGap());
    }
    const published = await Promise.all(readers.map((reader) => reader.run(({ followed }) => followed.get('k')?.seen.version ?? 0)));
    for (let round = 0; round < kills; round++) {
      const states = await Promise.all(writers.map(writerState));
      const leading = states.findIndex((state) => state === 'live' || state === 'initializing');
      const victim = writers[Math.max(leading, 0)] as Agent;
      const [next] = await Promise.all([
        startStandby(host, size),
        // Any moment of a publish, which comes every 50 ms.
        new Promise((resolve) => setTimeout(resolve, Math.random() * 60)).then(() => victim.kill()),
      ]);
      writers = [...writers.filter((writer) => writer !== victim), next];
      const [survivor] = writers as [Agent];
      await readers[0]?.until(
        `the records of ${survivor.pid} after kill ${round}`,
        ({ followed }, pids) => pids.includes(followed.get('k')?.last()?.pid),
        writers.map(({ pid }) => pid),
      );
    }
    const final = await Promise.all(
      readers.map((reader) =>
        reader.run(({ followed, errors, faults }) => ({
          ...followed.get('k')?.seen,
          errors,
          faults,
          pids: followed.get('k')?.pids.length,
        })),
      ),
    );
    for (const [index, seen] of final.entries()) {
      t.like(seen, { ...NONE, errors: [], faults: [] });
      t.true((seen.pids ?? 0) >= kills / 2, `of ${kills} writers, records of ${seen.pids} were seen`);
      t.true((seen.version ?? 0) > (published[index] ?? 0) + kills);
      t.true((seen.longestGap ?? Infinity) < MAX_GAP, `the longest gap between two reads: ${seen.longestGap} ms`);
    }
    t.log(
      `${final.map((seen) => seen.reads).reduce((a = 0, b) => a + (b ?? 0))} reads, ${final[0]?.versions} versions, longest gap between two reads ` +
        `${Math.max(...final.map((seen) => seen.longestGap ?? 0)).toFixed(0)} ms`,
    );
  });
}

test.serial('all writers dead: the value stays and ages, and is stale after its ttl', async (t) => {
  const host = makeHost(t);
  const writer = await host.start();
  await writer.run(({ write }) => void write('k', { ttl: 1 }));
  const reader = await host.start();
  const thread = await reader.start('thread', 'a');
  for (const agent of [reader, thread]) {
    await agent.run(({ follow }) => void follow('k'));
    await sees(agent, 'k', writer.pid);
  }
  await writer.kill();
  for (const agent of [reader, thread]) {
    await agent.until('that it notices', ({ followed }) => followed.get('k')?.mirror.status().state === 'interrupted');
    await agent.until('that it is stale', ({ followed }) => followed.get('k')?.mirror.isStale);
    const [age, at] = await agent.run(({ followed, now }) => [followed.get('k')?.mirror.age ?? 0, now()]);
    t.true(age > 1);
    await agent.until('that it ages', ({ followed }, than) => (followed.get('k')?.mirror.age ?? 0) > than + 0.3, age);
    const [later, then] = await agent.run(({ followed, now }) => [followed.get('k')?.mirror.age ?? 0, now()]);
    t.true(Math.abs(later - age - (then - at) / 1000) < 0.1, 'as fast as the clock');
    t.is(await agent.run(({ followed }) => followed.get('k')?.mirror()?.pid), writer.pid);
    t.like(await agent.run(({ followed }) => followed.get('k')?.seen), NONE);
  }
  const next = await startStandby(host);
  for (const agent of [reader, thread]) await sees(agent, 'k', next.pid);
});

test.serial('a restarted process serves the last snapshot at once, marked stale, until a writer is there', async (t) => {
  const host = makeHost(t);
  const writer = await startStandby(host);
  const reader = await host.start();
  await reader.run(({ follow }) => void follow('k'));
  const { version } = await reader.until('some versions', ({ followed }) => {
    const { seen } = followed.get('k') ?? {};
    return seen && seen.versions > 3 && seen;
  });
  await writer.kill();
  const restarted = await host.start();
  const first = await restarted.run(({ follow }) => {
    const { mirror } = follow('k');
    return { value: mirror(), stale: mirror.isStale, status: mirror.status() };
  });
  t.is(first.value?.pid, writer.pid);
  t.true(first.stale);
  t.like(first.status, { state: 'interrupted', via: 'host', isStale: true });
  t.true(first.status.version >= version, 'what another process has seen is there');
  const standby = await startStandby(host);
  await sees(restarted, 'k', standby.pid);
  t.false(await restarted.run(({ followed }) => followed.get('k')?.mirror.isStale));
  t.like(await restarted.run(({ followed }) => followed.get('k')?.seen), NONE);
});

test.serial('shutdown hands over at once, with what was published last', async (t) => {
  const host = makeHost(t);
  const writer = await startStandby(host);
  await sees(writer, 'k', writer.pid);
  const standby = await startStandby(host);
  const reader = await host.start();
  await reader.run(({ follow }) => void follow('k'));
  await sees(standby, 'k', writer.pid);
  await sees(reader, 'k', writer.pid);
  const { last, took } = await writer.run(async ({ bg, writers }) => {
    await writers.get('k').refresh();
    const { version } = writers.get('k').status();
    const before = performance.now();
    await bg.shutdown();
    return { last: version, took: performance.now() - before };
  });
  const ended = performance.now();
  await sees(reader, 'k', standby.pid);
  t.log(`shutdown ${took.toFixed(0)} ms, then until the standby's record ${(performance.now() - ended).toFixed(0)} ms`);
  t.true(performance.now() - ended < 1000);
  t.true((await reader.run(({ followed }) => followed.get('k')?.seen.version ?? 0)) > last);
  t.like(await reader.run(({ followed }) => followed.get('k')?.seen), NONE);
});

test.serial('what is refreshed and stopped in one breath reaches the host', async (t) => {
  const host = makeHost(t);
  const writer = await host.start();
  const reader = await host.start();
  await reader.run(({ follow }) => void follow('k'));
  for (let round = 1; round <= 10; round++) {
    const version = await writer.run(async ({ write }) => {
      const once = write('k', { interval: 0, runImmediately: false });
      while (once.status().state === 'standby') await new Promise((resolve) => setTimeout(resolve, 1));
      await once.refresh();
      const published = once.status().version;
      await once.stop();
      return published;
    });
    await reader.until(
      `version ${version} of round ${round}`,
      ({ followed }, wanted) => (followed.get('k')?.seen.version ?? 0) >= wanted,
      version,
    );
  }
  t.like(await reader.run(({ followed }) => followed.get('k')?.seen), NONE);
});
