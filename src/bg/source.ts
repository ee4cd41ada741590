import type { SnapshotMeta } from '../core/snapshot.js';
import type { ReaderCounts } from '../mirror/reader.js';

/**
 * `initializing`: no value yet. `live`: the value is there and its writer was heard. `interrupted`: the value is there, and
 * the writer fails, is silent or is gone. `closed`: for good, or the writer stopped.
 */
export type MirrorState = 'initializing' | 'live' | 'interrupted' | 'closed';

/**
 * How the value comes: through shared memory from this process's writer, from another process of the host, from Redis to this thread
 * itself (`direct`), or by looking into another store.
 */
export type Via = 'process' | 'host' | 'direct' | 'store';

/** Where a mirror's value comes from. */
export interface Source<T> {
  /** The hot path. */
  readonly read: () => T | undefined;
  /** Of what `read` answers; `undefined` before the first value. */
  meta(): SnapshotMeta | undefined;
  /** Never decreases; 0 before the first value. */
  version(): number;
  health(): {
    readonly state: MirrorState;
    /** Monotonic milliseconds of the last change of `state`. */
    readonly since: number;
    readonly failures: number;
    readonly via: Via | undefined;
    /** The value was found when this process started, and no writer has been heard since. */
    readonly cold: boolean;
    /** Of a fleet's value: the id of who writes it; `''` for somebody without a lease. */
    readonly writer?: string | undefined;
    /** Milliseconds from the load of the value to its coming to this process. */
    readonly lag?: number | undefined;
  };
  counts(): ReaderCounts;
  /** `at` is Unix time in milliseconds. */
  lastProblem(): { readonly error: Error; readonly at: number; readonly kind?: string } | undefined;
  /** Calls back when there may be something new, coalesced. Answers its off. */
  watch(onWake: () => void): () => void;
  close(): void;
}
