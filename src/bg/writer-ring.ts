import { threadId } from 'node:worker_threads';
import { systemClock } from '../core/clock.js';
import { DuplicateWriterError } from '../core/errors.js';
import type { OnError } from '../core/report.js';
import { findRing, withdrawRing } from '../mirror/directory.js';
import { createRing, hold, holderOf, largestSnapshot, letGo, type Ring } from '../mirror/layout.js';
import { newestMeta } from '../mirror/protocol.js';
import { coldRing } from './host-ring.js';
import type { WriterPlan } from './plan.js';
import type { Lead } from './ring-writer.js';
import type { Scope } from './writer.js';

/** A ring for a new writer. */
export interface WriterRing {
  readonly ring: Ring;
  /** The instance of the ring that it replaces, if it does. */
  readonly foreign: string | undefined;
  /** Where the numbers of a writer of this process start. */
  readonly numbers: Lead;
  /** Ends the registration; idempotent. */
  giveBack(): void;
}

/**
 * Registers this thread as the one that has the writer of a key, and answers the ring to publish into: the one that the
 * process has, where it can be used, so that readers needn't change; else a new one.
 *
 * @param name under which the threads of the process find the ring
 * @throws DuplicateWriterError when the key has a writer in this process
 */
export function takeRing(plan: WriterPlan, name: string, scope: Scope, onError: OnError | undefined): WriterRing {
  const { key, maxBytes } = plan;
  const known = findRing(name);
  if (known?.scope === 'process' && holderOf(known) !== undefined) throw duplicate(key, known);
  // Where the writer of this process is gone and one of the host comes, readers go over to that one.
  if (known?.scope === 'process' && scope === 'host') withdrawRing(name, known);
  const usable = known && known.scope === scope && largestSnapshot(known) >= maxBytes;
  const ring = usable ? known : scope === 'process' ? createRing(maxBytes) : coldRing(name, scope, maxBytes, onError).ring;
  // Whether a key of the host has a writer in this process is the link thread's to say.
  if (scope === 'process' && !hold(ring, threadId)) throw duplicate(key, ring);
  const newest = known?.scope === 'process' ? newestMeta(known) : undefined;
  // Milliseconds since the host's boot: higher than that of any writer before, whether or not its ring is still known.
  const epoch = Math.max((newest?.epoch ?? 0) + 1, Math.floor(systemClock.monotonic()));
  return {
    ring,
    foreign: usable ? undefined : known?.instance,
    numbers: { epoch, version: newest?.version ?? 0 },
    giveBack: () => letGo(ring, threadId),
  };
}

function duplicate(key: string, ring: Ring): DuplicateWriterError {
  const here = holderOf(ring) === threadId;
  return new DuplicateWriterError(
    `'${key}' has a writer in ${here ? 'another copy of this package, in this thread' : `the thread ${holderOf(ring)} of this process`}`,
  );
}
