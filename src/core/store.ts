import type { CacheEntry } from './entry.js';

/**
 * Told of something found under a key that is no entry (corrupt, foreign, too large), where the answer is that of an absent key; and by a store of
 * several tiers, of one that failed and was passed over.
 * `isReported`: somebody has heard of it, so that it is only to be counted; otherwise whoever passed the listener reports it.
 */
export type OnFault = (error: Error, isReported: boolean) => void;

/**
 * Where cached values are kept. Durations are seconds. `undefined` means absent; to cache `undefined` itself, go through
 * entries: an entry whose `value` is `undefined` is present.
 *
 * A store that can find something unreadable takes an `onFault`; one that wraps other stores hands it on; the others ignore it.
 * Without one the store reports such a thing itself.
 *
 * `advanced-caching/testing` exports the behavioural suite that every store must pass.
 */
export interface CacheStorage {
  /** The value, while it is fresh. */
  get(key: string, onFault?: OnFault): Promise<unknown> | unknown;
  /** Keeps `value` for `ttl` seconds (0 or more, `Infinity` for ever). */
  set(key: string, value: unknown, ttl: number): Promise<void> | void;
  /** Answers whether there was something to delete. */
  delete(key: string): Promise<boolean> | boolean;
  /** Whether `get` would answer a value. */
  exists(key: string): Promise<boolean> | boolean;
  /** The entry, as long as it is held: fresh or stale. */
  getEntry(key: string, onFault?: OnFault): Promise<CacheEntry | undefined> | CacheEntry | undefined;
  /**
   * Keeps an entry. `hold` says for how many seconds after `entry.freshUntil` it must still be held (a stale window);
   * default 0.
   */
  setEntry(key: string, entry: CacheEntry, hold?: number): Promise<void> | void;
  /** `set`, unless the key holds a fresh value; answers whether it was set. Atomic in every store that several processes share. */
  setIfNotExists(key: string, value: unknown, ttl: number): Promise<boolean> | boolean;
  /** The fresh values among `keys`; absent ones are left out. */
  getMany(keys: readonly string[], onFault?: OnFault): Promise<Map<string, unknown>> | Map<string, unknown>;
  setMany(items: ReadonlyMap<string, unknown>, ttl: number): Promise<void> | void;
  /**
   * Optional: the entries among `keys`, stale ones too, in fewer round trips than `getEntry` for each. A `ChainCache` asks it for what
   * its faster tiers lack.
   */
  getEntries?(keys: readonly string[], onFault?: OnFault): Promise<Map<string, CacheEntry>> | Map<string, CacheEntry>;
  /** Deletes all that is this store's. */
  clear(): Promise<void> | void;
}

/** A store that answers at once. With one, `cache()` keeps a synchronous function synchronous. */
export interface SyncCacheStorage extends CacheStorage {
  /** Tells the two kinds apart at run time and in types. */
  readonly sync: true;
  get(key: string): unknown;
  set(key: string, value: unknown, ttl: number): void;
  delete(key: string): boolean;
  exists(key: string): boolean;
  getEntry(key: string): CacheEntry | undefined;
  setEntry(key: string, entry: CacheEntry, hold?: number): void;
  setIfNotExists(key: string, value: unknown, ttl: number): boolean;
  getMany(keys: readonly string[]): Map<string, unknown>;
  setMany(items: ReadonlyMap<string, unknown>, ttl: number): void;
  getEntries?(keys: readonly string[]): Map<string, CacheEntry>;
  clear(): void;
}

const METHODS = [
  'get',
  'set',
  'delete',
  'exists',
  'getEntry',
  'setEntry',
  'setIfNotExists',
  'getMany',
  'setMany',
  'clear',
] as const satisfies readonly (keyof CacheStorage)[];

/** Whether `x` has every method of a store. */
export function isCacheStorage(x: unknown): x is CacheStorage {
  return typeof x === 'object' && x !== null && METHODS.every((method) => typeof (x as Record<string, unknown>)[method] === 'function');
}

export function isSyncCacheStorage(x: unknown): x is SyncCacheStorage {
  return isCacheStorage(x) && (x as { sync?: unknown }).sync === true;
}

/** What an option called `store` takes: an instance, a class, or a factory; the last two make one store each. */
export type StoreOption<S extends CacheStorage = CacheStorage> = S | (new () => S) | (() => S);
