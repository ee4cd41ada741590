// @ts-check
/**
 * A web worker: answers from memory, whatever happens behind. The first of a host follows the store; the second has none, and gets
 * the value from the first.
 */
import { createServer } from 'node:http';
import { bg } from 'advanced-caching';
import { closeStore, store } from './store.js';

/** @typedef {import('./writer.js').Prices} Prices */
/** @typedef {{ state: string, port?: number, epoch: number, version: number, prices?: Prices, isWhole: boolean, after: number, age: number }} Message */

/** @type {import('advanced-caching').Mirror<Prices>} */
const prices = bg.read('prices', { ...(process.argv[2] === '1' ? { store, interval: '2s' } : {}), onError: () => {} });

const server = createServer((_, response) => {
  const value = prices();
  response.writeHead(value ? 200 : 503, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value ?? {}));
});
server.listen(0, '127.0.0.1', () => tell({ port: /** @type {import('node:net').AddressInfo} */ (server.address()).port }));

let told = '';
const watch = setInterval(() => {
  const { state } = prices.status();
  if (state !== told) tell();
  told = state;
}, 20);
prices.onChange((value, { createdAt }) => tell({ prices: value, after: Date.now() - createdAt * 1000 }));

/** @param {Partial<Message>} [more] */
function tell(more) {
  const { state, epoch, version, age = 0 } = prices.status();
  const value = more?.prices;
  const isWhole = value === undefined || value.sum === Object.values(value.items).reduce((sum, price) => sum + price, 0);
  process.send?.({ state, epoch, version, age, isWhole, after: 0, ...more }, () => {});
}

process.on('message', () => void stop());

async function stop() {
  clearInterval(watch);
  server.close();
  server.closeAllConnections();
  await bg.shutdown({ timeout: 2 });
  closeStore();
  process.disconnect();
}
