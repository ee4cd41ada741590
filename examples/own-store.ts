// A store of one's own, a Map whose expired entries are looked at when they are read, held to the rules that every store keeps.
//   node --import=tsx examples/own-store.ts
import { type CacheEntry, type SyncCacheStorage, cache } from 'advanced-caching';
import { storeContract } from 'advanced-caching/testing';

interface Held extends CacheEntry {
  /** Unix time in seconds: the end of the stale window. */
  readonly heldUntil: number;
}

class MapStore implements SyncCacheStorage {
  readonly sync = true as const;
  readonly #map = new Map<string, Held>();

  get(key: string): unknown {
    const entry = this.getEntry(key);
    return entry && now() < entry.freshUntil ? entry.value : undefined;
  }

  set(key: string, value: unknown, ttl: number): void {
    const createdAt = now();
    this.setEntry(key, { value, createdAt, freshUntil: createdAt + seconds(ttl) });
  }

  delete(key: string): boolean {
    const was = this.getEntry(key) !== undefined;
    this.#map.delete(key);
    return was;
  }

  exists(key: string): boolean {
    const entry = this.getEntry(key);
    return entry !== undefined && now() < entry.freshUntil;
  }

  getEntry(key: string): CacheEntry | undefined {
    const held = this.#map.get(checked(key));
    if (!held) return undefined;
    const { heldUntil, ...entry } = held;
    if (now() < heldUntil) return entry;
    this.#map.delete(key);
    return undefined;
  }

  setEntry(key: string, { value, createdAt, freshUntil }: CacheEntry, hold = 0): void {
    this.#map.set(checked(key), { value, createdAt, freshUntil, heldUntil: freshUntil + seconds(hold) });
  }

  setIfNotExists(key: string, value: unknown, ttl: number): boolean {
    seconds(ttl);
    if (this.exists(key)) return false;
    this.set(key, value, ttl);
    return true;
  }

  getMany(keys: readonly string[]): Map<string, unknown> {
    const found = new Map<string, unknown>();
    for (const key of keys) if (this.exists(key)) found.set(key, this.get(key));
    return found;
  }

  setMany(items: ReadonlyMap<string, unknown>, ttl: number): void {
    seconds(ttl);
    for (const [key, value] of items) this.set(key, value, ttl);
  }

  clear(): void {
    this.#map.clear();
  }
}

const now = (): number => Date.now() / 1000;

function seconds(ttl: number): number {
  if (!(ttl >= 0)) throw new RangeError(`Expected a ttl of 0 or more seconds, got ${ttl}`);
  return ttl;
}

function checked(key: string): string {
  if (typeof key !== 'string' || !key.isWellFormed()) throw new TypeError('Expected a key to be a well-formed string');
  if (key === '' || Buffer.byteLength(key) > 65_536) throw new RangeError('Expected a key to have 1 to 65,536 bytes');
  return key;
}

let failed = 0;
const rules = storeContract(() => new MapStore());
for (const { name, run } of rules) {
  try {
    await run();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok  ${name}: ${(error as Error).message}`);
  }
}
console.log(`${rules.length} rules, ${failed} broken`);
process.exitCode = failed;

// In use. The store is synchronous, so the function stays synchronous.
const square = cache('1m', { key: 'square:{}', store: MapStore })((n: number) => n * n);
console.log(`square(12) = ${square(12)}, and again ${square(12)}`);
