// @ts-check
/**
 * Runs the benchmarks, each in a process of its own, one after the other, and keeps what they found as JSON and as a page with charts.
 *
 *     npm run bench                          all of them
 *     npm run bench -- mirror-reads floor    those whose names are given
 *     npm run bench -- --quick               few rounds and small values: shows that they run, and no more
 *     npm run bench -- --list                their names
 *     npm run bench -- --json FILE --html FILE    where to; default native-bench/results/latest.json and .html
 *     npm run bench -- --charts FOLDER       each chart as an SVG file too
 *     npm run bench -- --keep NAME…          what the JSON has of other benchmarks stays in it: a report made in pieces
 *
 * `--readers N`, `--kind threads`, `--size BYTES`, `--by readers`, `--records N` and `--part NAME` go to the benchmarks, whose first lines say
 * which know them. With `--keep` each piece of one benchmark stands for itself.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, machineText } from './support/machine.js';
import { chartFiles, htmlReport } from './support/report/html.js';
import { clockTime } from './support/stats.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const notBenchmarks = ['harness.js', 'run.js'];
const all = readdirSync(here)
  .filter((name) => name.endsWith('.js') && !notBenchmarks.includes(name))
  .map((name) => name.slice(0, -3))
  .sort();

const { values, tokens } = parseArgs({
  args: process.argv.slice(2),
  options: {
    quick: { type: 'boolean' },
    list: { type: 'boolean' },
    json: { type: 'string' },
    html: { type: 'string' },
    charts: { type: 'string' },
    keep: { type: 'boolean' },
    readers: { type: 'string' },
    kind: { type: 'string' },
    size: { type: 'string' },
    by: { type: 'string' },
    records: { type: 'string' },
    part: { type: 'string' },
  },
  allowPositionals: true,
  tokens: true,
});
const asked = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
const unknown = asked.filter((name) => !all.includes(name));
if (values.list || unknown.length > 0) {
  if (unknown.length > 0) console.error(`No benchmark is called ${unknown.join(', ')}. There are:`);
  console.log(all.join('\n'));
  process.exit(unknown.length > 0 ? 1 : 0);
}

const names = asked.length > 0 ? asked : all;
const PIECES = /** @type {const} */ (['readers', 'kind', 'size', 'by', 'records', 'part']);
const pieces = PIECES.flatMap((name) => (values[name] ? [`--${name}`, values[name]] : []));
const options = [...(values.quick ? ['--quick'] : []), ...pieces];
/** Of a benchmark, and of the piece of it. @param {string} name */
const titleOf = (name) => [name, ...pieces].join(' ');
const machine = describeMachine();
console.log(machineText(machine));

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.once(signal, () => process.exit(1));
const scratch = mkdtempSync(join(tmpdir(), 'advanced-caching-results-'));
const started = performance.now();
/** @type {import('./support/report/html.js').Benchmark[]} */
const benchmarks = [];
try {
  for (const name of names) {
    const elapsed = clockTime((performance.now() - started) / 1000);
    console.log(`\n[${benchmarks.length + 1}/${names.length}] ${name}  (${elapsed} so far)`);
    benchmarks.push(await run(name));
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

const jsonFile = values.json ?? join(here, 'results', 'latest.json');
/** @type {import('./support/report/html.js').Report} */
const report = { machine, quick: values.quick ?? false, benchmarks: values.keep ? [...othersOf(jsonFile), ...benchmarks] : benchmarks };
const json = keep(jsonFile, JSON.stringify(report, undefined, 1));
const html = keep(values.html ?? join(here, 'results', 'latest.html'), htmlReport(report));
if (values.charts) for (const [name, chart] of chartFiles(report)) keep(join(values.charts, name), chart);
const failed = benchmarks.filter(({ ended }) => ended !== 'ok');
console.log(`\n${names.length} benchmarks in ${clockTime((performance.now() - started) / 1000)}, ${failed.length} failed. ${json} ${html}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** @param {string} name @returns {Promise<import('./support/report/html.js').Benchmark>} */
async function run(name) {
  const file = join(scratch, `${name}.jsonl`);
  const begin = performance.now();
  const child = spawn(process.execPath, [join(here, `${name}.js`), ...options], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, BENCH_RESULTS: file },
  });
  const end = () => void child.kill();
  process.once('exit', end);
  const [code, signal] = await once(child, 'exit');
  process.off('exit', end);
  const results = linesOf(file);
  const ended = code !== 0 ? `ended with ${signal ?? code}` : results.length === 0 ? 'handed over no result' : 'ok';
  if (ended !== 'ok') console.error(`${name} ${ended}`);
  return { name: titleOf(name), seconds: (performance.now() - begin) / 1000, ended, results };
}

/** What an earlier run has found, of other benchmarks than this one's. @param {string} file @returns {import('./support/report/html.js').Benchmark[]} */
function othersOf(file) {
  if (!existsSync(file)) return [];
  /** @type {import('./support/report/html.js').Report} */
  const { benchmarks: before } = JSON.parse(readFileSync(file, 'utf8'));
  return before.filter(({ name }) => !benchmarks.some((one) => one.name === name));
}

/** @param {string} file @returns {import('./support/results.js').Result[]} */
function linesOf(file) {
  try {
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  } catch {
    // A benchmark that failed before its first result has no file.
    return [];
  }
}

/** @param {string} file @param {string} content @returns {string} its path, from where the reader is */
function keep(file, content) {
  const path = resolve(file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return relative(process.cwd(), path);
}
