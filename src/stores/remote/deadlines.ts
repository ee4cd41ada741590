import type { Clock, Timer } from '../../core/clock.js';

/** One operation under way. */
export class Call {
  readonly due: number;
  readonly #expire: (call: Call) => void;
  #controller: AbortController | undefined;

  constructor(due: number, expire: (call: Call) => void) {
    this.due = due;
    this.#expire = expire;
  }

  /** Aborted at the deadline. Made when it is asked for: most clients can't be told. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  expire(): void {
    this.#expire(this);
  }

  abort(reason: Error): void {
    this.#controller?.abort(reason);
  }
}

/** Milliseconds by which a timer is late at least when this thread was busy. */
const BUSY = 20;

/**
 * Deadlines of one length, for many operations at a time: a queue and one timer for its head, since a timer for each operation would
 * cost as much as a fast operation does.
 *
 * The time for which this thread was busy doesn't count, up to the deadline's length: the answers that arrived meanwhile are read first. An
 * operation expires one turn of the event loop after its time, for the same reason.
 */
export class Deadlines {
  readonly #ms: number;
  readonly #clock: Clock;
  readonly #pending = new Set<Call>();
  #timer: Timer | undefined;
  #isGrace = false;

  constructor(ms: number, clock: Clock) {
    this.#ms = ms;
    this.#clock = clock;
  }

  start(expire: (call: Call) => void): Call {
    const call = new Call(this.#clock.monotonic() + this.#ms, expire);
    // The timer keeps a process alive only while something is awaited.
    if (this.#pending.size === 0) this.#timer?.ref();
    this.#pending.add(call);
    if (!this.#timer && this.#ms !== Infinity) this.#arm(this.#ms);
    return call;
  }

  /** Answers whether the call was still within its time. */
  end(call: Call): boolean {
    const isInTime = this.#pending.delete(call);
    if (this.#pending.size === 0) this.#timer?.unref();
    return isInTime;
  }

  #arm(ms: number): void {
    const due = this.#clock.monotonic() + ms;
    this.#timer = this.#clock.setTimer(() => {
      const late = this.#clock.monotonic() - due;
      this.#isGrace = late > BUSY && !this.#isGrace && this.#pending.size > 0;
      if (this.#isGrace) this.#arm(Math.min(late, this.#ms));
      else setImmediate(() => this.#expireDue());
    }, ms);
  }

  #expireDue(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const call of this.#pending) {
      if (call.due > now) {
        this.#arm(call.due - now);
        return;
      }
      this.#pending.delete(call);
      call.expire();
    }
  }
}
