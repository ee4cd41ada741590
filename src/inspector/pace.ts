/** At most this long in one go (milliseconds). */
const SLICE = 8;

/**
 * Long work in slices, so that an event loop with ten thousand cached functions to tell of doesn't stand still for it:
 * `if (pace.isDue()) await pace.rest();` in each loop.
 */
export class Pace {
  #began: number = performance.now();
  #worked = 0;

  isDue(): boolean {
    return performance.now() - this.#began >= SLICE;
  }

  async rest(): Promise<void> {
    this.#worked += performance.now() - this.#began;
    await new Promise((resolve) => setImmediate(resolve));
    this.#began = performance.now();
  }

  /** How long was worked (milliseconds), the rests left out. */
  get worked(): number {
    return this.#worked + performance.now() - this.#began;
  }
}
