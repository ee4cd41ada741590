/**
 * For how long the machine was suspended since its boot: what Linux's `CLOCK_MONOTONIC`, and with it `performance.now()`, leaves out.
 * Added to it, it gives what `CLOCK_BOOTTIME` tells, for which Node has only `os.uptime()`: a file that is read (7 µs), in steps of 10 ms.
 *
 * That is asked only after a jump: a suspend moves the wall clock by as much as it lasts, against the monotonic one, so where the two are as
 * far apart as at the last look, there was none since.
 *
 * 1. They are as far apart as before → nothing to add to what is known.
 * 2. They jumped, and the boot clock with them → there was a suspend. It is known to all threads before the new distance is, so whoever
 *    finds nothing to look into adds what is known by then.
 * 3. They jumped, and the boot clock did not → somebody set the wall clock. Nothing changes but the distance.
 *
 * What is known only grows, so a clock that it is added to never runs backward. Threads share it. Each process measures the same total and rounds
 * it: two may differ by one `UNIT` where the rounding turns, and by up to `JUMP` of suspends that were too short to be seen by the older one.
 *
 * macOS and Windows count the time themselves. In a container whose `/proc/uptime` begins with the container (lxcfs) the boot clock seems to be
 * behind the monotonic one: there only what exceeds that is known.
 */
import { uptime } from 'node:os';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

const { hrtime } = process;

/**
 * The shared words (int32), in units of 100 ms:
 *
 * | word        | holds                                                               | written by           |
 * |-------------|---------------------------------------------------------------------|----------------------|
 * | `SUSPENDED` | for how long in all, since the boot                                 | `look`, only upward  |
 * | `DISTANCE`  | wall time minus monotonic time at the last look, modulo 2^32        | `look`, after it     |
 *
 * A thread that inherits none has its own.
 */
export const SUSPENDED = 0;
export const DISTANCE = 1;
/** Milliseconds. */
export const UNIT = 100;
/** More than this (units) is a jump. Less, and the clocks may have been slewed apart. */
export const JUMP = 5;
const SHARED_NAME = 'advanced-caching.suspension.1';
const SHARED_BYTES = 8;

/** By how much (units) two measurements of the same may differ. */
const ROUNDING = 1;
/** What `/proc/uptime` cuts off, half of it (milliseconds). */
const CUT_OFF = 5;
const READINGS = 4;

/** Whether there is anything to look into: elsewhere the monotonic clock goes on while the machine is suspended. */
export const standsStill: boolean = process.platform === 'linux';

const inherited: unknown = getEnvironmentData(SHARED_NAME);
const isInherited = inherited instanceof SharedArrayBuffer && inherited.byteLength === SHARED_BYTES;

const shared = isInherited ? inherited : new SharedArrayBuffer(SHARED_BYTES);

export const suspension: Int32Array = new Int32Array(shared);

if (standsStill && !isInherited) {
  suspension[SUSPENDED] = Math.max(0, measure());
  suspension[DISTANCE] = distance(running());
  setEnvironmentData(SHARED_NAME, shared);
}

/**
 * The clocks are compared once in a millisecond that this thread runs, so that a loop which reads the time doesn't pay for two. Before a suspend
 * and after it the kernel needs many, with all threads frozen: the first reading afterwards compares.
 */
const COMPARED_FOR = 1;
let comparedUntil = standsStill ? -Infinity : Infinity;

/** Milliseconds for which the machine was suspended since its boot. @param now milliseconds of `CLOCK_MONOTONIC` */
export function suspendedUntil(now: number): number {
  if (now > comparedUntil) {
    comparedUntil = now + COMPARED_FOR;
    const apart = distance(now);
    if (Math.abs((apart - Atomics.load(suspension, DISTANCE)) | 0) > JUMP) look(apart);
  }
  return Atomics.load(suspension, SUSPENDED) * UNIT;
}

function distance(now: number): number {
  return Math.round((Date.now() - now) / UNIT) | 0;
}

function look(apart: number): void {
  const total = measure();
  let known = Atomics.load(suspension, SUSPENDED);
  while (total > known + ROUNDING) {
    const found = Atomics.compareExchange(suspension, SUSPENDED, known, total);
    if (found === known) break;
    known = found;
  }
  Atomics.store(suspension, DISTANCE, apart);
}

/** A thread that is interrupted between the two readings would be wrong by that time: of a few, the pair that took least counts. */
function measure(): number {
  let narrowest = Infinity;
  let total = 0;
  try {
    for (let i = 0; i < READINGS; i++) {
      const before = running();
      const sinceBoot = uptime() * 1000;
      const width = running() - before;
      if (width >= narrowest) continue;
      narrowest = width;
      total = sinceBoot + CUT_OFF - before - width / 2;
    }
  } catch {
    // Nobody tells here: it is the monotonic clock alone, then.
  }
  return Math.round(total / UNIT);
}

function running(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
