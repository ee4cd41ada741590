/** The page that says which test shows what: its titles are those of tests. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { root } from '../support/root.js';
import { read } from '../support/sources.js';

const page = read(join(root, 'docs/fleet-faults.md'));

test('every row has a test, and each title that it quotes begins one of that file', (t) => {
  const rows = page.split('\n').filter((line) => /^\| \d+ \|/.test(line));
  t.is(rows.length, 27);
  for (const row of rows) t.regex(row, /`[\w/-]+`: "/, row.slice(0, 40));
  const missing: string[] = [];
  let count = 0;
  for (const [, file = '', titles = ''] of page.matchAll(/`([\w/-]+)`: ("[^"]+"(?:, "[^"]+")*)/g)) {
    const path = join(root, 'test', `${file}.test.ts`);
    const text = existsSync(path) ? read(path) : '';
    for (const [, title = ''] of titles.matchAll(/"([^"]+)"/g)) {
      count += 1;
      // A title may begin with a number that is filled in.
      const begins = new RegExp(`\\(\\s*['"\`](\\$\\{\\w+\\} )?${title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`).test(text);
      if (!begins) missing.push(`${file}: ${title}`);
    }
  }
  t.true(count > 60);
  t.deepEqual(missing, []);
});
