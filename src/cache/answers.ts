import type { Node } from '../stores/node.js';

/**
 * Whether a function answers with a Promise. An `async` function always does; of any other it is learned from what it answers,
 * since a hit must answer a Promise exactly when the function would have.
 *
 * | kind      | known from                            | a hit answers                                                    |
 * |-----------|---------------------------------------|------------------------------------------------------------------|
 * | `promise` | `async`, or Promises so far           | a Promise                                                        |
 * | `plain`   | values so far                         | the value                                                        |
 * | `mixed`   | both were seen                        | what the load of this very entry answered                        |
 * | `unknown` | not called yet (the store was filled by others) | a Promise if a Promise was stored with it, else the value |
 */
export class Answers {
  /** The hot path's question. */
  isPlain = false;
  #kind: 'unknown' | 'plain' | 'promise' | 'mixed';

  constructor(fn: (...args: never[]) => unknown) {
    this.#kind = Object.prototype.toString.call(fn) === '[object AsyncFunction]' ? 'promise' : 'unknown';
  }

  learn(kind: 'plain' | 'promise'): void {
    if (this.#kind === kind || this.#kind === 'mixed') return;
    this.#kind = this.#kind === 'unknown' ? kind : 'mixed';
    this.isPlain = this.#kind === 'plain';
  }

  /** A hit on a node. The Promise is made once a node: `await` of a settled one is the cheapest there is. */
  ofNode(node: Node): unknown {
    if (this.#kind === 'promise') return (node.promise ??= Promise.resolve(node.value));
    if (this.#kind === 'plain') return node.value;
    return node.promise ?? node.value;
  }

  /** A hit on a value without a node. */
  of(value: unknown): unknown {
    return this.#kind === 'promise' ? Promise.resolve(value) : value;
  }

  /** A call whose arguments make no key: an asynchronous function rejects, as it would if it checked them itself. */
  failed(error: unknown): Promise<never> {
    if (this.#kind === 'promise') return Promise.reject(error);
    throw error;
  }
}
