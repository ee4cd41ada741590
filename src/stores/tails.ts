import { type Answer, andThen } from '../concurrency/answer.js';
import { isThenable } from '../concurrency/single-flight.js';

/**
 * Writes of one key run one after the other, and it is known of each key whether one is under way. Only what takes time has a tail:
 * among synchronous writes there is nothing to wait for.
 */
export class Tails {
  readonly #tails = new Map<string, Promise<unknown>>();
  #whole: Promise<unknown> | undefined;

  /** Whether a write of this key, or of everything, is under way. */
  has(key: string): boolean {
    return this.#whole !== undefined || this.#tails.has(key);
  }

  /** Writes, after the writes of these keys that are under way. `settled` runs once the write is over, however it ended. */
  after<T>(keys: readonly string[], write: () => Answer<T>, settled: () => void = () => {}): Answer<T> {
    const before = new Set<Promise<unknown>>(this.#whole ? [this.#whole] : []);
    for (const key of this.#tails.size === 0 ? [] : keys) {
      const tail = this.#tails.get(key);
      if (tail) before.add(tail);
    }
    return this.#follow(before, write, settled, (tail) => {
      for (const key of keys) this.#tails.set(key, tail);
      return () => {
        for (const key of keys) if (this.#tails.get(key) === tail) this.#tails.delete(key);
      };
    });
  }

  /** A write that touches every key: after all that is under way, and before all that comes. */
  all<T>(write: () => Answer<T>, settled: () => void): Answer<T> {
    const before = new Set(this.#tails.values());
    if (this.#whole) before.add(this.#whole);
    return this.#follow(before, write, settled, (tail) => {
      this.#whole = tail;
      return () => {
        if (this.#whole === tail) this.#whole = undefined;
      };
    });
  }

  #follow<T>(
    before: ReadonlySet<Promise<unknown>>,
    write: () => Answer<T>,
    settled: () => void,
    enlist: (tail: Promise<unknown>) => () => void,
  ): Answer<T> {
    const answer: Answer<T> = before.size === 0 ? write() : Promise.all(before).then(write);
    if (!isThenable(answer)) return answer;
    const over = (): void => {
      leave();
      settled();
    };
    // A tail never rejects: who waits for it doesn't care how it ended.
    const tail = (answer as Promise<T>).then(over, over);
    const leave = enlist(tail);
    return andThen(answer, (value) => tail.then(() => value));
  }
}
