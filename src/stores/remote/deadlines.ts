import type { Clock, Timer } from '../../core/clock.js';

/**
 * One operation under way, and its place in the queue of its deadline. A linked list and not a `Set`: at a hundred thousand operations a second
 * the tables that a `Set` leaves behind were most of what an operation cost.
 */
export abstract class Call {
  due = 0;
  previous: Call | undefined;
  next: Call | undefined;
  #controller: AbortController | undefined;

  /** Aborted at the deadline. Made when it is asked for: most clients can't be told. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** Its time is over, and it isn't in the queue any more. */
  abstract expire(): void;

  protected abort(reason: Error): void {
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
  readonly ms: number;
  readonly #clock: Clock;
  #first: Call | undefined;
  #last: Call | undefined;
  #timer: Timer | undefined;
  #isGrace = false;

  constructor(ms: number, clock: Clock) {
    this.ms = ms;
    this.#clock = clock;
  }

  start(call: Call): void {
    call.due = this.#clock.monotonic() + this.ms;
    const last = this.#last;
    this.#last = call;
    if (last) {
      last.next = call;
      call.previous = last;
      return;
    }
    this.#first = call;
    // The timer keeps a process alive only while something is awaited.
    if (this.#timer) this.#timer.ref();
    else if (this.ms !== Infinity) this.#arm(this.ms);
  }

  /** Answers whether the call was still within its time. */
  end(call: Call): boolean {
    const { previous, next } = call;
    if (!previous && this.#first !== call) return false;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    call.previous = call.next = undefined;
    if (!this.#first) this.#timer?.unref();
    return true;
  }

  #arm(ms: number): void {
    const due = this.#clock.monotonic() + ms;
    this.#timer = this.#clock.setTimer(() => {
      const late = this.#clock.monotonic() - due;
      this.#isGrace = late > BUSY && !this.#isGrace && this.#first !== undefined;
      if (this.#isGrace) this.#arm(Math.min(late, this.ms));
      else setImmediate(() => this.#expireDue());
    }, ms);
  }

  #expireDue(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (let call = this.#first; call; call = this.#first) {
      if (call.due > now) {
        this.#arm(call.due - now);
        return;
      }
      this.end(call);
      call.expire();
    }
  }
}
