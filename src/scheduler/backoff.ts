export interface Backoff {
  /** The ceiling of the first delay, in milliseconds; it doubles with each attempt. */
  readonly base: number;
  /** No delay is longer than this many milliseconds. */
  readonly max: number;
}

/**
 * How many milliseconds to wait before attempt `attempt` (from 0): exponential back-off with equal jitter, a random delay
 * in the upper half of `min(max, base * 2 ** attempt)`. Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture
 * Blog, 2015. Equal jitter rather than full: its lower half is never drawn, so even after a long outage a fleet asks its
 * source at most twice as often as it would in peace.
 */
export function backoffDelay(attempt: number, { base, max }: Backoff, random: () => number = Math.random): number {
  const half = Math.min(max, base * 2 ** attempt) / 2;
  return half + half * random();
}
