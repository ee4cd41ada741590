// @ts-check
/**
 * What a benchmark hands over: tables, charts and why something was left out. Each is printed at once, and, where `run.js` started the benchmark,
 * written to the file that `BENCH_RESULTS` names, one JSON a line: a benchmark that dies half-way has given what it had.
 */
import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { printTable } from './report/terminal.js';

/** Few rounds and small values: shows that everything runs. Its absolute times say nothing. */
export const isQuick = process.argv.includes('--quick');

/** What follows `--name`, as a number. @param {string} name */
export function numberOption(name) {
  const at = process.argv.indexOf(`--${name}`);
  const value = Number(process.argv[at + 1]);
  if (at === -1) return undefined;
  if (!(value > 0)) throw new RangeError(`Expected --${name} to be a number above 0, got ${process.argv[at + 1]}`);
  return value;
}

/** What follows `--name`, one of these words. @template {string} T @param {string} name @param {readonly T[]} words @returns {T | undefined} */
export function wordOption(name, words) {
  const at = process.argv.indexOf(`--${name}`);
  if (at === -1) return undefined;
  const word = words.find((each) => each === process.argv[at + 1]);
  if (word === undefined) throw new RangeError(`Expected --${name} to be one of ${words.join(', ')}, got ${process.argv[at + 1]}`);
  return word;
}

/**
 * @typedef {string | number | import('./stats.js').Spread | undefined} Cell
 * @typedef {{ key: string, label: string, unit?: string }} Column
 * @typedef {{ [key: string]: Cell }} Row `ours: 1` marks a row of this library
 * @typedef {{ type: 'table', title: string, columns: readonly Column[], rows: readonly Row[], note?: string }} Table
 *
 * @typedef {{ label: string, value: number, low?: number, high?: number, ours?: boolean }} Bar
 * @typedef {{ type: 'bars', title: string, unit: string, log?: boolean, mark?: { at: number, label: string }, bars: readonly Bar[], note?: string }} Bars
 *
 * @typedef {{ x: number, y: number, low?: number, high?: number }} Point
 * @typedef {{ label: string, unit?: string, log?: boolean }} Axis
 * @typedef {{ name: string, ours?: boolean, points: readonly Point[] }} Series
 * @typedef {{ type: 'lines', title: string, x: Axis, y: Axis, series: readonly Series[], note?: string }} Lines
 *
 * @typedef {{ type: 'skipped', title: string, note: string }} Skipped
 * @typedef {Table | Bars | Lines | Skipped} Result
 */

/** @param {Result} result */
function handOver(result) {
  const file = process.env['BENCH_RESULTS'];
  if (file) appendFileSync(file, `${JSON.stringify(result)}\n`);
}

/** @param {Omit<Table, 'type'>} table */
export function table(table) {
  clearProgress();
  printTable(table);
  handOver({ type: 'table', ...table });
}

/** A table of its own rows that were printed as they came. @param {Omit<Table, 'type'>} table */
export function printedTable(table) {
  handOver({ type: 'table', ...table });
}

/** @param {Omit<Bars, 'type'>} chart */
export function bars(chart) {
  handOver({ type: 'bars', ...chart });
}

/** @param {Omit<Lines, 'type'>} chart */
export function lines(chart) {
  handOver({ type: 'lines', ...chart });
}

/** @param {string} title @param {string} why and what would help */
export function skipped(title, why) {
  clearProgress();
  console.log(`${title}: skipped: ${why}`);
  handOver({ type: 'skipped', title, note: why });
}

// By `process.exit`, so that what was started is ended: the handlers of `exit` do that.
if (isMainThread) for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.once(signal, () => process.exit(1));

let shown = false;

/** What is being measured now, on the last line of a terminal; nothing where the output goes to a file. @param {string} what */
export function progress(what) {
  if (!isMainThread || !process.stderr.isTTY) return;
  const width = (process.stderr.columns ?? 80) - 6;
  process.stderr.write(`\r\u001b[2K  … ${what.slice(0, width)}`);
  shown = true;
}

/** Before anything else is printed. */
export function clearProgress() {
  if (shown) process.stderr.write('\r\u001b[2K');
  shown = false;
}
