import type { Clock } from '../core/clock.js';
import { TimeoutError } from '../core/errors.js';
import type { MetricsCollector } from '../core/metrics.js';
import { type OnError, report, toError } from '../core/report.js';
import { type CacheStorage, type OnFault, isSyncCacheStorage } from '../core/store.js';
import { errorTypeOf } from '../metrics/events.js';
import { isThenable } from '../concurrency/single-flight.js';
import type { Answer } from '../concurrency/answer.js';

/** What all tiers of a chain share. */
export interface TierContext {
  /** What metrics call the chain. */
  readonly name: string;
  readonly clock: Clock;
  /** Seconds that an asynchronous operation may take. */
  readonly timeout: number;
  readonly metrics: MetricsCollector | undefined;
  readonly onError: OnError | undefined;
}

/**
 * One level of a chain: a store whose failures are counted, reported and answered with a fallback.
 *
 * Without `onError` the warning comes once, and again only after the tier has worked in between: a tier that is down for an hour
 * must not write a line a call. With `onError` each error is told, but the same object in a row once: that is a circuit breaker which
 * refuses.
 */
export class Tier {
  readonly store: CacheStorage;
  /** Seconds: the longest life that an entry gets here. */
  readonly cap: number;
  readonly isSync: boolean;
  readonly #number: number;
  readonly #context: TierContext;
  #isFailing = false;
  #lastError: unknown;

  /** @param number counts from 1, for messages */
  constructor(store: CacheStorage, number: number, cap: number, context: TierContext) {
    this.store = store;
    this.cap = cap;
    this.isSync = isSyncCacheStorage(store);
    this.#number = number;
    this.#context = context;
  }

  /**
   * Asks the store; where it fails, or takes too long, the answer is `fallback`. Never throws, never rejects.
   *
   * @param onFault hears of the failure as well: the caller's, which need only count it
   */
  ask<T>(operation: string, run: (store: CacheStorage) => Answer<T>, fallback: T, onFault?: OnFault): Answer<T> {
    let answer: Answer<T>;
    try {
      answer = this.insist(operation, run);
    } catch (error) {
      this.failed(operation, error, onFault);
      return fallback;
    }
    if (this.isSync || !isThenable(answer)) {
      this.#isFailing = false;
      return answer;
    }
    return (answer as Promise<T>).then(
      (value) => {
        this.#isFailing = false;
        return value;
      },
      (error: unknown) => {
        this.failed(operation, error, onFault);
        return fallback;
      },
    );
  }

  /** `ask` without a fallback: the caller gets the store's error, or a TimeoutError. */
  insist<T>(operation: string, run: (store: CacheStorage) => Answer<T>): Answer<T> {
    const answer = run(this.store);
    const { clock, timeout } = this.#context;
    if (this.isSync || !isThenable(answer) || timeout === Infinity) return answer;
    return new Promise<T>((resolve, reject) => {
      const late = (): void => reject(new TimeoutError(`The ${operation} of ${this.#label} took longer than ${timeout} s`));
      const timer = clock.setTimer(late, timeout * 1000);
      Promise.resolve(answer).then(resolve, reject).finally(timer.cancel);
    });
  }

  /** What a read of this tier tells its findings to that are no entries; `next` is the caller's, which need only count them. */
  faults(next: OnFault | undefined): OnFault {
    return (error, isReported) => {
      this.#count('get', error);
      const { onError } = this.#context;
      if (!isReported) report(error, onError, `advanced-caching: ${this.#label} found what is no entry`);
      next?.(error, true);
    };
  }

  failed(operation: string, error: unknown, onFault?: OnFault): void {
    this.#count(operation, error);
    onFault?.(toError(error), true);
    const { onError } = this.#context;
    if ((onError && error !== this.#lastError) || !this.#isFailing)
      report(error, onError, `advanced-caching: ${this.#label} failed to ${operation}, and is passed over`);
    this.#isFailing = true;
    this.#lastError = error;
  }

  #count(operation: string, error: unknown): void {
    const { name, metrics } = this.#context;
    metrics?.recordError(name, { operation, errorType: errorTypeOf(error), metadata: { tier: this.#number } });
  }

  get #label(): string {
    return `tier ${this.#number} of ${this.#context.name} (${this.store.constructor.name})`;
  }
}
