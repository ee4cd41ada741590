import { coarseTick, exactNow, lastTick, NEVER } from '../core/coarse-clock.js';
import type { Clock, Timer } from '../core/clock.js';
import { systemClock } from '../core/clock.js';
import type { CacheEntry } from '../core/entry.js';
import { Node, kill } from './node.js';
import { Sieve } from './sieve.js';
import { sizeOf } from './size-of.js';
import { TimerWheel } from './timer-wheel.js';

/** What a node costs besides its key and its value, for `maxBytes`: the node, its place in the Map, its numbers. */
const NODE_BYTES = 300;
/** How many expired keys one write drops on the way, and one run of the timer. */
const STEPS_OF_A_WRITE = 4;
const STEPS_OF_A_TIMER = 2000;
/** Seconds by which an expired key may wait for the timer: about the width of the wheel's narrowest bucket. */
const TIMER_LAG = 1.1;
/** A wall clock that moved against the monotonic one by more than this (seconds) has jumped, not drifted. */
const JUMP = 1;

export interface Bounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** Something that remembers nodes, and lets go of the dead ones when told. */
export interface NodeMemo {
  /** `live`: how many nodes the table holds. */
  trim(live: number): void;
}

/**
 * The nodes of an `InMemCache`: a Map for the keys, a SIEVE queue for the bounds, a timer wheel for the expiry.
 *
 * Time: a node lives on the monotonic clock, so that a jump of the wall clock neither expires everything at once nor keeps
 * anything for longer. What goes in and out (`CacheEntry`) is in wall time; it is converted at this door.
 */
export class NodeTable {
  /** Read by `cache()` and by `InMemCache`; written only here. */
  readonly nodes: Map<string, Node> = new Map();
  readonly clock: Clock;
  /** Whether the coarse clock may decide: it ticks in real time, under another clock it says nothing. */
  readonly isSystem: boolean;
  readonly #bounds: Bounds;
  readonly #bounded: boolean;
  readonly #sieve = new Sieve<Node>();
  readonly #wheel: TimerWheel;
  readonly #memos = new Set<WeakRef<NodeMemo>>();
  #bytes = 0;
  #timer: Timer | undefined;
  #timerAt = Infinity;

  constructor(bounds: Bounds, clock: Clock) {
    this.clock = clock;
    this.isSystem = clock === systemClock;
    this.#bounds = bounds;
    this.#bounded = bounds.maxEntries !== Infinity || bounds.maxBytes !== Infinity;
    this.#wheel = new TimerWheel(this.now());
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Monotonic seconds, exact. */
  now(): number {
    return this.isSystem ? exactNow() : this.clock.monotonic() / 1000;
  }

  /** Unix seconds. */
  wall(): number {
    return this.clock.wall() / 1000;
  }

  isFresh(node: Node): boolean {
    return (coarseTick[0] as number) < node.hotUntil || this.now() < node.freshUntil;
  }

  /** The node, as long as it is held: fresh or stale. */
  held(key: string): Node | undefined {
    const node = this.nodes.get(key);
    return node !== undefined && (this.isFresh(node) || this.now() < node.heldUntil) ? node : undefined;
  }

  /**
   * Keeps a value. `freshFor` and `heldFor` are seconds from now; a value that would not be held at all removes the key.
   * Answers the node, or `undefined` when nothing is kept (it is over, or alone larger than `maxBytes`).
   */
  put(key: string, value: unknown, freshFor: number, heldFor: number, wallFreshUntil: number, createdAt: number): Node | undefined {
    const now = this.now();
    this.#wheel.advance(now);
    this.#drop(STEPS_OF_A_WRITE);
    let node = this.nodes.get(key);
    const bytes = this.#bounds.maxBytes === Infinity ? 0 : NODE_BYTES + 2 * key.length + sizeOf(value);
    if (!(heldFor > 0) || bytes > this.#bounds.maxBytes) {
      if (node) this.remove(node);
      return undefined;
    }
    if (node === undefined) {
      node = new Node(key);
      this.nodes.set(key, node);
      if (this.#bounded) this.#sieve.add(node);
    }
    node.value = value;
    node.promise = undefined;
    node.freshUntil = now + freshFor;
    node.heldUntil = now + heldFor;
    node.hotUntil = this.isSystem ? lastTick(node.freshUntil) : NEVER;
    node.wallFreshUntil = wallFreshUntil;
    node.createdAt = createdAt;
    this.#bytes += bytes - node.bytes;
    node.bytes = bytes;
    this.#wheel.schedule(node);
    if (this.#bounded) this.#evict(node);
    this.#arm(now, node.heldUntil);
    return node;
  }

  remove(node: Node): void {
    this.nodes.delete(node.key);
    if (this.#bounded) this.#sieve.remove(node);
    this.#wheel.deschedule(node);
    this.#bytes -= node.bytes;
    kill(node);
  }

  clear(): void {
    for (const node of this.nodes.values()) {
      node.newer = undefined;
      node.older = undefined;
      node.next = undefined;
      node.previous = undefined;
      kill(node);
    }
    this.nodes.clear();
    this.#sieve.clear();
    this.#wheel.clear();
    this.#bytes = 0;
    this.#disarm();
    this.#trimMemos();
  }

  /** The node in the words of the ports. After a jump of the wall clock its moments are told as the new wall time. */
  entryOf(node: Node): CacheEntry {
    const wall = this.wall();
    // Without an end there is nothing to compare; only an age below zero shows that the clock went back.
    if (node.wallFreshUntil === Infinity) {
      return { value: node.value, freshUntil: Infinity, createdAt: Math.min(node.createdAt, wall) };
    }
    const jump = wall - this.now() - (node.wallFreshUntil - node.freshUntil);
    const shift = Math.abs(jump) > JUMP ? jump : 0;
    return { value: node.value, freshUntil: node.wallFreshUntil + shift, createdAt: node.createdAt + shift };
  }

  /** From now on `memo` is trimmed when many nodes have gone. It is held weakly. */
  addMemo(memo: NodeMemo): void {
    this.#memos.add(new WeakRef(memo));
  }

  #evict(added: Node): void {
    while (this.nodes.size > this.#bounds.maxEntries || this.#bytes > this.#bounds.maxBytes) {
      const victim = this.#sieve.victim(added);
      if (!victim) return;
      this.remove(victim);
    }
  }

  /** Drops expired nodes, at most about `steps` of them. */
  #drop(steps: number): void {
    const budget = { steps };
    for (let node = this.#wheel.take(budget); node; node = this.#wheel.take(budget)) this.remove(node);
  }

  /** Sees to it that the timer runs when there is something to do; `moment` is when the newcomer goes. */
  #arm(now: number, moment: number): void {
    // Every write comes here: only one whose key goes before the timer's next run is worth a search for the next bucket.
    if (moment === Infinity || this.#timerAt <= moment + TIMER_LAG) return;
    const delay = this.#wheel.delay;
    if (delay === Infinity || this.#timerAt <= now + delay) return;
    this.#disarm();
    this.#timerAt = now + delay;
    // The timer must not keep a store alive that nobody else has.
    const self = new WeakRef(this);
    const tick = (): void => {
      const table = self.deref();
      if (table) table.#tick();
    };
    this.#timer = this.clock.setTimer(tick, Math.max(Math.ceil(delay * 1000), 1));
    this.#timer.unref();
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #tick(): void {
    this.#disarm();
    const now = this.now();
    this.#wheel.advance(now);
    this.#drop(STEPS_OF_A_TIMER);
    this.#trimMemos();
    this.#arm(now, now);
  }

  #trimMemos(): void {
    for (const reference of this.#memos) {
      const memo = reference.deref();
      if (memo) memo.trim(this.nodes.size);
      else this.#memos.delete(reference);
    }
  }
}
