import { NEVER } from '../core/coarse-clock.js';

/**
 * One key of an in-memory store, and everything that is known of it.
 *
 * A node is mutated in place when its key is set again, and *dead* for ever once its key was deleted, evicted, expired or
 * cleared: whoever holds on to a node (`cache()` does, so that a hit needs no lookup) sees either the key's present value or
 * `hotUntil === NEVER`, and lets go.
 */
export class Node {
  // What a hit looks at stands first, within 64 bytes: of many nodes, each line of memory that isn't in the processor's cache is a wait.
  /** `coarseTick[0] < hotUntil` is a hit, without any other look. `NEVER` where that clock may not decide. */
  hotUntil: number;
  /** SIEVE's mark: 1 after a hit. A number, since storing one is a plain store. */
  visited: 0 | 1;
  value: unknown;
  /** What an asynchronous function's hit answers; made once, so that a hit makes no Promise. `undefined`: none yet. */
  promise: Promise<unknown> | undefined;
  key: string;
  /** Monotonic seconds: freshness in this process is not moved by a jump of the wall clock. */
  freshUntil: number;
  /** Monotonic seconds: `freshUntil` and the stale window. Past it, the node goes. */
  heldUntil: number;
  /** Unix seconds, as they were given: what other processes and stores are told. */
  wallFreshUntil: number;
  createdAt: number;
  bytes: number;
  /** Who refreshes it now, as `cache()` knows itself: to it, the stale value is an answer that needs no other look. */
  refresher: object | undefined;
  /** Towards the newer and the older neighbour in the eviction order. */
  newer: Node | undefined;
  older: Node | undefined;
  /** The neighbours in a bucket of the timer wheel; the bucket itself is a `Ring` in that circle. */
  next: Ring | undefined;
  previous: Ring | undefined;

  constructor(key: string) {
    this.hotUntil = NEVER;
    this.visited = 0;
    this.value = undefined;
    this.promise = undefined;
    this.key = key;
    // V8 keeps a field that has only ever held doubles as a double: start with one.
    this.freshUntil = -Infinity;
    this.heldUntil = -Infinity;
    this.wallFreshUntil = -Infinity;
    this.createdAt = -Infinity;
    this.bytes = 0;
    this.refresher = undefined;
    this.newer = undefined;
    this.older = undefined;
    this.next = undefined;
    this.previous = undefined;
  }
}

/** A place in a circular list: a node, or the head of a bucket. */
export interface Ring {
  next: Ring | undefined;
  previous: Ring | undefined;
}

/** Nothing of the value may live on in a dead node: someone may still hold the node. */
export function kill(node: Node): void {
  node.hotUntil = NEVER;
  node.freshUntil = -Infinity;
  node.heldUntil = -Infinity;
  node.value = undefined;
  node.promise = undefined;
  node.refresher = undefined;
  node.key = '';
}
