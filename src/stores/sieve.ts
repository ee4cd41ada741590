/** What stands in the queue, and its neighbours there. */
export interface Queued<N> {
  /** 1 after a hit. A number, since storing one is a plain store. */
  visited: 0 | 1;
  newer: N | undefined;
  older: N | undefined;
}

/**
 * Which key goes when a bound is reached: SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI '24).
 *
 * A queue from the newest to the oldest key, which hits do not reorder: a hit only sets `visited`. A hand walks from the
 * oldest towards the newest; it clears the marks that it meets and stops at the first key without one, which goes. So a hit
 * costs one plain store, and keys that are read stay. Finding a victim is O(1) amortized: each step of the hand takes away
 * a mark that a hit had set.
 */
export class Sieve<N extends Queued<N>> {
  #newest: N | undefined;
  #oldest: N | undefined;
  #hand: N | undefined;

  add(node: N): void {
    node.visited = 0;
    node.newer = undefined;
    node.older = this.#newest;
    if (this.#newest) this.#newest.newer = node;
    else this.#oldest = node;
    this.#newest = node;
  }

  remove(node: N): void {
    if (this.#hand === node) this.#hand = node.newer;
    if (node.newer) node.newer.older = node.older;
    else this.#newest = node.older;
    if (node.older) node.older.newer = node.newer;
    else this.#oldest = node.newer;
    node.newer = undefined;
    node.older = undefined;
  }

  /** The key that goes next, never `spared`. It stays in the queue until it is removed. */
  victim(spared: N): N | undefined {
    let node = this.#hand ?? this.#oldest;
    // Twice around at most: after one round no mark is left.
    while (node && (node.visited === 1 || node === spared)) {
      if (node === spared && node === this.#oldest && node === this.#newest) return undefined;
      node.visited = 0;
      node = node.newer ?? this.#oldest;
    }
    this.#hand = node;
    return node;
  }

  clear(): void {
    this.#newest = undefined;
    this.#oldest = undefined;
    this.#hand = undefined;
  }
}
