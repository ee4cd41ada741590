/** `npm run bench`: that it measures, says what it left out, and writes a report that stands by itself. No figure is checked. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type Exit, type Scope, spawnNode, tempDir } from '../support/process.js';

const RUN = new URL('../../native-bench/run.js', import.meta.url);
const FLOOR = new URL('../../native-bench/floor.js', import.meta.url);

interface Result {
  readonly type: string;
  readonly title: string;
  readonly note?: string;
  readonly rows?: readonly {
    readonly name: string;
    readonly ratio: { readonly median: number; readonly low: number; readonly high: number };
  }[];
}
interface Report {
  readonly machine: { readonly node: string; readonly cores: number };
  readonly quick: boolean;
  readonly benchmarks: readonly { readonly name: string; readonly ended: string; readonly results: readonly Result[] }[];
}

async function bench(t: Scope, args: readonly string[]): Promise<Exit & { lines: readonly string[]; stderr: string }> {
  const child = spawnNode(t, RUN, { args });
  return { ...(await child.exited), lines: child.lines, stderr: child.stderr() };
}

test('a benchmark by its name, as text, JSON and a page that needs nothing else', async (t) => {
  const folder = tempDir(t);
  const [json, html] = [join(folder, 'new', 'bench.json'), join(folder, 'new', 'bench.html')];
  const { code, lines, stderr } = await bench(t, ['mirror-reads', '--quick', '--json', json, '--html', html]);
  t.is(code, 0, stderr);
  t.true(lines.some((line) => line.startsWith('[1/1] mirror-reads')));

  const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
  t.is(report.machine.node, process.version);
  t.true(report.machine.cores > 0);
  t.true(report.quick);
  const [found] = report.benchmarks;
  t.is(found?.ended, 'ok');
  const table = found?.results.find(({ type }) => type === 'table');
  for (const { name, ratio } of table?.rows ?? []) {
    t.true(lines.some((line) => line.startsWith(name)));
    t.true(ratio.low <= ratio.median && ratio.median <= ratio.high && ratio.low > 0, name);
  }
  t.is(table?.rows?.length, 2);

  const page = readFileSync(html, 'utf8');
  t.true(page.includes(`Node ${process.version}`));
  t.regex(page, /<svg [^>]*role="img"/);
  t.regex(page, /prefers-color-scheme: dark/);
  t.notRegex(page, /<script|<link|<img|@import|url\(|https?:/);
  t.notRegex(page, /NaN|undefined|Infinity/);
});

test('an unknown name is refused, with those that there are', async (t) => {
  const json = join(tempDir(t), 'none.json');
  const { code, lines, stderr } = await bench(t, ['mirror-writes', '--json', json]);
  t.is(code, 1);
  t.regex(stderr, /No benchmark is called mirror-writes/);
  t.true(lines.includes('mirror-reads'));
  t.false(existsSync(json));
});

test('without a compiler the floor is skipped, and says why', async (t) => {
  const child = spawnNode(t, FLOOR, { args: ['--quick'], env: { CXX: '/nonexistent/compiler' } });
  t.is((await child.exited).code, 0, child.stderr());
  t.true(
    child.lines.some((line) => /^floor: skipped: .*\/nonexistent\/compiler.*apt-get install/.test(line)),
    child.lines.join('\n'),
  );
});
