// @ts-check
import { bg } from 'advanced-caching';

/** @typedef {{ USD: number, EUR: number, GBP: number, round: number }} Rates */

bg.write('100ms', { key: 'exchange-rates', scope: 'host' })(
  /** @param {{ previous: Rates | undefined }} context */
  async function fetchRates({ previous }) {
    const round = (previous?.round ?? 0) + 1;
    const wobble = Math.sin(round / 5) / 100;
    return { USD: 1, EUR: round4(0.92 + wobble), GBP: round4(0.79 - wobble), round };
  },
);

/** @param {number} value */
function round4(value) {
  return Math.round(value * 10_000) / 10_000;
}

console.log(`[writer] process ${process.pid} writes`);
// A writer keeps its process alive until it is told to stop.
process.on('message', () => void bg.shutdown().then(() => process.disconnect()));
