/** Time as an argument, timers included: logic gets a clock, tests pass a fake one (`advanced-caching/testing`). */
export interface Clock {
  /** Wall time: Unix time in milliseconds. May jump. For moments that other processes or people read. */
  wall(): number;
  /** Milliseconds on a clock that never jumps, common to all threads and processes of the host since its boot. For differences. */
  monotonic(): number;
  /** A timer. `delay` may be any number of milliseconds: long ones are chained. */
  setTimer(callback: () => void, delay: number): Timer;
}

export interface Timer {
  cancel(): void;
  ref(): void;
  unref(): void;
}

/** Past this a Node timer fires at once. */
const MAX_DELAY = 0x7fffffff;

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

/** Milliseconds since the host's boot, the same on all its threads and processes, never jumping. 45-60 ns. */
export function monotonic(): number {
  return origin + performance.now();
}

export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic,
  setTimer(callback, delay) {
    let left = delay;
    let keepAlive = true;
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const step = Math.min(Math.max(left, 0), MAX_DELAY);
      left -= step;
      handle = setTimeout(() => (left > 0 ? arm() : callback()), step);
      if (!keepAlive) handle.unref();
    };
    arm();
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
