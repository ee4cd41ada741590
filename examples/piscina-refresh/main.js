// @ts-check
// Exchange rates, computed on a Piscina pool every 300 ms and read here at memory speed.
//   npm install advanced-caching piscina && node main.js
import { bg, piscinaLoader } from 'advanced-caching';
import { Piscina } from 'piscina';

const pool = new Piscina({ maxThreads: 2 });

const rates = bg.write('300ms', {
  key: 'rates',
  timeout: '2s',
  loader: piscinaLoader(pool, { filename: new URL('./refresh.js', import.meta.url), name: 'loadRates', passPrevious: true }),
  onError: (error) => console.log(`refresh failed: ${error.name}: ${error.message}`),
});
const read = /** @type {typeof bg.read<import('./refresh.js').Rates>} */ (bg.read)('rates');

await read.ready(10);
let ticks = 0;
const ticking = setInterval(() => (ticks += 1), 10);

const off = read.onChange(() => {
  const now = read();
  if (!now) return;
  console.log(
    `round ${now.round}: 1 EUR = ${now.usd.toFixed(4)} USD (thread ${now.thread}; this event loop ticked ${ticks} times meanwhile)`,
  );
  ticks = 0;
});

await new Promise((resolve) => setTimeout(resolve, 2000));
const before = read();
console.log(`the same object until the next round: ${read() === before}`);
await rates.refresh();
console.log(`asked for a refresh: round ${before?.round} became round ${read()?.round}`);

off();
clearInterval(ticking);
await bg.shutdown();
await pool.destroy();
console.log('done');
