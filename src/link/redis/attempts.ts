/** Something that is tried for when there is a reason, one attempt at a time, and no reason is forgotten. */
import type { Clock, Timer } from '../../core/clock.js';

export class Attempts {
  readonly #clock: Clock;
  readonly #attempt: () => Promise<void>;
  #timer: Timer | undefined;
  #at = 0;
  #notBefore = 0;
  #isAgain = false;
  #running: Promise<void> | undefined;

  /** @param attempt never rejects */
  constructor(clock: Clock, attempt: () => Promise<void>) {
    this.#clock = clock;
    this.#attempt = attempt;
  }

  /** Resolves when the attempt under way is over. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /**
   * Tries after `delay` milliseconds at the latest: a later word never postpones an attempt, since what it is about may be older than the
   * reason for that one.
   */
  within(delay: number): void {
    const at = Math.max(this.#clock.monotonic() + delay, this.#notBefore);
    if (this.#timer && this.#at <= at) return;
    this.#timer?.cancel();
    this.#at = at;
    this.#timer = this.#clock.setTimer(
      () => {
        this.#timer = undefined;
        this.#begin();
      },
      Math.max(0, at - this.#clock.monotonic()),
    );
  }

  /** Not in the next so many milliseconds. */
  hold(ms: number): void {
    this.#notBefore = this.#clock.monotonic() + ms;
    this.cancel();
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #begin(): void {
    if (this.#running) {
      // Its answer may be from before there was this reason.
      this.#isAgain = true;
      return;
    }
    this.#running = this.#attempt().finally(() => {
      this.#running = undefined;
      if (this.#isAgain) this.within(0);
      this.#isAgain = false;
    });
  }
}
