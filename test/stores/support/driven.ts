import type { CacheEntry, CacheStorage } from '../../../dist/index.js';

/** What a driven store does with a call: as its store does, throw, reject, or never answer. */
export type Mode = 'well' | 'throws' | 'rejects' | 'hangs';

/**
 * A store whose faults are driven by the test, and which notes what it was asked. It is asynchronous: an answer comes when the test
 * lets it, or in the next microtask.
 */
export class Driven implements CacheStorage {
  /** `operation key` of every call, in order. */
  readonly calls: string[] = [];
  mode: Mode = 'well';
  /** While it is set, every answer waits for it. */
  gate: Promise<unknown> | undefined;
  readonly #store: CacheStorage;

  constructor(store: CacheStorage) {
    this.#store = store;
  }

  /** How many calls of an operation there were since the last `forget`. */
  count(operation: string): number {
    return this.calls.filter((call) => call.split(' ')[0] === operation).length;
  }

  forget(): void {
    this.calls.length = 0;
  }

  #run<T>(call: string, run: () => Promise<T> | T): Promise<T> {
    this.calls.push(call);
    if (this.mode === 'throws') throw new Error('driven: throws');
    if (this.mode === 'rejects') return Promise.reject(new Error('driven: rejects'));
    if (this.mode === 'hangs') return new Promise(() => {});
    return Promise.resolve(this.gate).then(run);
  }

  get = (key: string): Promise<unknown> => this.#run(`get ${key}`, () => this.#store.get(key));
  set = (key: string, value: unknown, ttl: number): Promise<void> => this.#run(`set ${key}`, () => this.#store.set(key, value, ttl));
  delete = (key: string): Promise<boolean> => this.#run(`delete ${key}`, () => this.#store.delete(key));
  exists = (key: string): Promise<boolean> => this.#run(`exists ${key}`, () => this.#store.exists(key));
  getEntry = (key: string): Promise<CacheEntry | undefined> => this.#run(`getEntry ${key}`, () => this.#store.getEntry(key));
  setEntry = (key: string, entry: CacheEntry, hold?: number): Promise<void> =>
    this.#run(`setEntry ${key}`, () => this.#store.setEntry(key, entry, hold));
  setIfNotExists = (key: string, value: unknown, ttl: number): Promise<boolean> =>
    this.#run(`setIfNotExists ${key}`, () => this.#store.setIfNotExists(key, value, ttl));
  getMany = (keys: readonly string[]): Promise<Map<string, unknown>> =>
    this.#run(`getMany ${keys.join()}`, () => this.#store.getMany(keys));
  setMany = (items: ReadonlyMap<string, unknown>, ttl: number): Promise<void> =>
    this.#run(`setMany ${[...items.keys()].join()}`, () => this.#store.setMany(items, ttl));
  clear = (): Promise<void> => this.#run('clear', () => this.#store.clear());
}
