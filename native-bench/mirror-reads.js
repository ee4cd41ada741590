// @ts-check
/**
 * What reading a mirror costs, as a ratio to `Map.get` of a constant key, taken in one run.
 *
 *     npm run bench -- mirror-reads [--quick]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bg, configure } from 'advanced-caching';
import { compare, loop } from './harness.js';

const directory = mkdtempSync(join(tmpdir(), 'mirror-reads-'));
configure({ namespace: 'mirror-reads', directory });
try {
  const value = { rate: 1 };
  const map = new Map([['rates', value]]);
  bg.write(3600, { key: 'rates' })(() => value);
  const read = /** @type {import('advanced-caching').Mirror<typeof value>} */ (bg.read('rates'));
  const bounded = /** @type {import('advanced-caching').Mirror<typeof value>} */ (bg.read('rates', { ttl: 7200 }));
  await Promise.all([read.ready(), bounded.ready()]);
  const floor = loop("sum += map.get('rates').rate;", { map });
  await compare('bg.read()()', loop('sum += read().rate;', { read }), floor, 'target 1.5, must 2.5');
  await compare('bg.read(key, { ttl })()', loop('sum += bounded().rate;', { bounded }), floor, 'no target: it looks at the clock');
} finally {
  await bg.shutdown();
  rmSync(directory, { recursive: true, force: true });
}
