import type { CacheStorage } from '../core/store.js';

/**
 * Which loads are under way for a store, in all functions that share it: an invalidation through one of them must reach the loads
 * of the others, or what they load comes back as if it had never been invalidated. A function is listed only while something of
 * its own is in the air, so a function that is dropped leaves nothing behind.
 */
export interface Traffic {
  /** What is in the air for `key` must not be stored, and nobody joins it any more. */
  forget(key: string): void;
  forgetAll(): void;
  /** A write of `key` to the store that has begun and not ended. */
  writing(key: string): Promise<unknown> | undefined;
}

const listed = new WeakMap<CacheStorage, Set<Traffic>>();

/** The list of one function: `begin` and `end` come in pairs. */
export class Airborne {
  readonly #store: CacheStorage;
  readonly #traffic: Traffic;
  #count = 0;

  constructor(store: CacheStorage, traffic: Traffic) {
    this.#store = store;
    this.#traffic = traffic;
  }

  begin(): void {
    if (this.#count++ > 0) return;
    let all = listed.get(this.#store);
    if (!all) listed.set(this.#store, (all = new Set()));
    all.add(this.#traffic);
  }

  end(): void {
    if (--this.#count === 0) listed.get(this.#store)?.delete(this.#traffic);
  }
}

/** Call it before the store's `delete`. Answers the writes that were begun before: delete after them. */
export function forgetLoads(store: CacheStorage, key: string): Promise<unknown>[] {
  const writes: Promise<unknown>[] = [];
  for (const traffic of listed.get(store) ?? []) {
    const write = traffic.writing(key);
    if (write) writes.push(write);
    traffic.forget(key);
  }
  return writes;
}

export function forgetAllLoads(store: CacheStorage): void {
  for (const traffic of listed.get(store) ?? []) traffic.forgetAll();
}
