import type { Clock } from '../core/clock.js';
import { SnapshotTooLargeError, ValidationError } from '../core/errors.js';
import type { Serializer } from '../core/serializer.js';
import type { Ring } from '../mirror/layout.js';
import { holdsBytes } from '../mirror/protocol.js';
import { createReader, type Reader } from '../mirror/reader.js';
import { type Loader, runLoader } from '../scheduler/loader.js';
import type { WriterPlan, Work } from './plan.js';

/** The bytes of a loaded value. */
export interface Pressed {
  readonly bytes: Uint8Array;
  readonly codec: string;
  /** Whether the newest snapshot of the ring says the same. Asked of the ring's owner, when the bytes are to be published. */
  isSame(): boolean;
  /** They are published, or not needed. */
  release(): void;
}

/** Runs a loader and makes bytes of what it gives: one of whole values, one of records. */
export interface Press<T> {
  /** @throws (rejects) what the loader, `validate` and the serializer throw; TimeoutError; ValidationError; SnapshotTooLargeError */
  make(work: Work<T>, signal: AbortSignal): Promise<Pressed>;
  /** The ring that is published into from now on. */
  attach(ring: Ring): void;
}

export class PlainPress<T> implements Press<T> {
  #ring: Ring;
  readonly #plan: WriterPlan;
  readonly #clock: Clock;
  /** For `previous`: decodes only when it is asked. */
  #served: Reader<T> | undefined;

  constructor(ring: Ring, plan: WriterPlan, clock: Clock) {
    this.#ring = ring;
    this.#plan = plan;
    this.#clock = clock;
  }

  attach(ring: Ring): void {
    this.#ring = ring;
    this.#served?.attach(ring);
  }

  async make({ loader, serializer, validate }: Work<T>, signal: AbortSignal): Promise<Pressed> {
    const { key, timeout, maxBytes } = this.#plan;
    const previous = (): T | undefined => this.#readServed(serializer);
    // Inside the run that the timeout bounds: a `validate` that hangs would stop the schedule as well as a loader does.
    const loadValid: Loader<T> = async (context) => {
      const loaded = (await loader(context)) as T;
      refuseUndefined(loaded, key);
      if (!context.signal.aborted && validate && (await validate(loaded, previous())) === false) throw refused(key);
      return loaded;
    };
    const value = await runLoader(loadValid, { timeout, previous, clock: this.#clock, signal });
    const bytes = serializer.dumps(value);
    if (!(bytes instanceof Uint8Array)) throw new ValidationError(`Expected the serializer of '${key}' to give a Uint8Array`);
    if (bytes.byteLength > maxBytes) {
      throw new SnapshotTooLargeError(
        `Expected a snapshot of '${key}' of at most ${maxBytes} bytes, got ${bytes.byteLength} (option \`maxBytes\`)`,
      );
    }
    const codec = serializer.name ?? '';
    return { bytes, codec, isSame: () => holdsBytes(this.#ring, bytes, codec), release: () => {} };
  }

  #readServed(serializer: Serializer): T | undefined {
    if (!this.#served) {
      const { key, maxBytes } = this.#plan;
      // A value that this serializer can't read is no `previous`; the next publish replaces it.
      this.#served = createReader<T>({ key, maxBytes, freeze: true, serializer, onError: () => {}, clock: this.#clock });
      this.#served.attach(this.#ring);
    }
    return this.#served.read();
  }
}

/** @throws ValidationError */
export function refuseUndefined(loaded: unknown, key: string): void {
  if (loaded !== undefined) return;
  throw new ValidationError(
    `The loader of '${key}' returned undefined, which readers take for "no value yet": return null for an absent value`,
  );
}

export function refused(key: string): ValidationError {
  return new ValidationError(`\`validate\` refused the new value of '${key}'`);
}
