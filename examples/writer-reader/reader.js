// @ts-check
import { setTimeout as delay } from 'node:timers/promises';
import { bg } from 'advanced-caching';

const [name, pause] = process.argv.slice(2);

/** @type {import('advanced-caching').Mirror<import('./writer.js').Rates>} */
const rates = bg.read('exchange-rates');
await rates.ready(10);

const end = Date.now() + 2000;
while (Date.now() < end) {
  // No await: the value is in this process's memory.
  const { USD, EUR, GBP, round } = rates() ?? {};
  // At the second run of this example, the last value of the first one is there until the writer is.
  const age = `${Math.round((rates.age ?? 0) * 1000)} ms old${rates.isStale ? ', stale' : ''}`;
  console.log(`[${name} reader] round ${round}: USD ${USD}, EUR ${EUR}, GBP ${GBP} (${age})`);
  await delay(Number(pause));
}

await bg.shutdown();
process.disconnect();
