import type { Node, Ring } from './node.js';

/**
 * Which keys have expired, without looking at the others: a hierarchical timing wheel (Varghese & Lauck, "Hashed and
 * Hierarchical Timing Wheels", SOSP '87; in the form of Caffeine's `TimerWheel`).
 *
 * Five wheels of buckets, each bucket of a wheel as wide as the whole wheel below it. A node hangs in the bucket of the moment
 * at which it goes; putting it there and taking it away is O(1). When a bucket's time has come its whole ring moves to `due`,
 * in O(1) too; `take()` then hands out the due nodes one by one, so that the caller decides how much work is done at once.
 * A due node whose own moment has not come (it hung in a wide bucket) goes back, into a narrower one.
 *
 * Moments are monotonic seconds. Nodes that never go (`Infinity`) are not in the wheel.
 */
const BUCKETS = [64, 64, 32, 4, 1] as const;
/** How many ticks a bucket of each wheel spans: about 1 s, 1 min, 1 h, 1.5 d, 6.2 d. */
const WIDTHS = [1, 64, 4096, 131_072, 524_288] as const;
const LAST = WIDTHS.length - 1;
/** Seconds. The narrowest bucket ends when its time is over; the wider ones are handed out when theirs begins. */
const TICK = 1.024;

export class TimerWheel {
  readonly #wheels: readonly (readonly Ring[])[] = BUCKETS.map((length) => Array.from({ length }, ring));
  readonly #due: Ring = ring();
  #now: number;
  #scheduled = 0;

  constructor(now: number) {
    this.#now = now;
  }

  /** How many nodes wait for their moment, due ones included. */
  get size(): number {
    return this.#scheduled;
  }

  /** Hangs a node up for its `heldUntil`, wherever it hung before. */
  schedule(node: Node): void {
    this.deschedule(node);
    if (node.heldUntil === Infinity) return;
    link(this.#bucket(node.heldUntil), node);
    this.#scheduled++;
  }

  deschedule(node: Node): void {
    if (node.next === undefined) return;
    unlink(node);
    this.#scheduled--;
  }

  /** Moves every bucket whose time has come to `due`. */
  advance(now: number): void {
    if (now <= this.#now) return;
    const before = Math.floor(this.#now / TICK);
    const after = Math.floor(now / TICK);
    this.#now = now;
    for (let level = 0; level <= LAST; level++) {
      const width = WIDTHS[level] as number;
      const from = Math.floor(before / width);
      const to = Math.floor(after / width);
      if (to === from) return;
      const buckets = this.#wheels[level] as readonly Ring[];
      const began = level === 0 ? 0 : 1;
      // A pause longer than the wheel hands each bucket out once.
      for (let at = Math.max(from, to - buckets.length); at < to; at++) {
        splice(this.#due, buckets[(at + began) % buckets.length] as Ring);
      }
    }
  }

  /** A node whose moment has come, or `undefined` when none is left among the due or `budget.steps` are used up. */
  take(budget: { steps: number }): Node | undefined {
    while (budget.steps > 0 && this.#due.next !== this.#due) {
      budget.steps--;
      const node = this.#due.next as Node;
      unlink(node);
      if (node.heldUntil <= this.#now) {
        this.#scheduled--;
        return node;
      }
      link(this.#bucket(node.heldUntil), node);
    }
    return undefined;
  }

  /** In how many seconds there will be something to do; `Infinity` when nothing waits. */
  get delay(): number {
    if (this.#scheduled === 0) return Infinity;
    if (this.#due.next !== this.#due) return 0;
    const tick = Math.floor(this.#now / TICK);
    let soonest = Infinity;
    for (let level = 0; level <= LAST; level++) {
      const width = WIDTHS[level] as number;
      const buckets = this.#wheels[level] as readonly Ring[];
      // The narrowest: from the present bucket's end on. The wider ones: from the next bucket's beginning on, which is the same tick.
      const began = level === 0 ? 0 : 1;
      const first = Math.floor(tick / width);
      for (let at = first; at < first + buckets.length; at++) {
        const bucket = buckets[(at + began) % buckets.length] as Ring;
        if (bucket.next === bucket) continue;
        soonest = Math.min(soonest, (at + 1) * width);
        break;
      }
    }
    return Math.max(soonest * TICK - this.#now, 0.001);
  }

  clear(): void {
    for (const buckets of this.#wheels) for (const bucket of buckets) close(bucket);
    close(this.#due);
    this.#scheduled = 0;
  }

  #bucket(moment: number): Ring {
    const present = Math.floor(this.#now / TICK);
    const tick = Math.max(Math.floor(moment / TICK), present);
    for (let level = 0; level < LAST; level++) {
      const width = WIDTHS[level] as number;
      const wheel = this.#wheels[level] as readonly Ring[];
      const at = Math.floor(tick / width);
      // Once around and no further: each bucket stands for one stretch of time.
      if (at - Math.floor(present / width) < wheel.length) return wheel[at % wheel.length] as Ring;
    }
    return (this.#wheels[LAST] as readonly Ring[])[0] as Ring;
  }
}

function ring(): Ring {
  const head: Ring = { next: undefined, previous: undefined };
  close(head);
  return head;
}

function close(head: Ring): void {
  head.next = head;
  head.previous = head;
}

function link(head: Ring, node: Ring): void {
  const last = head.previous as Ring;
  node.previous = last;
  node.next = head;
  last.next = node;
  head.previous = node;
}

function unlink(node: Ring): void {
  (node.previous as Ring).next = node.next;
  (node.next as Ring).previous = node.previous;
  node.next = undefined;
  node.previous = undefined;
}

/** Moves everything in `from` to the end of `to`. */
function splice(to: Ring, from: Ring): void {
  if (from.next === from) return;
  const first = from.next as Ring;
  const last = from.previous as Ring;
  const tail = to.previous as Ring;
  tail.next = first;
  first.previous = tail;
  last.next = to;
  to.previous = last;
  close(from);
}
