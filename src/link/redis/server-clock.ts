/**
 * Redis's clock, told by this host's monotonic one: the only clock that all hosts have in common.
 *
 * Redis read its clock at some moment between a question and its answer; the middle is wrong by half of the time between them at most (Cristian,
 * "Probabilistic clock synchronization", 1989). So the quickest answer of late is believed, until it is old, or contradicts a later one:
 * then the clock was set, or it is another server's.
 */

/** Clocks drift apart by less than a tenth of a millisecond a second. */
const BELIEVED_FOR = 60_000;
/** Redis tells whole milliseconds, and clocks drift. */
const TOLERANCE = 10;

interface Sample {
  readonly offset: number;
  /** By how much it may be wrong. */
  readonly error: number;
  readonly at: number;
}

export class ServerClock {
  #best: Sample | undefined;

  /** @param sent when it was asked, monotonic. @param time what it answered, in Unix milliseconds. @param received when that arrived */
  learn(sent: number, time: number, received: number): void {
    const next: Sample = { offset: (sent + received) / 2 - time, error: (received - sent) / 2, at: received };
    const best = this.#best;
    const contradicts = best && Math.abs(best.offset - next.offset) > best.error + next.error + TOLERANCE;
    if (!best || contradicts || next.error <= best.error || received - best.at > BELIEVED_FOR) this.#best = next;
  }

  /** What to add to a time of Redis's to have it on the monotonic clock; `undefined` before the first answer. */
  get offset(): number | undefined {
    return this.#best?.offset;
  }
}
