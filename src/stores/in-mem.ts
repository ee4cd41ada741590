import { type Clock, systemClock } from '../core/clock.js';
import { toSeconds } from '../core/duration.js';
import type { CacheEntry } from '../core/entry.js';
import { checkCount, checkStoreKey, checkOptions, refuse } from '../core/options.js';
import type { SyncCacheStorage } from '../core/store.js';
import { NodeTable } from './node-table.js';

/** For `cache()`: the nodes of a store that behaves as `InMemCache` does, so not of a subclass or of an instance with a method of its own. */
export let tableOf: (store: unknown) => NodeTable | undefined;

export interface InMemCacheOptions {
  /** At most this many keys; past it the ones that are not read go first. Default: no bound. */
  readonly maxEntries?: number;
  /** At most about this many bytes of keys and values, by the estimate of `size-of.ts`. Default: no bound, nothing is measured. */
  readonly maxBytes?: number;
  /** For tests: `fakeClock()` of `advanced-caching/testing`. Default: the system's. */
  readonly clock?: Clock;
}

/**
 * A store in this thread's memory. Synchronous; values are kept as they are, not copied: what `get` answers is the object that
 * was set, so treat it as immutable.
 *
 * Costs: about 300 bytes a key besides the key and the value. Unbounded unless you bound it; with a bound, keys go by SIEVE. Expired
 * keys are dropped about a second after their time, a few at each write and the rest from a timer that never keeps a process alive.
 * A value that alone is larger than `maxBytes` is not kept. Ages are measured on the monotonic clock: a jump of the wall clock
 * changes nothing, and the time for which the machine is suspended counts.
 *
 * @example
 * const store = new InMemCache({ maxEntries: 10_000 });
 * store.set('user:42', { name: 'Ada' }, 60);
 * store.get('user:42'); // { name: 'Ada' }
 */
export class InMemCache implements SyncCacheStorage {
  readonly sync = true as const;
  readonly #table: NodeTable;

  /** @throws RangeError for a bound that isn't a whole number of 1 or more, TypeError for an unknown option */
  constructor(options: InMemCacheOptions = {}) {
    checkOptions('InMemCache', options, ['maxEntries', 'maxBytes', 'clock']);
    const { maxEntries, maxBytes, clock = systemClock } = options;
    if (maxEntries !== Infinity) checkCount('maxEntries', maxEntries);
    if (maxBytes !== Infinity) checkCount('maxBytes', maxBytes);
    if (typeof clock?.monotonic !== 'function') refuse('clock', 'a Clock', clock);
    this.#table = new NodeTable({ maxEntries: maxEntries ?? Infinity, maxBytes: maxBytes ?? Infinity }, clock);
  }

  /** How many keys are held: fresh, stale, or expired and not dropped yet. */
  get size(): number {
    return this.#table.nodes.size;
  }

  /** About how many bytes are held; 0 without `maxBytes`, since nothing is measured then. */
  get bytes(): number {
    return this.#table.bytes;
  }

  get(key: string): unknown {
    const node = this.#table.nodes.get(key);
    // What is in the table was checked when it came; only a miss may be a bad key.
    if (node === undefined) {
      checkStoreKey(key);
      return undefined;
    }
    if (!this.#table.isFresh(node)) return undefined;
    node.visited = 1;
    return node.value;
  }

  set(key: string, value: unknown, ttl: number): void {
    checkStoreKey(key);
    const seconds = toSeconds(ttl, 'ttl');
    const wall = this.#table.wall();
    this.#table.put(key, value, seconds, seconds, wall + seconds, wall);
  }

  delete(key: string): boolean {
    checkStoreKey(key);
    const held = this.#table.held(key) !== undefined;
    const node = this.#table.nodes.get(key);
    if (node) this.#table.remove(node);
    return held;
  }

  exists(key: string): boolean {
    checkStoreKey(key);
    const node = this.#table.nodes.get(key);
    return node !== undefined && this.#table.isFresh(node);
  }

  getEntry(key: string): CacheEntry | undefined {
    checkStoreKey(key);
    const node = this.#table.held(key);
    if (node === undefined) return undefined;
    node.visited = 1;
    return this.#table.entryOf(node);
  }

  /** @throws TypeError for an entry whose moments aren't numbers, RangeError for a `hold` that isn't a duration */
  setEntry(key: string, entry: CacheEntry, hold = 0): void {
    checkStoreKey(key);
    const { value, freshUntil, createdAt } = entry;
    if (typeof freshUntil !== 'number' || Number.isNaN(freshUntil)) refuse('entry.freshUntil', 'a Unix time in seconds', freshUntil);
    if (typeof createdAt !== 'number' || Number.isNaN(createdAt)) refuse('entry.createdAt', 'a Unix time in seconds', createdAt);
    const freshFor = freshUntil - this.#table.wall();
    this.#table.put(key, value, freshFor, freshFor + toSeconds(hold, 'hold'), freshUntil, createdAt);
  }

  setIfNotExists(key: string, value: unknown, ttl: number): boolean {
    toSeconds(ttl, 'ttl');
    if (this.exists(key)) return false;
    this.set(key, value, ttl);
    return true;
  }

  getMany(keys: readonly string[]): Map<string, unknown> {
    const found = new Map<string, unknown>();
    for (const key of keys) {
      checkStoreKey(key);
      const node = this.#table.nodes.get(key);
      if (node === undefined || !this.#table.isFresh(node)) continue;
      node.visited = 1;
      found.set(key, node.value);
    }
    return found;
  }

  setMany(items: ReadonlyMap<string, unknown>, ttl: number): void {
    toSeconds(ttl, 'ttl');
    for (const key of items.keys()) checkStoreKey(key);
    for (const [key, value] of items) this.set(key, value, ttl);
  }

  clear(): void {
    this.#table.clear();
  }

  static {
    tableOf = (store) => {
      if (typeof store !== 'object' || store === null || !(#table in store)) return undefined;
      if (Object.getPrototypeOf(store) !== InMemCache.prototype) return undefined;
      return Object.keys(store).every((name) => name === 'sync') ? store.#table : undefined;
    };
  }
}
