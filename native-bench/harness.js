// @ts-check
/**
 * Ratios taken in one run: what is compared runs by turns, block by block, in one process, and what counts is the median of the ratios of
 * neighbouring blocks. A busy or throttled machine moves both sides of such a ratio alike.
 *
 * mitata and tinybench were looked at and left out: both finish one subject before they begin the next, so that a machine whose speed drifts
 * between the two (every laptop, every shared server) puts the drift into the ratio; and most of what is measured here is no function of one process.
 */
import { bars, clearProgress, isQuick, printedTable, progress } from './support/results.js';
import { digits, spread } from './support/stats.js';

export { isQuick } from './support/results.js';

const ROUNDS = isQuick ? 5 : 41;
const WARM_UPS = isQuick ? 3 : 8;
const CALLS = isQuick ? 50_000 : 200_000;

/**
 * A loop of its own for each subject: a shared one would be megamorphic, and measure that instead.
 *
 * @param {string} body one call, adding to `sum` @param {Record<string, unknown>} scope the names in it @param {boolean} [isAsync]
 * @returns {(n: number) => unknown}
 */
export function loop(body, scope, isAsync = false) {
  const source = `return ${isAsync ? 'async ' : ''}function (n) { let sum = 0; for (let i = 0; i < n; i++) { ${body} } return sum; }`;
  return new Function(...Object.keys(scope), source)(...Object.values(scope));
}

/** @param {(n: number) => unknown} run @returns {Promise<number>} nanoseconds a call */
async function time(run, calls = CALLS) {
  const started = performance.now();
  await run(calls);
  return ((performance.now() - started) * 1e6) / calls;
}

/**
 * @typedef {import('./support/stats.js').Spread} Spread
 * @typedef {{ ours: Spread, floor: Spread, ratio: Spread }} Rounds
 * @typedef {Rounds & { name: string, target?: string }} Comparison
 */

/** By the unit of their figures. @type {Map<string, Comparison[]>} */
const compared = new Map();

/**
 * Nanoseconds of two loops by turns, warmed up.
 *
 * @param {number} rounds @param {(n: number) => unknown} ours @param {(n: number) => unknown} floor @returns {Promise<Rounds>}
 */
async function timeBoth(rounds, ours, floor) {
  for (let i = 0; i < WARM_UPS; i++) {
    await ours(CALLS);
    await floor(CALLS);
  }
  // A moment without work, so that the compiler's threads and the pulse have had theirs.
  await new Promise((resolve) => setTimeout(resolve, 20));
  return inTurns(
    rounds,
    () => time(ours),
    () => time(floor),
  );
}

/**
 * Prints what `ours` costs, what `floor` costs, and the ratio. The first of the two changes from round to round.
 *
 * @param {string} name @param {(n: number) => unknown} ours @param {(n: number) => unknown} floor @param {string} target
 */
export async function compare(name, ours, floor, target) {
  progress(name);
  tell({ name, ...(await timeBoth(ROUNDS, ours, floor)), target }, 'ns');
}

/**
 * The same of two bodies of `loop`, for a table of the caller's own.
 *
 * @param {string} ours @param {string} floor @param {Record<string, unknown>} scope @param {number} rounds
 */
export const compareBlocks = (ours, floor, scope, rounds) => timeBoth(rounds, loop(ours, scope), loop(floor, scope));

/**
 * The same of two rates, where more is better: the ratio is the share of the other's rate that ours reaches.
 *
 * @param {string} name @param {number} rounds after one that warms up @param {() => Promise<number>} ours operations a second
 * @param {() => Promise<number>} other
 */
export async function compareRates(name, rounds, ours, other) {
  progress(name);
  await ours();
  await other();
  tell({ name, ...(await inTurns(rounds, ours, other)) }, '/s');
}

/**
 * Two measurements by turns, whatever they measure.
 *
 * @param {number} rounds @param {() => Promise<number>} ours @param {() => Promise<number>} other @returns {Promise<Rounds>}
 */
export async function inTurns(rounds, ours, other) {
  const a = [];
  const b = [];
  const ratios = [];
  for (let round = 0; round < rounds; round++) {
    const first = round % 2 === 0 ? await ours() : undefined;
    const y = await other();
    const x = first ?? (await ours());
    a.push(x);
    b.push(y);
    ratios.push(x / y);
  }
  return { ours: spread(a), floor: spread(b), ratio: spread(ratios) };
}

/** Prints a comparison, and keeps it for the end of the script. @param {Comparison} comparison @param {string} unit */
export function tell(comparison, unit) {
  if (compared.size === 0) process.once('exit', handOverComparisons);
  compared.set(unit, [...(compared.get(unit) ?? []), comparison]);
  const { name, ours, floor, ratio, target } = comparison;
  const figure = (/** @type {Spread} */ of) => `${digits(of.median).padStart(7)} ${unit}`;
  const verdict = target === undefined || isQuick ? '' : `  (${target})`;
  clearProgress();
  console.log(
    `${name.padEnd(46)} ${figure(ours)}  beside ${figure(floor)}  ratio ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})${verdict}`,
  );
}

/** All comparisons of this script, as tables and charts. */
function handOverComparisons() {
  for (const [unit, rows] of compared) {
    printedTable({
      title: unit === '/s' ? 'Rates of one run' : 'Costs of one run',
      columns: [
        { key: 'name', label: 'what' },
        { key: 'ours', label: 'ours', unit },
        { key: 'floor', label: 'beside', unit },
        { key: 'ratio', label: 'ratio', unit: '×' },
        ...(rows.some(({ target }) => target !== undefined) ? [{ key: 'target', label: 'target' }] : []),
      ],
      rows: rows.map(({ name, ours, floor, ratio, target }) => ({ name, ours, floor, ratio, target })),
    });
    bars({
      title:
        unit !== '/s'
          ? 'Cost, as a ratio to what stands beside it: less is better'
          : 'Share of the rate of what stands beside it: more is better',
      unit: '×',
      mark: { at: 1, label: 'the same' },
      bars: rows.map(({ name, ratio }) => ({ label: name, value: ratio.median, low: ratio.low, high: ratio.high, ours: true })),
    });
  }
}
