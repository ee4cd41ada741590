import type { Clock } from '../core/clock.js';
import type { CacheStorage } from '../core/store.js';
import type { KeyPlan } from '../keys/compile.js';
import type { Recorder } from './recorder.js';

/** Everything that one cached function was made with, checked and resolved. */
export interface Setup<S extends CacheStorage = CacheStorage> {
  readonly fn: (...args: never[]) => unknown;
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  readonly stale: number;
  readonly key: KeyPlan;
  readonly store: S;
  readonly clock: Clock;
  readonly recorder: Recorder;
}

export type Args = ArrayLike<unknown>;

/** One call of a cached function: `this`, its arguments, and their key. */
export type Call = (self: unknown, args: Args, key: string) => unknown;
