import type { Clock } from '../core/clock.js';
import { earlierIn } from '../keyed/adoption.js';
import { type Built, buildKeyed } from '../keyed/builder.js';
import { KEYED } from '../keyed/layout.js';
import type { Lookups } from '../keyed/lookups.js';
import { Memory } from '../keyed/memory.js';
import { createKeyedReader, type KeyedReader } from '../keyed/reader.js';
import { viewOfBuilt } from '../keyed/view.js';
import type { Serializer } from '../core/serializer.js';
import type { Ring } from '../mirror/layout.js';
import { type Loader, type LoaderContext, runLoader } from '../scheduler/loader.js';
import type { WriterPlan, Work } from './plan.js';
import { type Press, type Pressed, refused, refuseUndefined } from './press.js';

/** Values that `previous` and `next` of a `validate` keep decoded. */
const MEMO = { maxEntries: 1000, maxBytes: 1024 * 1024 };

/**
 * Makes a keyed snapshot of what a loader gives, record by record as it comes. `previous` and the `next` of a `validate` are lookups,
 * which decode what they are asked for.
 */
export class KeyedPress<V> implements Press<Lookups<V>> {
  #ring: Ring;
  readonly #plan: WriterPlan;
  readonly #clock: Clock;
  #served: KeyedReader<V> | undefined;
  /** Of the snapshot before, while no run has it. Of a run that was abandoned it doesn't come back. */
  #memory: Memory | undefined;

  constructor(ring: Ring, plan: WriterPlan, clock: Clock) {
    this.#ring = ring;
    this.#plan = plan;
    this.#clock = clock;
  }

  attach(ring: Ring): void {
    this.#ring = ring;
    this.#served?.attach(ring);
  }

  async make({ loader, serializer, validate }: Work<Lookups<V>>, signal: AbortSignal): Promise<Pressed> {
    const { key, timeout, maxBytes } = this.#plan;
    const clock = this.#clock;
    const previous = (): Lookups<V> | undefined => this.#readServed(serializer);
    const memory = this.#memory ?? new Memory(maxBytes);
    this.#memory = undefined;
    // All of it in the run that the timeout bounds: an iterable loads while it is gone through.
    const build = async (context: LoaderContext<Lookups<V>>): Promise<Built> => {
      const loaded = await loader(context);
      refuseUndefined(loaded, key);
      const built = await buildKeyed(loaded, { serializer, maxBytes, earlier: earlierIn(this.#ring), memory }, context.signal);
      const isWanted = !context.signal.aborted && validate !== undefined;
      if (isWanted && (await validate(viewOfBuilt<V>(built.packed, serializer), previous())) === false) throw refused(key);
      return built;
    };
    const run: Loader<unknown> = (context) => build(context as LoaderContext<Lookups<V>>);
    const built = (await runLoader(run, { timeout, previous, clock, signal })) as Built;
    return {
      bytes: built.bytes,
      codec: KEYED,
      isSame: () => built.differences === 0,
      release: () => {
        if (memory.isUsed(built.bytes.byteLength)) this.#memory = memory;
      },
    };
  }

  #readServed(serializer: Serializer): Lookups<V> | undefined {
    if (!this.#served) {
      const { key, maxBytes } = this.#plan;
      this.#served = createKeyedReader<V>({ key, maxBytes, freeze: true, serializer, memo: MEMO, onError: () => {}, clock: this.#clock });
      this.#served.attach(this.#ring);
    }
    return this.#served.read();
  }
}
