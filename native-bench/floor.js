// @ts-check
/**
 * How far this is from what the processor can do: the protocol of the mirror in C++ (support/floor/floor.cpp), beside ours, by turns.
 *
 *     npm run bench -- floor [--quick]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bg, configure } from '../dist/index.js';
import { buildFloor } from './support/floor/build.js';
import { ourFigures } from './support/floor/node-side.js';
import { sizeText } from './support/mirrors/value.js';
import { bars, isQuick, progress, skipped, table } from './support/results.js';
import { spread } from './support/stats.js';

const SIZES = isQuick ? [1e3, 1e5] : [1e3, 1e5, 1e7, 1e8];
const ROUNDS = isQuick ? 2 : 9;
const MILLISECONDS = isQuick ? 15 : 150;

/** What of ours stands beside what of the floor. */
const ROWS = [
  { what: 'a read', ours: 'read 0', floor: 'read, inlined check 0' },
  ...SIZES.flatMap((size) => [
    { what: `copy of ${sizeText(size)} into shared memory`, ours: `copy ${size}`, floor: `copy ${size}` },
    { what: `publish of ${sizeText(size)}`, ours: `publish ${size}`, floor: `publish ${size}` },
    { what: `… its checksum alone`, ours: `checksum ${size}`, floor: undefined },
    { what: `take of ${sizeText(size)}, not decoded`, ours: `take ${size}`, floor: `take ${size}` },
    { what: '… into fresh memory', ours: `take ${size}`, floor: `take into fresh memory ${size}` },
  ]),
  { what: 'seen by another thread that spins', ours: 'visible, spinning 0', floor: 'visible in another thread, spinning 0' },
  { what: 'seen by another thread that is woken', ours: 'visible, woken 0', floor: 'visible in another thread, woken 0' },
  { what: 'seen by another process that spins', ours: undefined, floor: 'visible in another process, spinning 0' },
];

const program = buildFloor();
if (typeof program === 'string') skipped('floor', program);
else {
  const directory = mkdtempSync(join(tmpdir(), 'floor-'));
  configure({ namespace: 'floor', directory });
  try {
    await compareWith(program);
  } finally {
    await bg.shutdown();
    program.remove();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @param {Exclude<ReturnType<typeof buildFloor>, string>} built */
async function compareWith({ run }) {
  /** @type {{ ours: Map<string, number>, floor: Map<string, number> }[]} */
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    progress(`round ${round + 1} of ${ROUNDS}`);
    rounds.push({ floor: run(MILLISECONDS, SIZES), ours: await ourFigures(MILLISECONDS, SIZES) });
  }
  const rows = ROWS.map(({ what, ours, floor }) => {
    const of = (/** @type {'ours' | 'floor'} */ side, /** @type {string | undefined} */ name) =>
      rounds.map((round) => round[side].get(name ?? '') ?? Number.NaN);
    const [a, b] = [of('ours', ours), of('floor', floor)];
    return { what, ours: spread(a), floor: spread(b), ratio: spread(a.map((time, i) => time / (b[i] ?? Number.NaN))) };
  });
  table({
    title: 'Beside C++',
    columns: [
      { key: 'what', label: 'what' },
      { key: 'ours', label: 'ours', unit: 'ns' },
      { key: 'floor', label: 'C++', unit: 'ns' },
      { key: 'ratio', label: 'ratio', unit: '×' },
    ],
    rows,
    note:
      'A read in C++ is one load and a branch that the processor foresees: what is left of ours is the call. The C++ has no checksum, no times and ' +
      'no bounds to check, and is woken by a pipe. A take of ours is into fresh memory.',
  });
  bars({
    title: 'Ours, as a ratio to C++',
    unit: '×',
    log: true,
    mark: { at: 1, label: 'C++' },
    bars: rows
      .filter(({ ratio }) => Number.isFinite(ratio.median))
      .map(({ what, ratio: { median, low, high } }) => ({ label: what, value: median, low, high, ours: true })),
  });
}
