import type { Clock } from '../core/clock.js';
import { SnapshotTooLargeError, WireFormatError } from '../core/errors.js';
import { report, toError, type OnError } from '../core/report.js';
import type { Serializer } from '../core/serializer.js';
import { isNewer, type SnapshotMeta } from '../core/snapshot.js';
import { direct, type SharedAccess } from './access.js';
import { json } from '../serializers/json.js';
import { deepFreeze, freezeParsed } from './freeze.js';
import { type Ring, type RingScope, VERSION } from './layout.js';
import { confirmedAfter, type Taken, take } from './protocol.js';
import { serializerFor } from './serializer-for.js';

export interface ReaderOptions {
  /** What the errors call it. */
  readonly key: string;
  /** Bytes; a larger snapshot is refused. */
  readonly maxBytes: number;
  /** Whether decoded values are deeply frozen. */
  readonly freeze: boolean;
  /** For a custom format, or to insist on one; by default the snapshot names its own. */
  readonly serializer?: Serializer;
  /** Gets each refused snapshot once. */
  readonly onError?: OnError;
  readonly clock: Clock;
  readonly access?: SharedAccess;
}

/** What a reader has counted. Plain numbers, of this thread. */
export interface ReaderCounts {
  reads: number;
  decodes: number;
  /** Takes that lost four tries against a faster writer and kept the last good value. */
  fallbacks: number;
  /** Snapshots refused: corrupt, too large, of an unknown format, or that don't decode. */
  refused: number;
  /** Snapshots older than the one already here. */
  regressed: number;
}

/** The reader's side of a ring: decodes each version once, and answers the last good value between and whatever happens. */
export interface Reader<T> {
  /** The hot path: one plain read of the version word, and no allocation. `undefined` before the first snapshot. */
  readonly read: () => T | undefined;
  /** Follows another ring from now on; the value stays until the new ring has a newer one. */
  attach(ring: Ring | undefined): void;
  /** Of the snapshot that `read` answers; its times are those of the last refresh that brought it. */
  meta(): SnapshotMeta | undefined;
  /** The number of that snapshot; never decreases, also where a new writer counts from 1 again. 0 before the first. */
  version(): number;
  counts(): ReaderCounts;
  lastProblem(): { readonly error: Error; readonly at: number } | undefined;
}

/**
 * How many reads may trust the plain read of the version word before one goes through `Atomics.load`. No engine is known
 * to keep a plain read out of a loop here (test/mirror/hoisting.test.ts tries on every supported Node); should one do so,
 * a reader that spins is this many reads late, and not for ever.
 */
const TRUSTED_READS = 1024;
const NEVER_SEEN = -2;

export function createReader<T>(options: ReaderOptions): Reader<T> {
  const { key, maxBytes, freeze, clock, access = direct } = options;
  const nowhere = new Int32Array(1);
  let ring: Ring | undefined;
  let words: Int32Array = nowhere;
  let seen = 0;
  let trust = TRUSTED_READS;
  let value: T | undefined;
  let meta: SnapshotMeta | undefined;
  /** How much of `meta`'s times is due to confirmations. */
  let after = 0;
  /** The ring version of what is served, where this ring has it. */
  let held = NEVER_SEEN;
  let scope: RingScope | undefined;
  let version = 0;
  let problem: { error: Error; at: number } | undefined;
  const counts = { reads: 0, decodes: 0, fallbacks: 0, refused: 0, regressed: 0 };

  function read(): T | undefined {
    if (words[VERSION] === seen && --trust > 0) return value;
    return look();
  }

  /** The version word changed, or the plain read has been trusted long enough. */
  function look(): T | undefined {
    counts.reads += TRUSTED_READS - trust + (trust > 0 ? 1 : 0);
    trust = TRUSTED_READS;
    if (ring === undefined || access.load(words, VERSION) === seen) return value;
    let taken: ReturnType<typeof take>;
    try {
      taken = take(ring, maxBytes, access);
    } catch (thrown) {
      // No memory for the copy. A later read may find some; until then the same failure is told once.
      counts.fallbacks++;
      const error = toError(thrown);
      if (problem?.error.message !== error.message) tell(error);
      return value;
    }
    if ('bytes' in taken) {
      adopt(taken);
    } else if (taken.why === 'busy') {
      counts.fallbacks++;
    } else if (taken.why === 'empty') {
      seen = 0;
    } else {
      const corrupt = taken.why === 'corrupt';
      refuse(
        taken.ringVersion,
        corrupt
          ? new WireFormatError(`A snapshot of '${key}' is corrupt`)
          : new SnapshotTooLargeError(`A snapshot of '${key}' is larger than ${maxBytes} bytes`),
      );
    }
    return value;
  }

  function adopt(taken: Taken): void {
    // Numbers of another scope say nothing about which is newer.
    if (meta !== undefined && ring?.scope === scope && !isNewer(taken.meta, meta)) {
      seen = taken.ringVersion;
      held = NEVER_SEEN;
      if (isNewer(meta, taken.meta)) {
        counts.regressed++;
      } else {
        // The same snapshot, in another ring.
        held = seen;
        after = Math.max(0, meta.createdAtMonotonic - taken.meta.createdAtMonotonic);
      }
      return;
    }
    let decoded: T;
    try {
      const serializer = serializerFor(key, taken.meta.codec, options.serializer);
      counts.decodes++;
      decoded = serializer.loads(taken.bytes) as T;
      if (freeze && serializer === json) freezeParsed(decoded);
      else if (freeze) deepFreeze(decoded);
    } catch (error) {
      refuse(taken.ringVersion, toError(error));
      return;
    }
    value = decoded;
    meta = taken.meta;
    after = 0;
    scope = ring?.scope;
    version = Math.max(meta.version, version + 1);
    seen = held = taken.ringVersion;
  }

  /** A confirmation counts for the snapshot that is served, and never takes time back. */
  function confirmedMeta(): SnapshotMeta | undefined {
    if (meta === undefined || held === NEVER_SEEN) return meta;
    const more = confirmedAfter(words, held, access) - after;
    if (more <= 0) return meta;
    after += more;
    meta = { ...meta, createdAt: meta.createdAt + more, createdAtMonotonic: meta.createdAtMonotonic + more };
    return meta;
  }

  /** The last good value stays, and this version is not tried again. */
  function refuse(ringVersion: number, error: Error): void {
    seen = ringVersion;
    counts.refused++;
    tell(error);
  }

  function tell(error: Error): void {
    problem = { error, at: clock.wall() };
    report(error, options.onError, `the mirror of '${key}'`);
  }

  return {
    read,
    attach(next) {
      ring = next;
      words = next?.words ?? nowhere;
      seen = next ? NEVER_SEEN : 0;
      held = NEVER_SEEN;
    },
    meta: confirmedMeta,
    version: () => version,
    counts: () => ({ ...counts, reads: counts.reads + TRUSTED_READS - trust }),
    lastProblem: () => problem,
  };
}
