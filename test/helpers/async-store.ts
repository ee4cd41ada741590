import type { CacheEntry, CacheStorage } from '../../dist/index.js';
import { InMemCache } from '../../dist/index.js';

/** An asynchronous store whose operations can be made to fail, and held back until released. */
export class AsyncStore implements CacheStorage {
  readonly inner: InMemCache;
  readonly calls: string[] = [];
  readonly failing = new Set<string>();
  /** Operations named here wait for `release`. */
  readonly held = new Set<string>();
  #release: (() => void)[] = [];

  constructor(inner: InMemCache = new InMemCache()) {
    this.inner = inner;
  }

  release(): void {
    this.held.clear();
    for (const go of this.#release.splice(0)) go();
  }

  async #run<T>(name: string, run: () => T): Promise<T> {
    this.calls.push(name);
    await Promise.resolve();
    if (this.held.has(name)) await new Promise<void>((resolve) => this.#release.push(resolve));
    if (this.failing.has(name)) throw new Error(`${name} is down`);
    return run();
  }

  get(key: string): Promise<unknown> {
    return this.#run('get', () => this.inner.get(key));
  }
  set(key: string, value: unknown, ttl: number): Promise<void> {
    return this.#run('set', () => this.inner.set(key, value, ttl));
  }
  delete(key: string): Promise<boolean> {
    return this.#run('delete', () => this.inner.delete(key));
  }
  exists(key: string): Promise<boolean> {
    return this.#run('exists', () => this.inner.exists(key));
  }
  getEntry(key: string): Promise<CacheEntry | undefined> {
    return this.#run('getEntry', () => this.inner.getEntry(key));
  }
  setEntry(key: string, entry: CacheEntry, hold?: number): Promise<void> {
    return this.#run('setEntry', () => this.inner.setEntry(key, entry, hold));
  }
  setIfNotExists(key: string, value: unknown, ttl: number): Promise<boolean> {
    return this.#run('setIfNotExists', () => this.inner.setIfNotExists(key, value, ttl));
  }
  getMany(keys: readonly string[]): Promise<Map<string, unknown>> {
    return this.#run('getMany', () => this.inner.getMany(keys));
  }
  setMany(items: ReadonlyMap<string, unknown>, ttl: number): Promise<void> {
    return this.#run('setMany', () => this.inner.setMany(items, ttl));
  }
  clear(): Promise<void> {
    return this.#run('clear', () => this.inner.clear());
  }
}
