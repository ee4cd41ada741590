import { threadId } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { toError } from '../../core/report.js';
import { type Confirmation, discard, isNewer, type Snapshot } from '../../core/snapshot.js';
import { announceRing } from '../../mirror/directory.js';
import { claim, createRing, disown, largestSnapshot, type Ring, type RingScope, writeHealth } from '../../mirror/layout.js';
import { confirm, newestMeta, publish } from '../../mirror/protocol.js';

/** For how long (milliseconds) a ring that is still somebody else's is left alone. */
const RETRY_MS = 250;

/** What fills a process's ring with what comes from outside, while this thread owns it. */
export class Inlet {
  readonly #name: string;
  readonly #scope: RingScope;
  readonly #onProblem: (error: Error) => void;
  #ring: Ring;
  #retry: NodeJS.Timeout | undefined;
  /** A snapshot that came while the ring was still a writer's. */
  #waiting: Snapshot | undefined;
  /** The same, of what was heard of the writer. */
  #lastHeard: 'live' | 'interrupted' | undefined;
  #lag: number | undefined;

  /** @param name under which the threads of the process find the ring */
  constructor(name: string, scope: RingScope, ring: Ring, onProblem: (error: Error) => void) {
    this.#name = name;
    this.#scope = scope;
    this.#ring = ring;
    this.#onProblem = onProblem;
  }

  /** Milliseconds from the load of the last snapshot to its coming here; `undefined` for the first, which may have waited for this process. */
  get lag(): number | undefined {
    return this.#lag;
  }

  get ring(): Ring {
    return this.#ring;
  }

  /**
   * Makes the ring this thread's. One whose owner is gone without a trace, or slow to let go, is left to it: two writers
   * in one ring tear, in two rings they can't (model e, -DPRIVATE), and readers follow the youngest ring.
   */
  own(maxBytes: number): void {
    if (this.#ring.scope !== this.#scope || !claim(this.#ring, threadId) || largestSnapshot(this.#ring) < maxBytes) {
      disown(this.#ring, threadId);
      this.#ring = createRing(maxBytes, { scope: this.#scope });
      claim(this.#ring, threadId);
    }
    this.announce();
  }

  announce(): void {
    announceRing(this.#name, this.#ring);
  }

  /** The snapshot's bytes are no more afterwards: they are the ring's. */
  takeIn(snapshot: Snapshot): void {
    const have = newestMeta(this.#ring);
    if (have && !isNewer(snapshot, have)) {
      discard(snapshot);
      return;
    }
    if (!claim(this.#ring, threadId)) {
      // A writer of this process that lost its role hasn't let go yet. It is told to; until then the newest waits.
      this.#waiting = snapshot;
      this.#retryLater();
      return;
    }
    try {
      publish(this.#ring, snapshot);
      // The clocks of two threads differ by their start: some milliseconds at most.
      this.#lag = have && Math.max(0, systemClock.monotonic() - snapshot.createdAtMonotonic);
    } catch (error) {
      this.#onProblem(toError(error));
    }
    discard(snapshot);
  }

  confirm({ epoch, version, createdAtMonotonic }: Confirmation): void {
    const have = newestMeta(this.#ring);
    // A writer's ring is its own to confirm; where it hasn't let go yet, the next sign of life says it again.
    if (have?.epoch !== epoch || have.version !== version || !claim(this.#ring, threadId)) return;
    confirm(this.#ring, createdAtMonotonic);
  }

  heard(state: 'live' | 'interrupted'): void {
    this.#lastHeard = state;
    if (!claim(this.#ring, threadId)) {
      this.#retryLater();
      return;
    }
    const now = systemClock.monotonic();
    writeHealth(this.#ring, { state, ...(state === 'live' ? { lastOk: now } : {}) }, now);
  }

  /** What waits for the ring is dropped: from now on somebody else fills it. */
  rest(): void {
    clearTimeout(this.#retry);
    this.#waiting = this.#lastHeard = undefined;
  }

  /** The ring is another thread's now. */
  handOver(): Ring {
    this.rest();
    disown(this.#ring, threadId);
    return this.#ring;
  }

  /** Nobody fills it any more, and who holds it still sees that. */
  end(): void {
    if (claim(this.#ring, threadId)) writeHealth(this.#ring, { state: 'interrupted' }, systemClock.monotonic());
    this.handOver();
  }

  #retryLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) this.takeIn(waiting);
      if (this.#lastHeard) this.heard(this.#lastHeard);
    }, RETRY_MS).unref();
  }
}
