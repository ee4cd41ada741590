/** Tells the listeners of a keyed mirror what each version changed, off the path of the lookups (compare.ts says how). */
import { type OnError, report, toError } from '../core/report.js';
import type { Adoption } from './adoption.js';
import { compare, type Difference, makeShadow, updateShadow, type Work } from './compare.js';
import { packKey } from './key.js';
import { EXPIRED, readHash } from './lookup.js';
import type { KeyedReader } from './reader.js';
import type { Shadow, ValueHash } from './shadow.js';

/** What one version changed: keys, in no order. */
export interface KeyedChange {
  readonly version: number;
  /** The version that this is the difference to: the one told of before, 0 for nothing. */
  readonly from: number;
  readonly epoch: number;
  /** Unix time in seconds (fractional). */
  readonly createdAt: number;
  readonly added: readonly string[];
  /** Other bytes than before. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export interface FeedOptions<V> {
  readonly key: string;
  readonly reader: KeyedReader<V>;
  /** Calls back when there may be something new. Answers its off. */
  readonly watch: (onWake: () => void) => () => void;
  readonly onError: OnError | undefined;
}

type Listener = (change: KeyedChange) => void;
type KeyListener<V> = (value: V | undefined) => void;

interface Watched<V> {
  readonly listeners: Set<KeyListener<V>>;
  /** What was told last, or was there when it began, and under which seed; of values in which format. */
  hash: ValueHash;
  seed0: number;
  seed1: number;
  codec: string | undefined;
}

/** Milliseconds of work before the event loop has its turn; twice as many after each version that a faster writer took away. */
const SLICE = 1.5;
const LONGEST_SLICE = 100;
/** Keys that are looked at without a look at the clock. */
const KEYS_STEP = 64;

export class ChangeFeed<V> {
  readonly #options: FeedOptions<V>;
  readonly #listeners = new Set<Listener>();
  readonly #watched = new Map<string, Watched<V>>();
  readonly #hash = new Int32Array(2);
  /** The version that the listeners know, and the one that the keys were looked at in. */
  #told: Adoption | undefined;
  #looked: Adoption | undefined;
  #shadow: Shadow | undefined;
  #work: Work<void> | undefined;
  /** Something came while work was under way. */
  #again = false;
  #next: NodeJS.Timeout | undefined;
  #slice = SLICE;
  #unwatch: (() => void) | undefined;

  constructor(options: FeedOptions<V>) {
    this.#options = options;
  }

  /** @returns its off */
  onChange(listener: Listener): () => void {
    this.#watch();
    if (this.#listeners.size === 0) {
      this.#told = this.#options.reader.adopted();
      this.#shadow = undefined;
      this.#work = undefined;
    }
    // Its own, so that a function given twice is told twice and taken off once.
    const own: Listener = (change) => listener(change);
    this.#listeners.add(own);
    this.#wake();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#shadow = undefined;
      this.#unwatchUnlessUsed();
    };
  }

  /** @returns its off */
  onKey(key: string, listener: KeyListener<V>): () => void {
    // Of a text that can be no key there is never anything to tell.
    if (packKey(key) < 0) return () => {};
    this.#watch();
    let watched = this.#watched.get(key);
    if (!watched) {
      watched = { listeners: new Set(), hash: undefined, seed0: 0, seed1: 0, codec: undefined };
      let now = this.#options.reader.adopted();
      while (now && !this.#note(now, key, watched)) now = this.#options.reader.adopted();
      this.#watched.set(key, watched);
    }
    const { listeners } = watched;
    const own: KeyListener<V> = (value) => listener(value);
    listeners.add(own);
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#watched.get(key)?.listeners === listeners) this.#watched.delete(key);
      this.#unwatchUnlessUsed();
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#watched.clear();
    this.#shadow = undefined;
    this.#unwatchUnlessUsed();
  }

  #watch(): void {
    // Before anything is looked at: a publication between the two would be told by nobody.
    this.#unwatch ??= this.#options.watch(() => this.#wake());
  }

  #unwatchUnlessUsed(): void {
    if (this.#listeners.size > 0 || this.#watched.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#work = undefined;
    this.#told = this.#looked = undefined;
    clearTimeout(this.#next);
    this.#next = undefined;
  }

  #wake(): void {
    // Work under way may have looked already.
    if (this.#work) this.#again = true;
    else this.#work = this.#run();
    if (this.#next === undefined) this.#pump();
  }

  #pump(): void {
    this.#next = undefined;
    const end = performance.now() + this.#slice;
    while (this.#work) {
      const work = this.#work;
      let done: boolean | undefined = true;
      try {
        ({ done } = work.next());
      } catch (error) {
        // The snapshot is broken: the next one is waited for.
        report(toError(error), this.#options.onError, `the changes of '${this.#options.key}'`);
      }
      if (done && this.#work === work) {
        this.#work = this.#again ? this.#run() : undefined;
        this.#again = false;
      }
      if (this.#work && performance.now() > end) {
        // A timer: an immediate that keeps no process alive waits until something else wakes the event loop.
        this.#next = setTimeout(() => this.#pump(), 1).unref();
        return;
      }
    }
  }

  *#run(): Work<void> {
    for (;;) {
      const now = this.#options.reader.adopted();
      if (now === undefined) return;
      if (this.#watched.size > 0 && now !== this.#looked && !(yield* this.#tellKeys(now))) continue;
      if (this.#listeners.size === 0) return;
      if (this.#told && isSame(now, this.#told)) {
        if (this.#shadow) return;
        const shadow = yield* makeShadow(now);
        if (shadow === EXPIRED) continue;
        this.#shadow = shadow;
        return;
      }
      const difference = yield* compare(now, this.#told, this.#shadow);
      if (difference === EXPIRED) {
        this.#slice = Math.min(this.#slice * 2, LONGEST_SLICE);
        continue;
      }
      this.#slice = SLICE;
      this.#told = now;
      const shadow = this.#shadow;
      // Not up to date from here on, until it is.
      this.#shadow = undefined;
      this.#tell(now, difference);
      if (shadow && difference.updates) {
        yield* updateShadow(shadow, difference.updates);
        if (!shadow.isSpent) this.#shadow = shadow;
      }
    }
  }

  #tell({ number: version, meta }: Adoption, { from, added, changed, removed }: Difference): void {
    if (added.length + changed.length + removed.length === 0) return;
    const change: KeyedChange = { version, from, epoch: meta.epoch, createdAt: meta.createdAt / 1000, added, changed, removed };
    for (const listener of Array.from(this.#listeners)) this.#guard('onChange', () => listener(change));
  }

  /** Whether it came through all keys before the version was overwritten. */
  *#tellKeys(now: Adoption): Work<boolean> {
    const view = this.#options.reader.viewOf(now);
    let looked = 0;
    for (const [key, watched] of Array.from(this.#watched)) {
      const isOther = this.#isOther(now, key, watched);
      if (isOther === EXPIRED) return false;
      if (isOther) {
        let value: V | undefined;
        try {
          value = view.get(key);
        } catch {
          return false;
        }
        if (!this.#note(now, key, watched)) return false;
        for (const listener of Array.from(watched.listeners)) this.#guard('onKey', () => listener(value));
      }
      if (++looked % KEYS_STEP === 0) yield;
    }
    this.#looked = now;
    return true;
  }

  /** Whether a key has something else than what was noted. */
  #isOther(now: Adoption, key: string, { hash, seed0, seed1, codec }: Watched<V>): boolean | typeof EXPIRED {
    const isThere = readHash(now, packKey(key), seed0, seed1, this.#hash);
    if (isThere === EXPIRED) return EXPIRED;
    if (!isThere || !hash) return isThere || hash !== undefined;
    return codec !== now.packed.codec || hash[0] !== this.#hash[0] || hash[1] !== this.#hash[1];
  }

  /** Notes what a key has; answers whether the version is still there. */
  #note(now: Adoption, key: string, watched: Watched<V>): boolean {
    const { seed0, seed1, codec } = now.packed;
    const isThere = readHash(now, packKey(key), seed0, seed1, this.#hash);
    if (isThere === EXPIRED) return false;
    watched.hash = isThere ? [this.#hash[0] as number, this.#hash[1] as number] : undefined;
    watched.seed0 = seed0;
    watched.seed1 = seed1;
    watched.codec = codec;
    return true;
  }

  #guard(what: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      report(error, this.#options.onError, `an \`${what}\` of '${this.#options.key}'`);
    }
  }
}

/** Two adoptions of one version may be out of two rings. */
function isSame(one: Adoption, other: Adoption): boolean {
  return one.number === other.number;
}
