import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const SCRIPT = fileURLToPath(new URL('./fixtures/lifetime.js', import.meta.url));
const THREAD = new URL('./fixtures/thread.js', import.meta.url).href;
const SUPERVISED = new URL('../../dist/scheduler/supervised-thread.js', import.meta.url).href;
const CLOCK = new URL('../../dist/core/clock.js', import.meta.url).href;

/** A process, what it said, and how it ended; still `'alive'` after `patience` milliseconds, it is killed. */
async function outcome(args: string[], patience: number): Promise<{ end: number | 'alive'; said: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let killed = false;
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const started = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  const closed = once(child, 'close') as Promise<[number | null]>;
  await Promise.race([started, closed]);
  const timer = setTimeout(() => ((killed = true), child.kill('SIGKILL')), patience);
  const [code] = await closed;
  clearTimeout(timer);
  return { end: killed ? 'alive' : (code ?? -1), said };
}

for (const what of ['repeater', 'hanging repeater', 'thread', 'crashing thread']) {
  test(`an unref’d ${what} never keeps a process alive`, async (t) => {
    const { end, said } = await outcome([SCRIPT, what, 'unref'], 60_000);
    t.is(end, 0, said);
  });

  test(`a ref’d ${what} keeps its process alive`, async (t) => {
    t.is((await outcome([SCRIPT, what, 'ref'], 2000)).end, 'alive');
  });
}

for (const what of ['repeater', 'thread', 'crashing thread']) {
  test(`stop lets the process of a ref’d ${what} end`, async (t) => {
    t.deepEqual(await outcome([SCRIPT, what, 'stop'], 60_000), { end: 0, said: 'started\nstopped\n' });
  });
}

test('the stop of an unref’d thread can be awaited at top level', async (t) => {
  t.deepEqual(await outcome([SCRIPT, 'thread', 'unref and await stop'], 60_000), { end: 0, said: 'started\nstopped\n' });
});

for (const flags of [
  ['--input-type=module'],
  ['--input-type', 'module'],
  ['--max-old-space-size=300', '--expose-gc', '--import=data:text/javascript,', '--input-type=module'],
]) {
  test(`a thread starts in a process with ${flags.join(' ')}`, async (t) => {
    const code = `import { SupervisedThread } from '${SUPERVISED}'; import { systemClock } from '${CLOCK}';
      const thread = new SupervisedThread({ url: new URL('${THREAD}'), name: 'x', clock: systemClock, ref: true,
        onMessage: async (message) => { console.log(message.echo); if (message.echo === 'works') await thread.stop(); },
        onDown: (down) => { console.log(down.error); process.exit(9); } });
      thread.post({ echo: 'works' });`;
    t.deepEqual(await outcome([...flags, '-e', code], 60_000), { end: 0, said: 'works\ngoodbye\n' });
  });
}
