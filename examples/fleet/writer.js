// @ts-check
/** Registers the writer. Every host does; one of them loads the prices, the others stand by. */
import { bg } from 'advanced-caching';
import { closeStore, store } from './store.js';

/** @typedef {{ round: number, host: string, writer: string, items: Record<string, number>, sum: number }} Prices */

bg.write('500ms', {
  key: 'prices',
  scope: 'fleet',
  store,
  lease: Number(process.env['LEASE']) / 1000,
  // What goes wrong is part of the story: the readers' states tell it.
  onError: () => {},
})(
  /** @param {{ previous: Prices | undefined }} context */
  async function loadPrices({ previous }) {
    const round = (previous?.round ?? 0) + 1;
    const items = Object.fromEntries(['apple', 'pear', 'plum'].map((name, index) => [name, 100 + ((round * (index + 3)) % 50)]));
    const host = process.env['HOST'] ?? '';
    return { round, host, writer: `${host} ${process.pid}`, items, sum: Object.values(items).reduce((sum, price) => sum + price, 0) };
  },
);

process.on('message', () => void stop());

async function stop() {
  await bg.shutdown({ timeout: 2 });
  closeStore();
  process.disconnect();
}
