import type { Serializer } from '../core/serializer.js';
import type { RunTracer } from '../metrics/refresh.js';
import type { LoaderContext } from '../scheduler/loader.js';

/** Refuses a loaded value by throwing or answering `false` (or a Promise that does). Every other answer accepts it. */
export type Validate<T> = (next: T, previous: T | undefined) => unknown;

/** What a writer is to do: plain data, so that it can be sent to the thread that does it. Durations are milliseconds. */
export interface WriterPlan {
  readonly key: string;
  /** 0: no schedule, only `refresh`. */
  readonly interval: number;
  readonly timeout: number | undefined;
  readonly freshFor: number;
  readonly maxBytes: number;
  readonly runImmediately: boolean;
  /** Whether the value is published record by record. */
  readonly keyed: boolean;
}

/** What the plan is done with. `T` is what readers see; what the loader gives is checked where it is used. */
export interface Work<T> {
  readonly loader: (context: LoaderContext<T>) => unknown;
  readonly serializer: Serializer;
  readonly validate?: Validate<T> | undefined;
  /** Follows each run, up to the bytes to publish. */
  readonly trace?: RunTracer | undefined;
}
