// @ts-check
/**
 * The seven rows of the Python library's own table of throughput, beside the same seven here.
 *
 *     npm run bench -- seed-table [--quick]
 *
 * The Python figures are its documentation's: millions a second on Python 3.12 and an Apple M2. They were not measured on this machine,
 * so the ratio of the two says something of the order, and no more.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InMemCache, InMemoryMetrics, bg, cache, configure } from 'advanced-caching';
import { loop } from './harness.js';
import { table } from './support/results.js';
import { inRounds } from './support/rounds.js';

/** @type {Readonly<Record<string, number>>} */
const PYTHON = {
  'bg.read local': 7.5,
  'InMemCache.get': 10.3,
  '@cache sync static': 6.0,
  '@cache async static': 4.9,
  '@cache callable λ': 3.9,
  '@cache SWR stale': 2.9,
  '@cache + metrics': 1.6,
};

const directory = mkdtempSync(join(tmpdir(), 'seed-table-'));
configure({ namespace: 'seed-table', directory });
try {
  bg.write(3600, { key: 'rates' })(() => 1);
  const read = bg.read('rates');
  const store = new InMemCache();
  store.set('flags', 1, 3600);
  const fixed = cache('1h', { key: 'flags' })(() => 1);
  const later = cache('1h', { key: 'flags' })(async () => 1);
  const made = cache('1h', { key: (/** @type {number} */ id) => `u:${id}` })((id) => id);
  let loads = 0;
  const stale = cache('1ms', { key: 'price', stale: '1h' })(() => (loads++ === 0 ? 1 : new Promise(() => {})));
  const metered = cache('1h', { key: 'flags', metrics: new InMemoryMetrics() })(() => 1);
  await Promise.all([read.ready(), later()]);
  void stale();
  await new Promise((resolve) => setTimeout(resolve, 50));
  void stale();

  const rows = await inRounds([
    { name: 'bg.read local', run: loop('sum += read();', { read }) },
    { name: 'InMemCache.get', run: loop("sum += store.get('flags');", { store }) },
    { name: '@cache sync static', run: loop('sum += fixed();', { fixed }) },
    { name: '@cache async static', run: loop('sum += await later();', { later }, true) },
    { name: '@cache callable λ', run: loop('sum += made(i & 1023);', { made }) },
    { name: '@cache SWR stale', run: loop('sum += stale();', { stale }) },
    { name: '@cache + metrics', run: loop('sum += metered();', { metered }) },
  ]);
  table({
    title: "The seed's seven rows, in millions a second",
    columns: [
      { key: 'name', label: 'what' },
      { key: 'python', label: 'Python' },
      { key: 'rate', label: 'here' },
      { key: 'ns', label: 'here', unit: 'ns' },
      { key: 'ratio', label: 'ratio', unit: '×' },
    ],
    rows: rows.map(({ name, ns }) => {
      const python = /** @type {number} */ (PYTHON[name]);
      return { name, python, rate: 1000 / ns, ns, ratio: 1000 / ns / python };
    }),
  });
} finally {
  await bg.shutdown();
  rmSync(directory, { recursive: true, force: true });
}
