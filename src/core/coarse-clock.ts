/**
 * A clock that costs a memory load: reading the real one (50-70 ns) would be most of a cache hit.
 *
 * One word in shared memory holds the host's monotonic time in seconds, or `NaN` while nobody ticks it. It is ticked by the
 * *pulse*, a small thread of our own (a timer of this thread would stand still while the event loop is blocked).
 *
 * How to use it, and why that is exact: compare `coarseNow[0] < moment - COARSE_SLACK`. True means that the moment has not
 * come, provided that the word lags by less than the slack; false (also for `NaN`) means nothing: ask `exactNow()`. So near
 * a deadline, and while the pulse sleeps, the real clock decides, and time never runs backward across a decision.
 *
 * A second word holds the same time in whole units, for deadlines that are fields of many objects: V8 keeps a small integer in the object, and a
 * double elsewhere, which with 100,000 of them is one more wait for memory. Compare `coarseTick[0] < lastTick(moment)`: both are rounded down, so
 * true says the same of the moment.
 *
 * | the pulse is | and                                             | it becomes                                     |
 * |--------------|-------------------------------------------------|------------------------------------------------|
 * | absent       | `exactNow()` ran `HOT_READS` times in 100 ms    | awake (or absent for good: no thread to be had)|
 * | awake        | `TICKS_AWAKE` ticks passed                      | asleep: the word becomes NaN, so readers ask   |
 * | awake        | the wall clock jumped                           | asleep: a reader's `exactNow()` looks into it  |
 * | asleep       | `exactNow()` was called often again             | awake                                          |
 * | any          | its thread ended                                | absent for good: the word becomes NaN          |
 */
import { Worker, getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { monotonic } from './clock.js';
import { DISTANCE, JUMP, SUSPENDED, suspension, standsStill, UNIT } from './suspension.js';

/** Seconds by which the word may lag without any decision becoming wrong: four ticks. */
export const COARSE_SLACK = 0.02;

const TICK_MS = 5;
const TICKS_AWAKE = 200;
const HOT_READS = 256;
const HOT_WINDOW = 0.1;

/** Seconds. 2^31 of them are 198 days, after which a process asks the real clock. */
const TICK_UNIT = 0.008;
/** What the second word is while the first one is `NaN`: no deadline is later. */
const ASLEEP = 0x7fffffff;

/**
 * The shared words: bytes 0-7 the time (float64), bytes 8-11 `CALLED` (int32): 1 when a reader wants the pulse awake; bytes 12-15 the time in
 * units (int32) since the moment in bytes 16-23 (float64), which whoever made the words wrote.
 * The layout's number is in the name, since two copies of this package may meet in one process.
 */
const SHARED_NAME = 'advanced-caching.pulse.3';
const SHARED_BYTES = 24;
const CALLED_AT = 8;
const CALLED = 0;
const TICK_AT = 12;
const ORIGIN_AT = 16;

const inherited: unknown = getEnvironmentData(SHARED_NAME);
const isInherited = inherited instanceof SharedArrayBuffer && inherited.byteLength === SHARED_BYTES;
const shared = isInherited ? inherited : new SharedArrayBuffer(SHARED_BYTES);
const called = new Int32Array(shared, CALLED_AT, 1);

/** Element 0 is the host's monotonic time in seconds, up to a few ticks ago, or `NaN`. Only the pulse writes it. */
export const coarseNow: Float64Array = new Float64Array(shared, 0, 1);
/** Element 0 is the same in units of its own, or larger than any `lastTick`. Only the pulse writes it. */
export const coarseTick: Int32Array = new Int32Array(shared, TICK_AT, 1);
const originWord = new Float64Array(shared, ORIGIN_AT, 1);
if (!isInherited) {
  originWord[0] = monotonic() / 1000;
  tellNothing();
}
const origin = originWord[0] as number;

/** As while the pulse sleeps. */
export function tellNothing(): void {
  coarseNow[0] = NaN;
  coarseTick[0] = ASLEEP;
}

/** What `coarseTick[0]` is less than only if a moment (monotonic seconds) has not come. A moment that has is `NEVER`. */
export function lastTick(moment: number): number {
  return Math.max(NEVER, Math.min(ASLEEP, Math.floor((moment - COARSE_SLACK - origin) / TICK_UNIT))) | 0;
}

/** Of a moment for which that clock may not decide. */
export const NEVER = -1;

let reads = 0;
let windowEnds = 0;
/** A thread that inherited the words never starts a pulse for them: they belong to an ancestor, which outlives it. */
let mayStart = !isInherited;

/** The host's monotonic time in seconds, from the real clock. Called often, it wakes the pulse. */
export function exactNow(): number {
  const now = monotonic() / 1000;
  if (now > windowEnds) {
    windowEnds = now + HOT_WINDOW;
    reads = 0;
  } else if (++reads === HOT_READS) {
    wake();
  }
  return now;
}

function wake(): void {
  if (mayStart) {
    mayStart = false;
    startPulse();
  } else if (Number.isNaN(coarseNow[0]) && Atomics.exchange(called, CALLED, 1) === 0) {
    Atomics.notify(called, CALLED);
  }
}

/**
 * What the pulse runs. It never returns to an event loop: a wait of `TICK_MS` between ticks, then, after `TICKS_AWAKE` of them,
 * a wait without end until a reader calls. `terminate()` and the end of the process interrupt both.
 *
 * After a suspend of the machine, or with a wall clock that was set, it tells no time until a reader has found out which of them it was
 * (`suspension.ts`): it compares the clocks itself, before it adds up.
 */
const PULSE = `
const { workerData } = require('node:worker_threads');
const time = new Float64Array(workerData.shared, 0, 1);
const called = new Int32Array(workerData.shared, ${CALLED_AT}, 1);
const tick = new Int32Array(workerData.shared, ${TICK_AT}, 1);
const origin = new Float64Array(workerData.shared, ${ORIGIN_AT}, 1);
const { suspension } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  for (let ticks = 0; ticks < ${TICKS_AWAKE}; ticks++) {
    const [seconds, nanoseconds] = process.hrtime();
    const now = seconds * 1000 + nanoseconds / 1e6;
    const apart = Math.round((Date.now() - now) / ${UNIT}) | 0;
    if (${standsStill} && Math.abs((apart - Atomics.load(suspension, ${DISTANCE})) | 0) > ${JUMP}) break;
    time[0] = (now + Atomics.load(suspension, ${SUSPENDED}) * ${UNIT}) / 1000;
    tick[0] = Math.min(${ASLEEP}, Math.floor((time[0] - origin[0]) / ${TICK_UNIT}));
    Atomics.wait(never, 0, 0, ${TICK_MS});
  }
  Atomics.store(called, ${CALLED}, 0);
  time[0] = NaN;
  tick[0] = ${ASLEEP};
  Atomics.wait(called, ${CALLED}, 0);
}`;

function startPulse(): void {
  let pulse: Worker;
  try {
    pulse = new Worker(PULSE, {
      eval: true,
      workerData: { shared, suspension },
      name: 'advanced-caching pulse',
      // Nothing of the application's start-up (loaders, preloads, NODE_OPTIONS) belongs in a thread that only counts.
      execArgv: [],
      env: {},
      trackUnmanagedFds: false,
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
    });
  } catch {
    // No threads here (the permission model, for one): the real clock does, only slower.
    return;
  }
  pulse.on('error', tellNothing);
  pulse.on('exit', tellNothing);
  pulse.unref();
  setEnvironmentData(SHARED_NAME, shared);
}
