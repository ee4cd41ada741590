import { threadId } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import type { Memory, Series, SeriesKey } from './memory.js';

/** The memory of one collector in one thread: gone when the collector is. */
export class PrivateMemory implements Memory {
  readonly since: number = systemClock.wall();
  readonly #series = new Map<string, Series>();
  readonly #lane = { thread: () => threadId };

  open(key: SeriesKey, words: number): Int32Array {
    const text = JSON.stringify(key);
    let series = this.#series.get(text);
    if (!series) this.#series.set(text, (series = { key, words: new Int32Array(words), lane: this.#lane }));
    return series.words;
  }

  series(): readonly Series[] {
    return [...this.#series.values()];
  }
}
