import type { Clock } from '../../dist/core/clock.js';

export interface FakeClock extends Clock {
  /** Lets time pass: fires what falls due, in order, each followed by all that it sets off. */
  advance(ms: number): Promise<void>;
  /** Lets time pass with a blocked event loop: nothing fires until the next `advance`. */
  block(ms: number): void;
  jumpWall(ms: number): void;
  /** The timers that are set: in how many milliseconds, and whether they keep the process alive. */
  timers(): { in: number; ref: boolean }[];
}

interface FakeTimer {
  at: number;
  id: number;
  ref: boolean;
  callback: () => void;
}

/** All microtasks, and those that they make, have run when a macrotask starts. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function fakeClock(): FakeClock {
  let now = 1000;
  let wall = Date.UTC(2026, 0, 1);
  let ids = 0;
  const timers = new Set<FakeTimer>();
  const pass = (to: number): void => {
    wall += to - now;
    now = to;
  };
  const next = (): FakeTimer | undefined => [...timers].sort((a, b) => a.at - b.at || a.id - b.id)[0];
  return {
    wall: () => wall,
    monotonic: () => now,
    setTimer(callback, delay) {
      const timer = { at: now + Math.max(0, delay), id: (ids += 1), ref: true, callback };
      timers.add(timer);
      return {
        cancel: () => void timers.delete(timer),
        ref: () => void (timer.ref = true),
        unref: () => void (timer.ref = false),
      };
    },
    async advance(ms) {
      const end = now + ms;
      await settle();
      for (let timer = next(); timer && timer.at <= end; timer = next()) {
        timers.delete(timer);
        pass(Math.max(now, timer.at));
        timer.callback();
        await settle();
      }
      pass(Math.max(now, end));
    },
    block: (ms) => pass(now + ms),
    jumpWall: (ms) => void (wall += ms),
    timers: () => [...timers].map((timer) => ({ in: timer.at - now, ref: timer.ref })),
  };
}
