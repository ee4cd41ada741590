import test from 'ava';
import { systemClock } from '../../dist/core/clock.js';
import { SupervisedThread } from '../../dist/scheduler/supervised-thread.js';
import type { SupervisedThreadOptions, ThreadDown } from '../../dist/scheduler/supervised-thread.js';

const THREAD = new URL('./fixtures/thread.js', import.meta.url);
const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));
process.on('uncaughtException', (error) => unhandled.push(error));
test.after.always('nothing was left unhandled', (t) => t.deepEqual(unhandled, []));

interface Heard {
  echo?: unknown;
  deed?: string;
  threadId?: number;
}

function make(t: { teardown(fn: () => unknown): void }, options: Partial<SupervisedThreadOptions> = {}) {
  const heard: Heard[] = [];
  const downs: ThreadDown[] = [];
  const errors: Error[] = [];
  let ups = 0;
  const thread = new SupervisedThread({
    url: THREAD,
    name: 'tested',
    clock: systemClock,
    ref: true,
    backoff: { base: 20, max: 60_000 },
    onError: (error) => void errors.push(error),
    ...options,
    onMessage: (message) => (heard.push(message as Heard), options.onMessage?.(message)),
    onUp: (worker) => ((ups += 1), options.onUp?.(worker)),
    onDown: (down) => (downs.push(down), options.onDown?.(down)),
  });
  t.teardown(() => thread.stop(0));
  return { thread, heard, downs, errors, ups: () => ups };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('starts lazily, with the first post, and answers', async (t) => {
  const { thread, heard } = make(t);
  t.is(thread.status().state, 'idle');
  const shared = new SharedArrayBuffer(8);
  t.true(thread.post({ echo: shared }));
  t.is(thread.status().state, 'starting');
  await until(() => heard.length === 1, 'the echo');
  new Int32Array(heard[0]?.echo as SharedArrayBuffer)[0] = 7;
  t.is(new Int32Array(shared)[0], 7, 'shared memory stays shared through the queue');
  t.not(heard[0]?.threadId, 0);
});

test('a message that waits is taken as it was, with what it transfers, or refused at once', async (t) => {
  const { thread, heard } = make(t);
  const bytes = new Uint8Array([1, 2, 3]);
  const message = { echo: bytes, deed: undefined as string | undefined };
  thread.post(message, [bytes.buffer]);
  t.is(bytes.byteLength, 0);
  message.deed = 'exit';
  t.throws(() => thread.post({ echo: () => {} }), { any: true, name: 'DataCloneError' });
  await until(() => heard.length === 1, 'the echo');
  t.deepEqual(heard[0]?.echo, new Uint8Array([1, 2, 3]));
  t.throws(() => thread.post({ echo: () => {} }), { any: true, name: 'DataCloneError' });
});

for (const [deed, error, exitCode] of [
  ['throw', 'thrown in the thread', 1],
  ['reject', 'rejected in the thread', 1],
  ['exit', undefined, 3],
  ['exit cleanly', undefined, 0],
] as const) {
  test(`a thread that goes by «${deed}» is restarted, and told its state before what waits`, async (t) => {
    const { thread, heard, downs, ups } = make(t, { onUp: (worker) => worker.postMessage({ echo: 'state' }) });
    thread.post({ deed });
    await until(() => downs.length === 1, 'the crash');
    t.is(thread.status().state, 'backing-off');
    thread.post({ echo: 'waited' });
    await until(() => heard.some(({ echo }) => echo === 'waited'), 'the next thread');
    t.is(ups(), 2);
    t.is(downs[0]?.error?.message, error);
    t.is(downs[0]?.exitCode, exitCode);
    const wait = downs[0]?.restartInMs ?? 0;
    t.true(wait >= 10 && wait <= 20);
    const [first, second] = [downs[0]?.threadId, heard.at(-1)?.threadId];
    t.is(typeof first, 'number');
    t.not(first, second);
    t.deepEqual(
      heard.filter(({ threadId }) => threadId === second).map(({ echo }) => echo),
      ['state', 'waited'],
    );
    t.is(thread.status().restarts, 1);
  });
}

test('a module that throws while it is loaded is tried again with growing delays', async (t) => {
  let broken = true;
  const { thread, heard, downs } = make(t, { workerData: () => ({ importThrows: broken }), random: () => 0 });
  thread.start();
  await until(() => downs.length === 4, 'four crashes');
  t.deepEqual(
    downs.map(({ restartInMs }) => restartInMs),
    [10, 20, 40, 80],
  );
  t.deepEqual(new Set(downs.map(({ error }) => error?.message)), new Set(['thrown by the import']));
  t.is(thread.status().lastError?.message, 'thrown by the import');
  broken = false;
  thread.post({ echo: 'at last' });
  await until(() => heard.length === 1, 'the thread that works');
});

test('a thread that stayed up for the longest delay starts the count anew', async (t) => {
  const { thread, downs, ups } = make(t, { backoff: { base: 10, max: 15 }, random: () => 0 });
  for (let crash = 1; crash <= 3; crash += 1) {
    thread.start();
    await until(() => ups() === crash, 'the thread');
    await new Promise((resolve) => setTimeout(resolve, 20));
    thread.post({ deed: 'exit' });
    await until(() => downs.length === crash, 'the crash');
  }
  t.deepEqual(
    downs.map(({ restartInMs }) => restartInMs),
    [5, 5, 5],
  );
});

test('a thread that eats its heap ends alone, with ERR_WORKER_OUT_OF_MEMORY, and is restarted', async (t) => {
  const { thread, heard, downs } = make(t, { resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 } });
  thread.post({ deed: 'eat memory' });
  await until(() => downs.length === 1, 'the crash');
  t.is((downs[0]?.error as NodeJS.ErrnoException | undefined)?.code, 'ERR_WORKER_OUT_OF_MEMORY');
  thread.post({ echo: 'again' });
  await until(() => heard.some(({ echo }) => echo === 'again'), 'the next thread');
});

test('a thread that blocks for ever is restarted by its owner, with the owner’s reason', async (t) => {
  const { thread, heard, downs, ups } = make(t);
  thread.post({ deed: 'block for ever' });
  await until(() => ups() === 1, 'the thread');
  const reason = new Error('no heartbeat');
  thread.restart(reason);
  await until(() => downs.length === 1, 'its end');
  t.is(downs[0]?.error, reason);
  thread.post({ echo: 'free' });
  await until(() => heard.length === 1, 'the next thread');
});

test('stop terminates a thread that blocks for ever', async (t) => {
  const { thread, downs, ups } = make(t);
  thread.post({ deed: 'block for ever' });
  await until(() => ups() === 1, 'the thread');
  t.is(await thread.stop(100), 'terminated');
  t.deepEqual(downs, []);
  t.is(thread.status().state, 'stopped');
});

test('stop asks first; the thread ends although the user left a timer running', async (t) => {
  const { thread, heard } = make(t);
  thread.post({ deed: 'keep a timer' });
  await until(() => heard.length === 1, 'the timer');
  const stopping = thread.stop(30_000);
  t.is(thread.stop(), stopping, 'idempotent');
  t.is(await stopping, 'ended');
  t.is(heard.at(-1)?.echo, 'goodbye');
  t.false(thread.post({ echo: 'too late' }));
  thread.start();
  t.is(thread.status().state, 'stopped');
});

test('stop terminates a thread whose end hangs', async (t) => {
  const { thread, heard } = make(t, { workerData: () => ({ stopHangs: true }) });
  thread.post({ echo: 1 });
  await until(() => heard.length === 1, 'the thread');
  t.is(await thread.stop(50), 'terminated');
});

test('stop ends a schedule of restarts, and a thread never started', async (t) => {
  const { thread, downs } = make(t, { workerData: () => ({ importThrows: true }) });
  t.is(await make(t).thread.stop(), 'ended');
  thread.start();
  await until(() => downs.length === 2, 'two crashes');
  await thread.stop();
  const { length } = downs;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.is(downs.length, length);
});

test('onDown may stop the thread, and callbacks that throw are reported and contained', async (t) => {
  const boom = (name: string) => () => {
    throw new Error(name);
  };
  const { thread, errors, downs } = make(t, { onUp: boom('up'), onMessage: boom('message'), onDown: boom('down') });
  thread.post({ deed: 'throw in the handler' });
  thread.post({ echo: 1 });
  thread.post({ deed: 'throw' });
  await until(() => downs.length === 1, 'the crash');
  await thread.stop();
  t.deepEqual(new Set(errors.map((error) => error.message)), new Set(['up', 'message', 'down']));

  const other = make(t, { onDown: () => void other.thread.stop() });
  other.thread.post({ deed: 'exit' });
  await until(() => other.downs.length === 1, 'the crash');
  t.is(other.thread.status().state, 'stopped');
});

test('a thread that can’t be made is a crash, not an exception', async (t) => {
  const { thread, downs } = make(t, { workerData: () => ({ notCloneable: () => {} }) });
  t.notThrows(() => thread.start());
  t.is(downs[0]?.error?.name, 'DataCloneError');
  t.is(downs[0]?.exitCode, undefined);
  await until(() => downs.length === 2, 'the second try');
});

test('nothing is left on the process after many lives', async (t) => {
  const before = process.eventNames().map((name) => [name, process.listenerCount(name)]);
  const { thread, downs } = make(t, { backoff: { base: 1, max: 1 }, workerData: () => ({ importThrows: true }) });
  thread.start();
  await until(() => downs.length === 15, 'fifteen crashes');
  await thread.stop();
  t.deepEqual(
    process.eventNames().map((name) => [name, process.listenerCount(name)]),
    before,
  );
});
