import test from 'ava';
import { systemClock } from '../../dist/core/clock.js';
import { StoppedError } from '../../dist/core/errors.js';
import { Repeater } from '../../dist/scheduler/repeater.js';
import type { RepeaterOptions } from '../../dist/scheduler/repeater.js';
import { fakeClock, settle } from './fake-clock.js';
import type { FakeClock } from './fake-clock.js';

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));
test.after('nothing was left unhandled', (t) => t.deepEqual(unhandled, []));

/** The middle of every random range: no jitter, and three quarters of a back-off's ceiling. */
const middle = (): number => 0.5;

function make(clock: FakeClock, options: Partial<RepeaterOptions> = {}) {
  const starts: number[] = [];
  const errors: Error[] = [];
  const begun = clock.monotonic();
  const run = options.run ?? (() => Promise.resolve());
  const repeater = new Repeater({
    name: 'test',
    interval: 1000,
    clock,
    random: middle,
    runImmediately: true,
    ref: true,
    onError: (error) => void errors.push(error),
    ...options,
    run: (signal) => (starts.push(clock.monotonic() - begun), run(signal)),
  });
  return { repeater, starts, errors };
}

/** Runs that end when the test says so. */
function manual() {
  const runs: { end: (error?: Error) => void; signal: AbortSignal }[] = [];
  const run = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => void runs.push({ end: (error) => (error ? reject(error) : resolve()), signal }));
  return { runs, run };
}

const takes = (clock: FakeClock, ms: number) => (): Promise<void> => new Promise((resolve) => void clock.setTimer(resolve, ms));

test('counts from the start of a run, not from its end', async (t) => {
  const clock = fakeClock();
  const { repeater, starts } = make(clock, { run: takes(clock, 400) });
  repeater.start();
  t.deepEqual(starts, [0], 'the first run comes before start() returns');
  await clock.advance(3500);
  t.deepEqual(starts, [0, 1000, 2000, 3000]);
  t.like(repeater.status(), { state: 'waiting', running: false, runs: 4, failures: 0, late: 0, lastDurationMs: 400 });
  t.is(repeater.status().nextAt, clock.wall() + 500);
});

test('without runImmediately the first run comes after an interval', async (t) => {
  const clock = fakeClock();
  const { repeater, starts } = make(clock, { runImmediately: false });
  repeater.start();
  repeater.start();
  await clock.advance(2000);
  t.deepEqual(starts, [1000, 2000]);
});

test('jitter is at most 10 % of the interval, spreads, and never accumulates', async (t) => {
  const clock = fakeClock();
  const { repeater, starts } = make(clock, { random: Math.random });
  repeater.start();
  await clock.advance(500_500);
  for (const [index, start] of starts.entries()) t.true(Math.abs(start - index * 1000) <= 100, `run ${index} started at ${start}`);
  t.true(starts.length >= 500);
  t.true(new Set(starts.map((start, index) => Math.round(start - index * 1000))).size > 50);
});

test('runs never overlap: a slow one delays one start for each interval, and is followed promptly by one run', async (t) => {
  const clock = fakeClock();
  const late: number[] = [];
  let first = true;
  const { repeater, starts } = make(clock, {
    run: () => (first ? ((first = false), takes(clock, 3500)()) : Promise.resolve()),
    onLate: (missed) => void late.push(missed),
  });
  repeater.start();
  await clock.advance(3400);
  t.deepEqual(late, [1, 2, 3], 'told as it happens');
  t.deepEqual(starts, [0]);
  await clock.advance(2200);
  t.deepEqual(starts, [0, 3500, 4500, 5500]);
  t.is(repeater.status().late, 3);
});

test('an onLate that throws, or stops the schedule, hurts nothing', async (t) => {
  const clock = fakeClock();
  const { repeater, errors } = make(clock, {
    run: takes(clock, 1500),
    onLate: () => {
      throw new Error('mine');
    },
  });
  repeater.start();
  await clock.advance(1200);
  t.deepEqual(
    errors.map((error) => error.message),
    ['mine'],
  );
  const stopped = repeater.stop();
  await clock.advance(300);
  await stopped;

  const other = make(clock, { run: takes(clock, 1500), onLate: () => void other.repeater.stop() });
  other.repeater.start();
  await clock.advance(10_000);
  t.is(other.repeater.status().state, 'stopped');
  t.is(other.starts.length, 1);
  t.deepEqual(clock.timers(), []);
});

test('a loop blocked for 5 s costs one run, whether it was waiting or running', async (t) => {
  for (const running of [false, true]) {
    const clock = fakeClock();
    const { repeater, starts } = make(clock, { run: takes(clock, 100) });
    repeater.start();
    await clock.advance(running ? 3050 : 3500);
    const before = starts.length;
    clock.block(5000);
    await clock.advance(0);
    await clock.advance(100);
    t.is(starts.length - before, 1, running ? 'running' : 'waiting');
    const catchUp = starts.at(-1) as number;
    await clock.advance(2500);
    t.deepEqual(starts.slice(before + 1), [catchUp + 1000, catchUp + 2000]);
  }
});

test('a jump of the wall clock, an hour either way, changes nothing', async (t) => {
  for (const hours of [1, -1]) {
    const clock = fakeClock();
    const { repeater, starts } = make(clock, { run: takes(clock, 100) });
    repeater.start();
    await clock.advance(1050);
    clock.jumpWall(hours * 3_600_000);
    await clock.advance(2950);
    t.deepEqual(starts, [0, 1000, 2000, 3000, 4000]);
    t.is(repeater.status().nextAt, clock.wall() + 1000);
    t.is(repeater.status().lastDurationMs, 100);
  }
});

test('the real loop, blocked for 20 intervals, catches up with one run', async (t) => {
  const starts: number[] = [];
  const repeater = new Repeater({
    name: 'test',
    interval: 50,
    clock: systemClock,
    random: middle,
    runImmediately: true,
    ref: true,
    run: async () => void starts.push(systemClock.monotonic()),
  });
  repeater.start();
  const until = systemClock.monotonic() + 1000;
  while (systemClock.monotonic() < until);
  while (starts.length < 4) await settle();
  await repeater.stop();
  t.true((starts[1] as number) >= until);
  t.true(
    (starts[2] as number) - (starts[1] as number) >= 48,
    'an interval lies between the catch-up run and the next; Node rounds timers to whole milliseconds',
  );
});

test('a failed run is retried, at doubling delays, never slower than the interval, and each failure is told once', async (t) => {
  const clock = fakeClock();
  let works = false;
  const { repeater, starts, errors } = make(clock, {
    interval: 10_000,
    run: () => (works ? Promise.resolve() : Promise.reject(new Error('down'))),
  });
  repeater.start();
  await clock.advance(40_000);
  const gaps = starts.slice(1).map((start, index) => start - (starts[index] as number));
  t.deepEqual(gaps.slice(0, 6), [750, 1500, 3000, 6000, 7500, 7500]);
  t.is(errors.length, starts.length);
  t.like(repeater.status(), {
    state: 'retrying',
    failures: starts.length,
    consecutiveFailures: starts.length,
    lastError: { name: 'Error', message: 'down' },
  });
  works = true;
  await clock.advance(7500);
  t.like(repeater.status(), { state: 'waiting', consecutiveFailures: 0, lastError: undefined });
  const healed = starts.at(-1) as number;
  await clock.advance(20_000);
  t.deepEqual(starts.slice(-2), [healed + 10_000, healed + 20_000]);
});

test('a retry is never later than the start that was due anyway', async (t) => {
  const clock = fakeClock();
  const { repeater, starts } = make(clock, {
    retry: { base: 1e9, max: 1e9 },
    run: async () => {
      throw new Error('down');
    },
  });
  repeater.start();
  await clock.advance(3000);
  t.deepEqual(starts, [0, 750, 1500, 2250, 3000]);

  const slow = make(clock, {
    run: async () => (await takes(clock, 600)(), Promise.reject(new Error('down'))),
    retry: { base: 1e9, max: 1e9 },
  });
  slow.repeater.start();
  await clock.advance(3000);
  t.deepEqual(slow.starts, [0, 1000, 2000, 3000]);
});

test('a run that is always late leaves the event loop a turn before the next', async (t) => {
  const clock = fakeClock();
  let left = 5;
  const { repeater, starts } = make(clock, {
    run: async () => {
      if (left-- > 0) clock.block(1500);
    },
  });
  repeater.start();
  await settle();
  t.deepEqual(starts, [0]);
  t.deepEqual(clock.timers(), [{ in: 0, ref: true }]);
});

test('a run that outlasts its interval and fails waits for its back-off too', async (t) => {
  const clock = fakeClock();
  const { repeater, starts } = make(clock, { run: async () => (await takes(clock, 1500)(), Promise.reject(new Error('slow and down'))) });
  repeater.start();
  await clock.advance(1600);
  t.is(repeater.status().late, 1);
  await clock.advance(200);
  t.deepEqual(starts, [0, 1500 + 187.5]);
});

test('a run that throws at once is a failed run', async (t) => {
  const clock = fakeClock();
  const { repeater, errors } = make(clock, {
    run: () => {
      throw new Error('sync');
    },
  });
  t.notThrows(() => repeater.start());
  await settle();
  t.deepEqual(
    errors.map((error) => error.message),
    ['sync'],
  );
});

test('a fleet of 1,000 asks its source at most twice as often after an outage as in peace', async (t) => {
  const clock = fakeClock();
  const interval = 60_000;
  let up = true;
  const starts: number[] = [];
  for (let index = 0; index < 1000; index += 1) {
    clock.setTimer(
      () => {
        new Repeater({
          name: 'test',
          interval,
          clock,
          runImmediately: true,
          ref: true,
          onError: () => {},
          run: () => (starts.push(clock.monotonic()), up ? undefined : Promise.reject(new Error('down'))),
        }).start();
      },
      (index / 1000) * interval,
    );
  }
  await clock.advance(2 * interval);
  up = false;
  await clock.advance(5 * interval);
  up = true;
  const healed = clock.monotonic();
  await clock.advance(3 * interval);
  const perWindow = new Map<number, number>();
  for (const start of starts)
    if (start > healed) perWindow.set(Math.floor(start / 10_000), (perWindow.get(Math.floor(start / 10_000)) ?? 0) + 1);
  const steady = 1000 / 6;
  t.true(Math.max(...perWindow.values()) <= 2 * steady, `a peak of ${Math.max(...perWindow.values())} in 10 s, ${steady} in peace`);
});

test('trigger runs now, joins a run under way, settles with it, and moves the schedule', async (t) => {
  const clock = fakeClock();
  const { runs, run } = manual();
  const { repeater, starts, errors } = make(clock, { run, runImmediately: false });
  repeater.start();
  await clock.advance(300);
  const first = repeater.trigger();
  const joined = repeater.trigger();
  t.is(starts.length, 1);
  await clock.advance(100);
  runs[0]?.end();
  await Promise.all([first, joined]);
  await clock.advance(899);
  t.deepEqual(starts, [300]);
  await clock.advance(1);
  t.deepEqual(starts, [300, 1300]);
  const failing = repeater.trigger();
  const error = new Error('no');
  runs[1]?.end(error);
  t.is(await t.throwsAsync(failing), error);
  t.deepEqual(errors, [error], 'onError has it as well');
});

test('trigger works without a schedule, and start takes over from its run', async (t) => {
  const clock = fakeClock();
  const { repeater, starts } = make(clock, { run: takes(clock, 100) });
  const triggered = repeater.trigger();
  await clock.advance(5000);
  await triggered;
  t.deepEqual(starts, [0]);
  t.is(repeater.status().state, 'idle');
  void repeater.trigger();
  repeater.start();
  await clock.advance(1000);
  t.deepEqual(starts, [0, 5000, 6000]);
});

test('a run that calls trigger joins itself', async (t) => {
  const clock = fakeClock();
  const { repeater, starts } = make(clock, { run: async () => void repeater.trigger() });
  repeater.start();
  await settle();
  t.deepEqual(starts, [0]);
});

test('stop waits for the run, is idempotent, and ends everything', async (t) => {
  const clock = fakeClock();
  const { runs, run } = manual();
  const { repeater, starts } = make(clock, { run });
  repeater.start();
  let stopped = 0;
  const stops = [repeater.stop(), repeater.stop()].map((promise) => promise.then(() => (stopped += 1)));
  await settle();
  t.is(stopped, 0);
  t.is(repeater.status().state, 'stopping');
  t.false(runs[0]?.signal.aborted);
  await t.throwsAsync(repeater.trigger(), { instanceOf: StoppedError, code: 'ERR_STOPPED' });
  runs[0]?.end();
  await Promise.all(stops);
  await repeater.stop();
  t.is(repeater.status().state, 'stopped');
  t.throws(() => repeater.start(), { instanceOf: StoppedError });
  await clock.advance(10_000);
  t.deepEqual(starts, [0]);
  t.deepEqual(clock.timers(), []);
});

test('stop with abort aborts the signal; what the run then throws is nobody’s failure', async (t) => {
  const clock = fakeClock();
  const { repeater, errors } = make(clock, {
    run: (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });
  repeater.start();
  const waiting = repeater.stop();
  await repeater.stop({ abort: true });
  await waiting;
  t.deepEqual(errors, []);
  t.like(repeater.status(), { state: 'stopped', failures: 0 });
});

test('an interval of 30 days works, on the real clock too', async (t) => {
  const clock = fakeClock();
  const days = 86_400_000;
  const { repeater, starts } = make(clock, { interval: 30 * days });
  repeater.start();
  await clock.advance(61 * days);
  t.deepEqual(starts, [0, 30 * days, 60 * days]);

  let runs = 0;
  const real = new Repeater({
    name: 'test',
    interval: 30 * days,
    clock: systemClock,
    runImmediately: false,
    ref: true,
    run: async () => void (runs += 1),
  });
  real.start();
  const until = Date.now() + 50;
  while (Date.now() < until) await settle();
  t.is(runs, 0, 'a Node timer of more than 2^31 ms would have fired at once');
  await real.stop();
});

test('ref and unref hold for the timer that is set, the ones to come, and while a run is under way', async (t) => {
  const clock = fakeClock();
  const { run } = manual();
  const { repeater } = make(clock, { run, ref: false });
  repeater.start();
  t.deepEqual(
    clock.timers().map(({ ref }) => ref),
    [false],
  );
  repeater.ref();
  t.deepEqual(
    clock.timers().map(({ ref }) => ref),
    [true],
  );
  await clock.advance(1500);
  t.deepEqual(
    clock.timers().map(({ ref }) => ref),
    [true],
  );
  repeater.unref();
  t.deepEqual(
    clock.timers().map(({ ref }) => ref),
    [false],
  );
});

test('an interval that is none is refused at once', (t) => {
  const clock = fakeClock();
  for (const interval of [0, -1, NaN, Infinity, '1' as unknown as number]) {
    t.throws(() => make(clock, { interval }), { instanceOf: RangeError, message: /Expected `interval`/ });
  }
});
