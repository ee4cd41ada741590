import { Sieve, type Queued } from '../stores/sieve.js';

export interface MemoLimits {
  /** 0: nothing is kept. */
  readonly maxEntries: number;
  /** Bytes of the records as they are encoded, and 100 for each: about half of what they take when they are decoded. */
  readonly maxBytes: number;
}

const ENTRY_BYTES = 100;
/**
 * What survives collections makes V8 double the young generation, which ends up larger than the memo itself. So few wait here, and of more
 * records than there is room for only so many stay that were asked for once: 16 and a quarter save 8 MB a thread on Node 24 against 128 and
 * all (native-bench/keyed.js, a million records).
 */
const HALL_PLACES = 16;
const ROOM_AT_ONCE = 1 / 4;
const MOST_GUESTS = 2 ** 20;

/** A decoded value, and the hash of the bytes that it was made of. */
export class Remembered<V> implements Queued<Remembered<V>> {
  readonly key: string;
  readonly value: V;
  readonly valueBytes: number;
  hashLow = 0;
  hashHigh = 0;
  seed0 = 0;
  seed1 = 0;
  /** The version in which the key was last seen to have these bytes. */
  checked: number;
  visited: 0 | 1 = 0;
  newer: Remembered<V> | undefined = undefined;
  older: Remembered<V> | undefined = undefined;

  constructor(key: string, value: V, valueBytes: number, checked: number) {
    this.key = key;
    this.value = value;
    this.valueBytes = valueBytes;
    this.checked = checked;
  }
}

/**
 * What a thread has decoded, within bounds. Once the room for those that move in at once is taken, a value is kept in the hall first, whose
 * places the next ones take over: that costs next to nothing, where an entry of a `Map` that goes again costs more than the lookup itself.
 * It moves in when its key is asked for again, as long as the guest book has its hash (Yang et al., "FIFO queues are all you need for cache
 * eviction", SOSP '23, has a queue of such ghosts). Then SIEVE says what goes.
 */
export class Memo<V> {
  /** Those that moved in: a hit is a look in here, and `visited = 1`. */
  readonly entries: Map<string, Remembered<V>> = new Map();
  /** How many times `entries` has changed. */
  moves = 0;
  readonly #limits: MemoLimits;
  readonly #sieve = new Sieve<Remembered<V>>();
  readonly #hall: (Remembered<V> | undefined)[];
  readonly #mask: number;
  /** Hashes of keys that were in the hall; one place a hash. */
  readonly #guests: Int32Array;
  /** A linear congruential generator (Numerical Recipes): its sign is as good as a coin. */
  #dice = 1;
  #atOnce: MemoLimits;
  #waiting = 0;
  #bytes = 0;

  constructor(limits: MemoLimits) {
    this.#limits = limits;
    this.#atOnce = limits;
    const { maxEntries } = limits;
    this.#mask = Math.min(HALL_PLACES, powerOfTwo(maxEntries / 8)) - 1;
    this.#hall = Array.from({ length: this.#mask + 1 }, () => undefined);
    this.#guests = new Int32Array(Math.min(MOST_GUESTS, powerOfTwo(maxEntries * 2)));
  }

  /** What there is to be asked for: if all of it has room, all stays from the first time on. @param bytes of keys and values, and what is stored with them */
  expect(records: number, bytes: number): void {
    const { maxEntries, maxBytes } = this.#limits;
    const part = records <= maxEntries && records * ENTRY_BYTES + bytes <= maxBytes ? 1 : ROOM_AT_ONCE;
    this.#atOnce = { maxEntries: maxEntries * part, maxBytes: maxBytes * part };
  }

  get size(): number {
    return this.entries.size + this.#waiting;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What is known of a key that isn't in `entries`. @param hash of the key, the same each time while the snapshots' seed is */
  waiting(key: string, hash: number): Remembered<V> | undefined {
    const waiting = this.#hall[hash & this.#mask];
    return waiting?.key === key ? waiting : undefined;
  }

  /** Keeps what was asked for. @param known what `entries` has of its key, maybe itself */
  keep(entry: Remembered<V>, hash: number, known: Remembered<V> | undefined): void {
    if (known === entry) {
      entry.visited = 1;
      return;
    }
    const { maxEntries, maxBytes } = this.#limits;
    const isAtOnce = this.size < this.#atOnce.maxEntries && this.#bytes + costOf(entry) <= this.#atOnce.maxBytes;
    const place = hash & this.#mask;
    const waiting = this.#hall[place];
    if (waiting) this.#leave(place, waiting);
    if (known) this.#moveOut(known);
    if (maxEntries === 0 || costOf(entry) > maxBytes) return;
    if (isAtOnce || known || waiting === entry || this.#isGuest(hash)) {
      this.#moveIn(entry);
    } else {
      this.#hall[place] = entry;
      this.#waiting++;
      this.#bytes += costOf(entry);
    }
    this.#bound(entry);
  }

  /** All that wait move in: their places are under another seed from now on. */
  settle(): void {
    for (let place = 0; place <= this.#mask; place++) {
      const waiting = this.#hall[place];
      if (!waiting) continue;
      this.#leave(place, waiting);
      this.#moveIn(waiting);
    }
  }

  /** The key has no record any more. */
  forget(key: string, hash: number): void {
    const entry = this.entries.get(key);
    if (entry) this.#moveOut(entry);
    const place = hash & this.#mask;
    const waiting = this.#hall[place];
    if (waiting?.key === key) this.#leave(place, waiting);
  }

  clear(): void {
    this.moves++;
    this.entries.clear();
    this.#sieve.clear();
    this.#hall.fill(undefined);
    this.#waiting = 0;
    this.#bytes = 0;
  }

  #bound(newest: Remembered<V>): void {
    const { maxEntries, maxBytes } = this.#limits;
    while (this.size > maxEntries || this.#bytes > maxBytes) {
      const victim = this.#sieve.victim(newest);
      if (victim === undefined) break;
      this.#moveOut(victim);
    }
    for (let place = 0; this.#bytes > maxBytes && place <= this.#mask; place++) {
      const waiting = this.#hall[place];
      if (waiting && waiting !== newest) this.#leave(place, waiting);
    }
  }

  /** Whether a hash is in the book. If not it is written there, in every other case over another one's. */
  #isGuest(hash: number): boolean {
    // Other bits than those of its place in the hall: two keys that share one don't share the other.
    const page = (hash >>> 12) & (this.#guests.length - 1);
    if (this.#guests[page] === hash) return true;
    // Not each time: keys that share a page and are asked for in turn would write over one another for ever, and none would move in.
    this.#dice = (Math.imul(this.#dice, 1_664_525) + 1_013_904_223) | 0;
    if (this.#dice < 0 || this.#guests[page] === 0) this.#guests[page] = hash;
    return false;
  }

  #moveIn(entry: Remembered<V>): void {
    this.moves++;
    this.entries.set(entry.key, entry);
    this.#sieve.add(entry);
    this.#bytes += costOf(entry);
  }

  #moveOut(entry: Remembered<V>): void {
    this.moves++;
    this.entries.delete(entry.key);
    this.#sieve.remove(entry);
    this.#bytes -= costOf(entry);
  }

  #leave(place: number, entry: Remembered<V>): void {
    this.#hall[place] = undefined;
    this.#waiting--;
    this.#bytes -= costOf(entry);
  }
}

function costOf({ key, valueBytes }: Remembered<unknown>): number {
  return ENTRY_BYTES + 2 * key.length + valueBytes;
}

/** The largest one up to `most`, 1 at least. */
function powerOfTwo(most: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, most)));
}
