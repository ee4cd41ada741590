import type { Clock, Timer } from '../core/clock.js';

/** A clock that stands still until it is told to go on. */
export interface FakeClock extends Clock {
  /** Lets `ms` milliseconds pass on both clocks; timers that fall due run on the way, in order, each at its own moment. */
  advance(ms: number): void;
  /** Makes the wall clock jump to `ms` (Unix time); no time passes, no timer runs. */
  setWall(ms: number): void;
  /** How many timers are set: 0 when a thing under test has left none behind. */
  readonly timers: number;
}

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * @param start the wall clock's beginning, Unix time in milliseconds; default 2024-01-01T00:00:00Z
 * @example
 * const clock = fakeClock();
 * const store = new InMemCache({ clock });
 * store.set('a', 1, 60);
 * clock.advance(60_000);
 * store.get('a'); // undefined
 */
export function fakeClock(start = 1_704_067_200_000): FakeClock {
  let wall = start;
  let monotonic = 1_000_000;
  let order = 0;
  const pending = new Set<Pending>();

  const pass = (ms: number): void => {
    wall += ms;
    monotonic += ms;
  };
  const nextBy = (end: number): Pending | undefined => {
    let next: Pending | undefined;
    for (const one of pending) {
      if (one.at <= end && (!next || one.at < next.at || (one.at === next.at && one.order < next.order))) next = one;
    }
    return next;
  };

  return {
    wall: () => wall,
    monotonic: () => monotonic,
    setTimer(callback, delay): Timer {
      const one: Pending = { at: monotonic + Math.max(delay, 0), order: order++, callback };
      pending.add(one);
      return { cancel: () => void pending.delete(one), ref() {}, unref() {} };
    },
    advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`Expected \`ms\` to be 0 or more, got ${ms}`);
      const end = monotonic + ms;
      for (let next = nextBy(end); next; next = nextBy(end)) {
        pending.delete(next);
        pass(next.at - monotonic);
        next.callback();
      }
      pass(end - monotonic);
    },
    setWall(ms) {
      wall = ms;
    },
    get timers() {
      return pending.size;
    },
  };
}
