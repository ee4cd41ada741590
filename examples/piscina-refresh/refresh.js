// @ts-check
// Runs on a thread of the pool: what blocks here blocks nobody else.
import { threadId } from 'node:worker_threads';

/** @typedef {{ round: number, usd: number, thread: number }} Rates */

/**
 * @param {{ previous: Rates | undefined }} task
 * @returns {Rates}
 */
export function loadRates({ previous }) {
  const until = performance.now() + 100;
  let usd = previous?.usd ?? 1.1;
  while (performance.now() < until) usd += (Math.random() - 0.5) / 1e6;

  const round = (previous?.round ?? 0) + 1;
  if (round === 4 && Math.random() < 0.5) throw new Error('the source is down (half the time in round 4, to show a retry)');
  return { round, usd, thread: threadId };
}
