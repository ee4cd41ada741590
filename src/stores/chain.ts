/**
 * Stores in a row, the fastest first. What each operation does:
 *
 * | operation | tiers |
 * |---|---|
 * | `get` `getEntry` `exists` | one after the other, until one has it fresh; then the faster ones get a copy ("backfill") |
 * | `getMany` | each is asked only for what the faster ones lack |
 * | `set` `setEntry` `setMany` `delete` `clear` | all of them, at the same time |
 * | `setIfNotExists` | the deepest one decides; if it did set, the others follow |
 *
 * 1. A copy never outlives its original: it takes the original's `createdAt` and at most its `freshUntil`, and is not held past that.
 * 2. A copy never undoes a change made through this chain. A change forgets the lookups of its key that are under way, and while it
 *    (or a copy) is being written its key has a tail in `#tails`: no copy is written then, and the next change waits. So the
 *    tiers see the changes of one key in one order.
 * 3. Concurrent misses of a key in the first tier share one lookup of the others, and so one backfill.
 * 4. Whatever a tier fails to do is counted and reported, and the tier passed over. So is what it found and couldn't read. Of a read, the `onFault` of
 *    its caller hears too: that one's own counts have it as well.
 */
import type { Clock } from '../core/clock.js';
import { toSeconds } from '../core/duration.js';
import type { CacheEntry } from '../core/entry.js';
import { checkStoreKey, refuse } from '../core/options.js';
import { type CacheStorage, type OnFault, type SyncCacheStorage, isCacheStorage } from '../core/store.js';
import { type Answer, allOf, andThen } from '../concurrency/answer.js';
import { type Flight, SingleFlight } from '../concurrency/single-flight.js';
import { type ChainOptions, chainSettings } from './chain-options.js';
import { Tails } from './tails.js';
import { Tier } from './tier.js';

/** At once if all tiers `S` answer at once; else a Promise, or a value that a synchronous tier had. */
type AnswerOf<S extends CacheStorage, T> = [S] extends [SyncCacheStorage] ? T : T | Promise<T>;

interface Found {
  readonly entry: CacheEntry;
  readonly level: number;
}

/**
 * Stores in a row, the fastest first: see the head of this file for what each operation does. Synchronous when all of its tiers are;
 * else what the first tier has in memory still comes without a Promise.
 *
 * @example
 * const store = ChainCache.build(new InMemCache({ maxEntries: 10_000 }), new RedisCache(redis, { prefix: 'v1:' }), { ttls: ['1m', '1h'] });
 * const getItem = cache('1h', { key: 'item:{id}', store })(async (id: number) => db.items.find(id));
 */
export class ChainCache<S extends CacheStorage = CacheStorage> implements CacheStorage {
  /** Whether every tier answers at once, and so this chain. */
  readonly sync: [S] extends [SyncCacheStorage] ? true : false;
  /** The stores, the fastest first. */
  readonly tiers: readonly S[];
  readonly #tiers: readonly Tier[];
  readonly #first: Tier;
  readonly #deepest: Tier;
  readonly #clock: Clock;
  readonly #lookups = new SingleFlight<string, CacheEntry | undefined>();
  readonly #tails = new Tails();

  /** `ChainCache.build` with the tiers in an array. */
  constructor(tiers: readonly S[], options: ChainOptions = {}) {
    const { caps, ...context } = chainSettings(tiers, options);
    this.tiers = [...tiers];
    this.#tiers = tiers.map((store, level) => new Tier(store, level + 1, caps[level] as number, context));
    this.#first = this.#tiers[0] as Tier;
    this.#deepest = this.#tiers.at(-1) as Tier;
    this.#clock = context.clock;
    this.sync = this.#tiers.every(({ isSync }) => isSync) as [S] extends [SyncCacheStorage] ? true : false;
  }

  /**
   * A chain of two or more stores (one will do), the fastest first.
   *
   * @throws TypeError for what isn't a store or an option, RangeError for a ttl that isn't a duration above 0, or not one a tier
   */
  static build<const T extends readonly [CacheStorage, ...CacheStorage[]]>(...tiers: T): ChainCache<T[number]>;
  static build<const T extends readonly [CacheStorage, ...CacheStorage[]]>(
    ...tiersAndOptions: [...tiers: T, options: ChainOptions]
  ): ChainCache<T[number]>;
  static build(...given: readonly unknown[]): ChainCache {
    const last = given.at(-1);
    const hasOptions = given.length > 1 && typeof last === 'object' && last !== null && !isCacheStorage(last);
    const tiers = (hasOptions ? given.slice(0, -1) : given) as readonly CacheStorage[];
    return new ChainCache(tiers, hasOptions ? (last as ChainOptions) : {});
  }

  get(key: string, onFault?: OnFault): AnswerOf<S, unknown> {
    const first = this.#first;
    if (first.isSync) {
      // A hit in memory costs nothing but itself: no Promise, no flight, no check of a key that is in the table.
      let value: unknown;
      try {
        value = first.store.get(key);
      } catch (error) {
        checkStoreKey(key);
        first.failed('get', error, onFault);
      }
      if (value !== undefined) return value as AnswerOf<S, unknown>;
    }
    checkStoreKey(key);
    const answer = first.isSync
      ? undefined
      : first.ask<unknown>('get', (store) => store.get(key, first.faults(onFault)), undefined, onFault);
    return andThen(answer, (value) => {
      if (value !== undefined) return value;
      return andThen(this.#lookup(key, onFault), (entry) => (entry && this.#isFresh(entry) ? entry.value : undefined));
    }) as AnswerOf<S, unknown>;
  }

  getEntry(key: string, onFault?: OnFault): AnswerOf<S, CacheEntry | undefined> {
    checkStoreKey(key);
    return andThen(
      this.#first.ask('get', (store) => store.getEntry(key, this.#first.faults(onFault)), undefined, onFault),
      (mine) => (mine && this.#isFresh(mine) ? mine : andThen(this.#lookup(key, onFault), (other) => fresher(mine, other))),
    ) as AnswerOf<S, CacheEntry | undefined>;
  }

  exists(key: string): AnswerOf<S, boolean> {
    checkStoreKey(key);
    const from = (level: number): Answer<boolean> => {
      const tier = this.#tiers[level];
      if (!tier) return false;
      return andThen(
        tier.ask('exists', (store) => store.exists(key), false),
        (is) => is || from(level + 1),
      );
    };
    return from(0) as AnswerOf<S, boolean>;
  }

  getMany(keys: readonly string[], onFault?: OnFault): AnswerOf<S, Map<string, unknown>> {
    for (const key of keys) checkStoreKey(key);
    return andThen(
      this.#first.ask('get', (store) => store.getMany(keys, this.#first.faults(onFault)), new Map<string, unknown>(), onFault),
      (mine) => {
        const missing = [...new Set(keys)].filter((key) => !mine.has(key));
        if (missing.length === 0 || this.#tiers.length === 1) return mine;
        return andThen(this.#lookupMany(missing, onFault), (others) => {
          const found = new Map<string, unknown>();
          for (const key of keys) {
            const other = others.get(key);
            if (mine.has(key)) found.set(key, mine.get(key));
            else if (other && this.#isFresh(other)) found.set(key, other.value);
          }
          return found;
        });
      },
    ) as AnswerOf<S, Map<string, unknown>>;
  }

  set(key: string, value: unknown, ttl: number): AnswerOf<S, void> {
    checkStoreKey(key);
    const seconds = toSeconds(ttl, 'ttl');
    return this.#change([key], () => this.#all('set', (store, cap) => store.set(key, value, Math.min(seconds, cap)))) as AnswerOf<S, void>;
  }

  setMany(items: ReadonlyMap<string, unknown>, ttl: number): AnswerOf<S, void> {
    const seconds = toSeconds(ttl, 'ttl');
    const keys = [...items.keys()];
    for (const key of keys) checkStoreKey(key);
    return this.#change(keys, () => this.#all('set', (store, cap) => store.setMany(items, Math.min(seconds, cap)))) as AnswerOf<S, void>;
  }

  /** @throws TypeError for an entry whose moments aren't numbers, RangeError for a `hold` that isn't a duration */
  setEntry(key: string, entry: CacheEntry, hold = 0): AnswerOf<S, void> {
    checkStoreKey(key);
    for (const moment of ['freshUntil', 'createdAt'] as const) {
      if (typeof entry[moment] !== 'number' || Number.isNaN(entry[moment]))
        refuse(`entry.${moment}`, 'a Unix time in seconds', entry[moment]);
    }
    const seconds = toSeconds(hold, 'hold');
    return this.#change([key], () => this.#all('set', (store, cap) => store.setEntry(key, this.#capped(entry, cap), seconds))) as AnswerOf<
      S,
      void
    >;
  }

  /**
   * @throws what the deepest tier throws (a Promise rejects with it): no other tier can say whether a key that several processes share
   * is taken
   */
  setIfNotExists(key: string, value: unknown, ttl: number): AnswerOf<S, boolean> {
    checkStoreKey(key);
    const seconds = Math.min(toSeconds(ttl, 'ttl'), this.#deepest.cap);
    return this.#change([key], () => {
      const createdAt = this.#now();
      const entry = { value, freshUntil: createdAt + seconds, createdAt };
      const decided = this.#deepest.insist('setIfNotExists', (store) => store.setIfNotExists(key, value, seconds));
      return andThen(decided, (isSet) => isSet && andThen(this.#copy(key, entry, this.#tiers.length - 1), () => true));
    }) as AnswerOf<S, boolean>;
  }

  /** Answers whether any tier had it. A tier that can't be reached keeps it: that is reported, and the key may come back from there. */
  delete(key: string): AnswerOf<S, boolean> {
    checkStoreKey(key);
    const answers = (): Answer<boolean> =>
      andThen(allOf(this.#tiers.map((tier) => tier.ask('delete', (store) => store.delete(key), false))), (had) => had.includes(true));
    return this.#change([key], answers) as AnswerOf<S, boolean>;
  }

  clear(): AnswerOf<S, void> {
    this.#lookups.forgetAll();
    return this.#tails.all(
      () => this.#all('clear', (store) => store.clear()),
      () => this.#lookups.forgetAll(),
    ) as AnswerOf<S, void>;
  }

  #now(): number {
    return this.#clock.wall() / 1000;
  }

  #isFresh(entry: CacheEntry): boolean {
    return this.#now() < entry.freshUntil;
  }

  #capped(entry: CacheEntry, cap: number): CacheEntry {
    const { value, freshUntil, createdAt } = entry;
    return { value, freshUntil: Math.min(freshUntil, this.#now() + cap), createdAt };
  }

  #change<T>(keys: readonly string[], write: () => Answer<T>): Answer<T> {
    const forget = (): void => {
      for (const key of keys) this.#lookups.forget(key);
    };
    forget();
    return this.#tails.after(keys, write, forget);
  }

  #all(operation: string, write: (store: CacheStorage, cap: number) => Answer<void>): Answer<void> {
    const writes = this.#tiers.map((tier) => tier.ask(operation, (store) => write(store, tier.cap), undefined));
    return andThen(allOf(writes), () => {});
  }

  /** The best entry of a key in the tiers below the first: a fresh one, else the one that was fresh last. */
  #lookup(key: string, onFault: OnFault | undefined): Answer<CacheEntry | undefined> {
    if (this.#tiers.length === 1) return undefined;
    return this.#lookups.run(key, (flight) =>
      andThen(this.#search([key], 1, new Map(), onFault), (found) => this.#landed(key, found, flight)),
    );
  }

  #lookupMany(keys: readonly string[], onFault: OnFault | undefined): Answer<Map<string, CacheEntry>> {
    const own = keys.filter((key) => !this.#lookups.joinable(key));
    const search = own.length === 0 ? new Map<string, Found>() : this.#search(own, 1, new Map(), onFault);
    const answers = keys.map((key) =>
      andThen(
        this.#lookups.run(key, (flight) => andThen(search, (found) => this.#landed(key, found, flight))),
        (entry) => [key, entry] as const,
      ),
    );
    return andThen(allOf(answers), (pairs) => new Map(pairs.filter((pair): pair is [string, CacheEntry] => pair[1] !== undefined)));
  }

  #landed(key: string, found: ReadonlyMap<string, Found>, flight: Flight<CacheEntry | undefined>): CacheEntry | undefined {
    const one = found.get(key);
    if (one && flight.current && !this.#tails.has(key) && this.#isFresh(one.entry)) {
      // Nobody waits for it: a tier that is slow to take a copy must not make the answer late.
      void this.#tails.after([key], () => this.#copy(key, one.entry, one.level));
    }
    return one?.entry;
  }

  /** Puts copies of an entry of the tier `level` into the ones above. */
  #copy(key: string, entry: CacheEntry, level: number): Answer<void> {
    const copies = this.#tiers
      .slice(0, level)
      .map((tier) => tier.ask('set', (store) => store.setEntry(key, this.#capped(entry, tier.cap)), undefined));
    return andThen(allOf(copies), () => {});
  }

  /** Asks the tiers from `level` on, each for the keys that no tier before had fresh. */
  #search(keys: readonly string[], level: number, found: Map<string, Found>, onFault: OnFault | undefined): Answer<Map<string, Found>> {
    const tier = this.#tiers[level];
    if (!tier || keys.length === 0) return found;
    return andThen(
      tier.ask('get', (store) => entriesOf(store, keys, tier.faults(onFault)), undefined, onFault),
      (entries) => {
        for (const [key, entry] of entries ?? []) {
          const known = found.get(key);
          if (fresher(known?.entry, entry) === entry) found.set(key, { entry, level });
        }
        const missing = keys.filter((key) => {
          const one = found.get(key);
          return !one || !this.#isFresh(one.entry);
        });
        return this.#search(missing, level + 1, found, onFault);
      },
    );
  }
}

/** The entries of a store: one question where it has a method for that. */
function entriesOf(store: CacheStorage, keys: readonly string[], onFault: OnFault): Answer<Iterable<readonly [string, CacheEntry]>> {
  if (keys.length > 1 && store.getEntries) return store.getEntries(keys, onFault);
  const answers = keys.map((key) => store.getEntry(key, onFault));
  return andThen(allOf(answers), (entries) =>
    entries.flatMap((entry, i) => (entry === undefined ? [] : [[keys[i] as string, entry] as const])),
  );
}

function fresher(a: CacheEntry | undefined, b: CacheEntry | undefined): CacheEntry | undefined {
  if (!a || !b) return a ?? b;
  return b.freshUntil > a.freshUntil ? b : a;
}
