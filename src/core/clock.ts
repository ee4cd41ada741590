import { suspendedUntil } from './suspension.js';

/** Time as an argument, timers included: logic gets a clock, tests pass a fake one (`advanced-caching/testing`). */
export interface Clock {
  /** Wall time: Unix time in milliseconds. May jump. For moments that other processes or people read. */
  wall(): number;
  /**
   * Milliseconds on a clock that nobody sets, common to all threads and processes of the host since its boot. For differences. The time
   * for which the machine is suspended counts.
   */
  monotonic(): number;
  /** A timer. `delay` may be any number of milliseconds: long ones are chained, and end in time after a suspend of the machine. */
  setTimer(callback: () => void, delay: number): Timer;
}

export interface Timer {
  cancel(): void;
  ref(): void;
  unref(): void;
}

/**
 * Node's timers stand still while the machine is suspended, so a longer one is asked for in steps of this: what was due meanwhile comes at most so
 * late after it. Each step costs some 10 µs, a millionth of it, and steps of one length share one of Node's lists.
 */
export const TIMER_STEP = 15_000;

const READINGS = 8;

/**
 * `performance.now()` starts at 0 in each thread, on the clock that `process.hrtime` reads; it is the faster way to it. A thread that is
 * interrupted between the two readings would be wrong by that time for all its life: of a few, the pair that took least counts.
 */
const origin = ((): number => {
  let narrowest = Infinity;
  let start = 0;
  for (let i = 0; i < READINGS; i++) {
    const before = performance.now();
    const [seconds, nanoseconds] = process.hrtime();
    const width = performance.now() - before;
    if (width >= narrowest) continue;
    narrowest = width;
    start = seconds * 1000 + nanoseconds / 1e6 - before - width / 2;
  }
  return start;
})();

/** Milliseconds since the host's boot, the same on all its threads and processes, those included for which it was suspended. 50-70 ns. */
export function monotonic(): number {
  const now = origin + performance.now();
  return now + suspendedUntil(now);
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic,
  setTimer(callback, delay) {
    const due = monotonic() + delay;
    let keepAlive = true;
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      // The lesser of the two: fake timers move `setTimeout`, and not always `performance.now()`.
      const next = (): void => arm(Math.min(left - TIMER_STEP, due - monotonic()));
      handle = left > TIMER_STEP ? setTimeout(next, TIMER_STEP) : setTimeout(callback, Math.max(left, 0));
      if (!keepAlive) handle.unref();
    };
    arm(delay);
    return {
      cancel: () => {
        // Node keeps an empty list for each duration of a timer that is cleared while it is unref'd, until that time has passed:
        // with jitter every duration is another one.
        handle.ref();
        clearTimeout(handle);
      },
      ref: () => {
        keepAlive = true;
        handle.ref();
      },
      unref: () => {
        keepAlive = false;
        handle.unref();
      },
    };
  },
};
