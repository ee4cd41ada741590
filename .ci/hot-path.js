// @ts-check
/**
 * Whether a hit, once its code is optimized, allocates, is thrown back to slower code, or changes a hidden class: a defect each.
 *
 *     node .ci/hot-path.js        needs dist/; fails with what it found
 *
 * The hits are taken in a process of their own, under `--trace-opt --trace-deopt`. Each kind runs several rounds, and the last
 * two are judged: V8 compiles on other threads, and when it is done is its own affair.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Bytes a hit: less than any object, more than what the heap's own books move. */
const NOTHING = 0.5;
const JUDGED = 2;

const folder = mkdtempSync(join(tmpdir(), 'hot-path-'));
// To a file, which V8 writes at once, one for each thread: what goes to the standard output it writes when its buffer is full.
const flags = ['--trace-opt', '--trace-deopt', '--redirect-code-traces'];
const needs = ['--expose-gc', '--allow-natives-syntax', '--min-semi-space-size=64', '--max-semi-space-size=64'];
const child = fileURLToPath(new URL('../native-bench/support/hot-hits.js', import.meta.url));
const { pid, status, stdout, stderr } = spawnSync(process.execPath, [...flags, ...needs, child], { encoding: 'utf8', cwd: folder });
const optimized = readFileSync(join(folder, `code-${pid}-0.asm`), 'utf8')
  .split('\n')
  .filter((line) => line.includes('completed optimizing'));
rmSync(folder, { recursive: true, force: true });
if (status !== 0) {
  console.error(stderr || stdout.slice(-4000));
  process.exit(1);
}

/** @typedef {{ name: string, loop: string, missed: number, bytes: number, written: string, isChanged: boolean, floor?: string, extra?: number }} Round */
/** @type {Map<string, Round[]>} */
const kinds = new Map();
for (const line of stdout.split('\n')) {
  if (!line.startsWith('{')) continue;
  const round = /** @type {Round} */ (JSON.parse(line));
  kinds.set(round.name, [...(kinds.get(round.name) ?? []), round]);
}

/** A loop that leaves its code for a faster one (on-stack replacement) is on its way up. @param {string} line */
const isFall = (line) => /\[bailout |\[marking dependent code/.test(line) && !line.includes('on stack replacement');

/** @param {string} name */
const bytesOf = (name) => Math.min(...(kinds.get(name) ?? []).slice(-JUDGED).map(({ bytes }) => bytes));

let failed = kinds.size === 0;
for (const [name, rounds] of kinds) {
  const judged = rounds.slice(-JUDGED);
  const { loop, floor, extra = 0 } = /** @type {Round} */ (judged[0]);
  const allowed = (floor === undefined ? 0 : bytesOf(floor)) + extra + NOTHING;
  const isFloor = [...kinds.values()].some(([one]) => one?.floor === name);
  const faults = [
    ...(optimized.some((line) => line.includes(`<JSFunction ${loop} `)) ? [] : ['its loop was never optimized']),
    ...judged.flatMap(({ written }) => written.split('\n').filter((line) => isFall(line))),
    ...(judged.some(({ missed }) => missed > 0) ? ['not all were hits'] : []),
    ...(judged.some(({ isChanged }) => isChanged) ? ["a node's hidden class is another one than before"] : []),
    ...(bytesOf(name) <= allowed || isFloor ? [] : [`more than ${allowed.toFixed(1)} bytes`]),
  ];
  const bad = faults.length > 0;
  const lines = [`${bad ? 'FAULT' : 'ok   '} ${name.padEnd(34)} ${bytesOf(name).toFixed(1).padStart(6)} bytes a hit`, ...faults];
  (bad ? console.error : console.log)(lines.join('\n        '));
  failed ||= bad;
}
if (failed) process.exitCode = 1;
