/**
 * A circuit breaker: stops asking a store that keeps failing, so that a dead one costs microseconds a call and not a deadline.
 *
 * | state   | what it means                          | a call          | becomes                                                      |
 * |---------|----------------------------------------|-----------------|--------------------------------------------------------------|
 * | closed  | it works, or has failed only now       | goes through    | open after `failures` failures with no success between them   |
 * | open    | it keeps failing, the cooldown runs    | is refused      | probing at the first call after the cooldown                 |
 * | probing | the cooldown is over, one call is out  | is refused      | closed if that call succeeds, open (for twice as long) if not |
 *
 * Any success closes it, also one of a call that began before it opened: it shows that the store lives.
 */
import type { Clock } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';

/** How often the cooldown doubles at most: from 1 s to 8 s. */
const DOUBLINGS = 3;

/** What `enter` gives a call that may go through; it is handed back with the call's result. */
export type Pass = 'call' | 'probe';

export interface BreakerOptions {
  /** What the store is called in the message. */
  readonly store: string;
  /** So many failures in a row open it. */
  readonly failures: number;
  /** Milliseconds for which it stays open the first time. */
  readonly cooldown: number;
  readonly clock: Clock;
}

export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #opened = 0;
  #until = 0;
  #isProbing = false;
  #refusal: StoreError | undefined;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  get state(): 'closed' | 'open' | 'probing' {
    if (!this.#refusal) return 'closed';
    return this.#isProbing ? 'probing' : 'open';
  }

  /** A pass, or the error to refuse the call with: the same object as long as it stays open, so that it needs reporting once. */
  enter(): Pass | StoreError {
    if (!this.#refusal) return 'call';
    if (this.#isProbing || this.#options.clock.monotonic() < this.#until) return this.#refusal;
    this.#isProbing = true;
    return 'probe';
  }

  succeeded(): void {
    this.#failures = 0;
    if (!this.#refusal) return;
    this.#refusal = undefined;
    this.#isProbing = false;
    this.#opened = 0;
  }

  failed(pass: Pass, error: Error): void {
    // A call that began before it opened tells nothing new.
    if (this.#refusal && pass === 'call') return;
    this.#failures++;
    if (pass === 'probe' || this.#failures >= this.#options.failures) this.#open(error);
  }

  #open(cause: Error): void {
    const { store, cooldown, clock } = this.#options;
    const wait = cooldown * 2 ** Math.min(this.#opened++, DOUBLINGS);
    this.#isProbing = false;
    this.#until = clock.monotonic() + wait;
    this.#refusal ??= new StoreError(
      `${store} failed ${this.#failures} times in a row and is not asked for a while (last: ${cause.name})`,
      {
        cause,
      },
    );
  }
}
