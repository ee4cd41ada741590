import test from 'ava';
import { systemClock } from '../../dist/core/clock.js';
import { TimeoutError } from '../../dist/core/errors.js';
import { runLoader } from '../../dist/scheduler/loader.js';
import { fakeClock, settle } from './fake-clock.js';

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));
test.after('nothing was left unhandled', (t) => t.deepEqual(unhandled, []));

const hang = (): Promise<never> => new Promise(() => {});

const previous = (): undefined => undefined;

test('answers what the loader gives, sync or not, and hands it the previous value', async (t) => {
  const clock = fakeClock();
  t.is(await runLoader(({ previous }) => (previous ?? 0) + 1, { timeout: 10, previous: () => 4, clock }), 5);
  t.is(await runLoader(async () => undefined, { timeout: undefined, previous, clock }), undefined);
  t.deepEqual(clock.timers(), []);
});

test('a loader that throws, at once or later, rejects with its own error and leaves no timer', async (t) => {
  const clock = fakeClock();
  const error = new Error('no');
  const options = { timeout: 10, previous, clock };
  t.is(
    await t.throwsAsync(
      runLoader(() => {
        throw error;
      }, options),
    ),
    error,
  );
  t.is(await t.throwsAsync(runLoader(() => Promise.reject(error), options)), error);
  t.deepEqual(clock.timers(), []);
});

test('a loader that hangs for ever is refused at its timeout, and its signal is aborted with the same error', async (t) => {
  const clock = fakeClock();
  let signal: AbortSignal | undefined;
  const promise = runLoader((context) => ((signal = context.signal), hang()), { timeout: 3000, previous, clock });
  const caught = promise.catch((error: unknown) => error);
  await clock.advance(2999);
  t.false(signal?.aborted);
  await clock.advance(1);
  const error = await caught;
  t.true(error instanceof TimeoutError);
  t.regex((error as Error).message, /3000 ms/);
  t.is(signal?.reason, error);
});

test('what comes after the timeout is dropped, an error too', async (t) => {
  const clock = fakeClock();
  for (const late of ['resolve', 'reject'] as const) {
    const settlers: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
    const promise = runLoader(() => new Promise((resolve, reject) => void settlers.push({ resolve, reject })), {
      timeout: 5,
      previous,
      clock,
    });
    const caught = promise.catch((error: unknown) => error);
    await clock.advance(5);
    settlers[0]?.[late](new Error('late'));
    await settle();
    t.true((await caught) instanceof TimeoutError);
  }
});

test('a loader that blocks the thread past its timeout is refused, although no timer could fire', async (t) => {
  const clock = fakeClock();
  await t.throwsAsync(
    runLoader(() => (clock.block(11), 'late'), { timeout: 10, previous, clock }),
    { instanceOf: TimeoutError },
  );
  t.deepEqual(clock.timers(), []);
});

test('an abort from outside rejects at once with its reason, and reaches the loader', async (t) => {
  const clock = fakeClock();
  const outside = new AbortController();
  const reason = new Error('shutdown');
  let inner: AbortSignal | undefined;
  const promise = runLoader((context) => ((inner = context.signal), hang()), { timeout: 10, previous, clock, signal: outside.signal });
  outside.abort(reason);
  t.is(await t.throwsAsync(promise), reason);
  t.is(inner?.reason, reason);
  t.deepEqual(clock.timers(), []);
});

test('with a signal that is aborted already the loader is not called', async (t) => {
  let calls = 0;
  const signal = AbortSignal.abort(new Error('gone'));
  await t.throwsAsync(
    runLoader(() => (calls += 1), { timeout: undefined, previous, clock: systemClock, signal }),
    { message: 'gone' },
  );
  t.is(calls, 0);
});

test('the signal of a loader that succeeded is never aborted', async (t) => {
  const clock = fakeClock();
  const outside = new AbortController();
  let inner: AbortSignal | undefined;
  await runLoader<number | undefined>((context) => ((inner = context.signal), 1), { timeout: 10, previous, clock, signal: outside.signal });
  await clock.advance(100);
  outside.abort();
  t.false(inner?.aborted);
});
