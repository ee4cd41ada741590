/**
 * Single flight: concurrent calls of one key share one load (Go's `golang.org/x/sync/singleflight`).
 *
 * 1. A flight is removed only by its own landing or by `forget`; a landing removes nothing that isn't its own, so a flight
 *    begun after a `forget` can't be lost to the one before it.
 * 2. A landed flight is not kept, whether it resolved or rejected: a rejection goes to all who joined, and to nobody later.
 */

/** One load under way. */
export interface Flight<T> {
  /** False once the key was forgotten: what this flight brings must not be kept. */
  readonly current: boolean;
  /** What those who join wait for; `undefined` while the load hasn't returned yet (it calls itself, or is synchronous). */
  readonly promise: Promise<T> | undefined;
}

interface Mutable<T> {
  current: boolean;
  promise: Promise<T> | undefined;
}

export class SingleFlight<K, T> {
  readonly #flights = new Map<K, Mutable<T>>();

  /** How many keys have a flight in the air. */
  get size(): number {
    return this.#flights.size;
  }

  /** The Promise to join, if a load of this key is under way. */
  joinable(key: K): Promise<T> | undefined {
    return this.#flights.get(key)?.promise;
  }

  /**
   * Joins the flight of this key, or starts one. A `load` that answers a Promise (any thenable) makes a flight that others
   * can join; one that answers a value lands at once, and the value is returned as it is.
   *
   * @throws what a synchronous `load` throws
   */
  run(key: K, load: (flight: Flight<T>) => T | PromiseLike<T>): T | Promise<T> {
    const other = this.#flights.get(key);
    if (other?.promise) return other.promise;
    const mine: Mutable<T> = { current: true, promise: undefined };
    this.#flights.set(key, mine);
    let result: T | PromiseLike<T>;
    try {
      result = load(mine);
    } catch (error) {
      this.#land(key, mine);
      throw error;
    }
    if (!isThenable(result)) {
      this.#land(key, mine);
      return result;
    }
    mine.promise = Promise.resolve(result).then(
      (value) => {
        this.#land(key, mine);
        return value;
      },
      (error: unknown) => {
        this.#land(key, mine);
        throw error;
      },
    );
    return mine.promise;
  }

  /** From now on nobody joins the flight of this key, and it knows that it is no longer `current`. */
  forget(key: K): void {
    const flight = this.#flights.get(key);
    if (!flight) return;
    flight.current = false;
    this.#flights.delete(key);
  }

  forgetAll(): void {
    for (const flight of this.#flights.values()) flight.current = false;
    this.#flights.clear();
  }

  #land(key: K, mine: Mutable<T>): void {
    if (this.#flights.get(key) === mine) this.#flights.delete(key);
  }
}

export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
