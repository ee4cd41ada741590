import type { CacheEntry } from '../core/entry.js';
import type { MetricsCollector } from '../core/metrics.js';
import { refuse } from '../core/options.js';
import { report } from '../core/report.js';
import { type CacheStorage, type OnFault, type SyncCacheStorage, isCacheStorage, isSyncCacheStorage } from '../core/store.js';
import { checkMetrics } from '../metrics/guard.js';
import { Probe } from '../metrics/probe.js';
import { InMemCache } from './in-mem.js';

/** What a method of the wrapped store answers: a value at once, or a Promise of it. */
type Answer<S extends CacheStorage, M extends Exclude<keyof CacheStorage, 'getEntries'>> = ReturnType<S[M]>;
type Entries<S extends CacheStorage> = S extends SyncCacheStorage
  ? Map<string, CacheEntry>
  : Map<string, CacheEntry> | Promise<Map<string, CacheEntry>>;

/**
 * A store that counts what passes through it, under a name of its own: wrap each level of a chain to see each one's hit rate.
 * It is synchronous when the store is. Errors are counted and thrown on; what the store found and couldn't read is counted as an error
 * and as a miss.
 *
 * | operation | records |
 * |---|---|
 * | `get` `getEntry` | a hit or a miss, and the latency (of a synchronous store by sampling, where the collector has an option for that) |
 * | `getMany` `getEntries` | a hit or a miss a key, and one latency |
 * | `set` `setEntry` `setIfNotExists` (when it did set) | a set, and the latency |
 * | `setMany` | a set a key, and one latency |
 * | `delete` | a delete, and the latency |
 * | `exists` `clear` | the latency |
 * | a change of an `InMemCache` | how many entries it has; with `maxBytes` its bytes too |
 *
 * @example
 * const l1 = new InstrumentedStorage(new InMemCache(), metrics, 'L1:memory');
 */
export class InstrumentedStorage<S extends CacheStorage = CacheStorage> implements CacheStorage {
  readonly sync: S extends SyncCacheStorage ? true : false;
  /** There when the store has it. */
  readonly getEntries?: (keys: readonly string[], onFault?: OnFault) => Entries<S>;
  readonly #store: S;
  readonly #probe: Probe;
  readonly #name: string;

  /** @throws TypeError for a store, a collector or a name that isn't one */
  constructor(store: S, metrics: MetricsCollector, name: string) {
    if (!isCacheStorage(store)) refuse('store', 'a store (an object with every method of CacheStorage)', store);
    checkMetrics(metrics);
    if (typeof name !== 'string' || name === '') refuse('name', 'a non-empty string', name);
    this.#store = store;
    this.#probe = new Probe(metrics, name, undefined);
    this.#name = name;
    if (store.getEntries) {
      this.getEntries = (keys, onFault) => this.#many(keys, () => store.getEntries?.(keys, this.#counted(onFault))) as Entries<S>;
    }
    this.sync = isSyncCacheStorage(store) as S extends SyncCacheStorage ? true : false;
  }

  get(key: string, onFault?: OnFault): Answer<S, 'get'> {
    return this.#lookup(key, () => this.#store.get(key, this.#counted(onFault))) as Answer<S, 'get'>;
  }

  set(key: string, value: unknown, ttl: number): Answer<S, 'set'> {
    return this.#measure(
      'set',
      () => this.#store.set(key, value, ttl),
      () => this.#probe.set(key),
    ) as Answer<S, 'set'>;
  }

  delete(key: string): Answer<S, 'delete'> {
    return this.#measure(
      'delete',
      () => this.#store.delete(key),
      () => this.#probe.deleted(key),
    ) as Answer<S, 'delete'>;
  }

  exists(key: string): Answer<S, 'exists'> {
    return this.#measure('exists', () => this.#store.exists(key)) as Answer<S, 'exists'>;
  }

  getEntry(key: string, onFault?: OnFault): Answer<S, 'getEntry'> {
    return this.#lookup(key, () => this.#store.getEntry(key, this.#counted(onFault))) as Answer<S, 'getEntry'>;
  }

  setEntry(key: string, entry: CacheEntry, hold?: number): Answer<S, 'setEntry'> {
    const run = (): unknown => this.#store.setEntry(key, entry, hold);
    return this.#measure('set', run, () => this.#probe.set(key)) as Answer<S, 'setEntry'>;
  }

  setIfNotExists(key: string, value: unknown, ttl: number): Answer<S, 'setIfNotExists'> {
    const count = (isSet: unknown): void => {
      if (isSet === true) this.#probe.set(key);
    };
    return this.#measure('set', () => this.#store.setIfNotExists(key, value, ttl), count) as Answer<S, 'setIfNotExists'>;
  }

  getMany(keys: readonly string[], onFault?: OnFault): Answer<S, 'getMany'> {
    return this.#many(keys, () => this.#store.getMany(keys, this.#counted(onFault))) as Answer<S, 'getMany'>;
  }

  setMany(items: ReadonlyMap<string, unknown>, ttl: number): Answer<S, 'setMany'> {
    const count = (): void => {
      for (const key of items.keys()) this.#probe.set(key);
    };
    return this.#measure('set', () => this.#store.setMany(items, ttl), count) as Answer<S, 'setMany'>;
  }

  clear(): Answer<S, 'clear'> {
    return this.#measure('clear', () => this.#store.clear()) as Answer<S, 'clear'>;
  }

  #counted(onFault: OnFault | undefined): OnFault {
    return (error, isReported) => {
      this.#probe.error('get', error);
      if (onFault) onFault(error, isReported);
      else if (!isReported) report(error, undefined, `advanced-caching: the store ${this.#name} found what is no entry`);
    };
  }

  #lookup(key: string, run: () => unknown): unknown {
    const started = this.sync ? this.#probe.startLookup() : this.#probe.start();
    return this.#watch('get', run, (value) => {
      if (this.sync) this.#probe.lookedUp(started);
      else this.#probe.latency('get', started);
      this.#probe.count(key, value !== undefined);
    });
  }

  #many(keys: readonly string[], run: () => unknown): unknown {
    return this.#measure('get', run, (found) => {
      for (const key of keys) this.#probe.count(key, (found as Map<string, unknown>).has(key), true);
    });
  }

  #measure(operation: string, run: () => unknown, count: (answer: unknown) => void = () => {}): unknown {
    const started = this.#probe.start();
    return this.#watch(operation, run, (answer) => {
      this.#probe.latency(operation, started);
      count(answer);
      if (operation !== 'get' && this.#store instanceof InMemCache) {
        // Without a bound nothing is measured.
        this.#probe.memory(this.#store.bytes > 0 ? this.#store.bytes : undefined, this.#store.size);
      }
    });
  }

  #watch(operation: string, run: () => unknown, done: (answer: unknown) => void): unknown {
    const failed = (error: unknown): never => {
      this.#probe.error(operation, error);
      throw error;
    };
    let answer: unknown;
    try {
      answer = run();
    } catch (error) {
      return failed(error);
    }
    if (answer instanceof Promise) {
      return answer.then((value: unknown) => {
        done(value);
        return value;
      }, failed);
    }
    done(answer);
    return answer;
  }
}
