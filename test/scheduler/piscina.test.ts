import test from 'ava';
import { Piscina } from 'piscina';
import { systemClock } from '../../dist/core/clock.js';
import { TimeoutError } from '../../dist/core/errors.js';
import { runLoader } from '../../dist/scheduler/loader.js';
import { piscinaLoader } from '../../dist/scheduler/piscina.js';

const TASKS = new URL('./fixtures/pool-tasks.js', import.meta.url);
const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));
test.after('nothing was left unhandled', (t) => t.deepEqual(unhandled, []));

function pool(t: { teardown(fn: () => unknown): void }, options: ConstructorParameters<typeof Piscina>[0] = {}): Piscina {
  const made = new Piscina({ maxThreads: 1, minThreads: 1, ...options });
  t.teardown(() => made.destroy());
  return made;
}

const options = { timeout: undefined, previous: (): unknown => undefined, clock: systemClock };

test('runs on a thread of the pool, from a URL, an href or the pool’s own module', async (t) => {
  const own = pool(t, { filename: TASKS.href });
  for (const loader of [
    piscinaLoader(own, { filename: TASKS }),
    piscinaLoader(own, { filename: TASKS.href, name: 'default' }),
    piscinaLoader(own),
  ]) {
    const result = (await runLoader(loader, options)) as { task: unknown; threadId: number };
    t.deepEqual(result.task, { previous: undefined });
    t.not(result.threadId, 0);
  }
});

test('the present value travels only when asked for', async (t) => {
  const threads = pool(t);
  const withIt = piscinaLoader<{ task: unknown }>(threads, { filename: TASKS, passPrevious: true });
  t.deepEqual((await runLoader(withIt, { ...options, previous: () => ({ task: new Map([[1, 2]]) }) })).task, {
    previous: { task: new Map([[1, 2]]) },
  });
  const without = piscinaLoader<{ task: unknown }>(threads, { filename: TASKS });
  t.deepEqual((await runLoader(without, { ...options, previous: () => ({ task: () => 'not cloneable' }) })).task, { previous: undefined });
});

test('the task’s error is the loader’s', async (t) => {
  await t.throwsAsync(runLoader(piscinaLoader(pool(t), { filename: TASKS, name: 'fail' }), options), {
    name: 'RangeError',
    message: 'the source is down',
  });
  await t.throwsAsync(runLoader(piscinaLoader(pool(t)), options), { message: /filename/ });
});

test('a task that blocks its thread is ended at the timeout, and the pool goes on', async (t) => {
  const threads = pool(t);
  const words = new SharedArrayBuffer(4);
  const blocking = piscinaLoader(threads, { filename: TASKS, name: 'block', passPrevious: true });
  const begun = Atomics.waitAsync(new Int32Array(words), 0, 0, 60_000);
  const outside = new AbortController();
  const promise = runLoader(blocking, { ...options, previous: () => words, signal: outside.signal });
  t.is(await begun.value, 'ok');
  outside.abort(new Error('enough'));
  await t.throwsAsync(promise, { message: 'enough' });
  await t.throwsAsync(runLoader(blocking, { ...options, previous: () => words, timeout: 50 }), { instanceOf: TimeoutError });
  const after = (await runLoader(piscinaLoader(threads, { filename: TASKS }), options)) as { threadId: number };
  t.not(after.threadId, 0);
});

test('what is no pool, and wrong options, are refused at once', (t) => {
  for (const bad of [undefined, null, {}, { run: 1 }, 'pool']) {
    t.throws(() => piscinaLoader(bad as never), {
      instanceOf: TypeError,
      message: /Expected `pool` to be a Piscina pool \(an object with a method run\(task, options\)\), got /,
    });
  }
  const threads = { run: async () => 1 };
  t.throws(() => piscinaLoader(threads, { filname: 'x' } as never), {
    instanceOf: TypeError,
    message: /filename, name, passPrevious, got 'filname'/,
  });
  t.throws(() => piscinaLoader(threads, { filename: 1 as never }), { instanceOf: TypeError, message: /`filename`/ });
  t.throws(() => piscinaLoader(threads, { name: 1 as never }), { instanceOf: TypeError, message: /`name`/ });
  t.throws(() => piscinaLoader(threads, { passPrevious: 1 as never }), { instanceOf: TypeError, message: /`passPrevious`/ });
});
