import type { Clock } from '../core/clock.js';
import type { CacheStorage } from '../core/store.js';

/** Seconds: how long a process that died in a refresh keeps the others from theirs. */
const SHORTEST = 1;
const LONGEST = 60;

/**
 * One refresh per key in the fleet: whoever sets the lock's key in the shared store refreshes. The lock ends by itself, after the
 * stale window and a minute at the most; a load that takes longer may run twice, which does no harm. It is an economy, not a
 * guarantee: when the store can't lock, the refresh runs.
 */
export class RefreshLock {
  readonly #store: CacheStorage;
  readonly #clock: Clock;
  readonly #seconds: number;
  readonly #onFailure: (error: unknown) => void;

  constructor(store: CacheStorage, clock: Clock, stale: number, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#seconds = Math.min(Math.max(stale, SHORTEST), LONGEST);
    this.#onFailure = onFailure;
  }

  /** Answers how to release the lock, or `undefined` when another process has it. Never rejects. */
  async take(key: string): Promise<(() => Promise<void>) | undefined> {
    const name = `advanced-caching:refresh:${key}`;
    const taken = this.#clock.monotonic();
    try {
      if (!(await this.#store.setIfNotExists(name, 1, this.#seconds))) return undefined;
    } catch (error) {
      this.#onFailure(error);
      return async () => {};
    }
    return async () => {
      // Near its end the lock may already be another's: it is left to end by itself.
      if (this.#clock.monotonic() - taken > this.#seconds * 900) return;
      try {
        await this.#store.delete(name);
      } catch (error) {
        this.#onFailure(error);
      }
    };
  }
}
