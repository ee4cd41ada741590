// @ts-check
/** Many subjects beside one, in one process: each round runs a block of each, beginning with another one each time. */

import { bars, isQuick, progress, table } from './results.js';
import { quantile, spread } from './stats.js';

const ROUNDS = isQuick ? 5 : 31;
/** Milliseconds of a block, and of a subject's warm-up. */
const BLOCK = isQuick ? 1 : 4;
const WARM_UP = isQuick ? 20 : 120;

/**
 * @typedef {{ name: string, run: (n: number) => unknown }} Subject
 * @typedef {{ name: string, ns: number, ratio: number, low: number, high: number, samples: number }} Row
 * `ratio`: how many times the first subject's cost, the median of the rounds' ratios; half of them are between `low` and `high`
 */

/** @param {(n: number) => unknown} run @param {number} calls @returns {Promise<number>} milliseconds */
async function time(run, calls) {
  const started = performance.now();
  await run(calls);
  return performance.now() - started;
}

/** Warms a subject up, and finds how many calls fill a block. @param {Subject} subject */
async function blockOf({ run }) {
  let calls = 16;
  let took = 0;
  const ends = performance.now() + WARM_UP;
  while (performance.now() < ends || took < BLOCK / 2) {
    took = await time(run, calls);
    if (took < BLOCK / 2) calls *= 2;
  }
  return calls;
}

/** @param {Subject[]} subjects the first is what the others are compared to @returns {Promise<Row[]>} */
export async function inRounds(subjects) {
  const blocks = [];
  for (const subject of subjects) {
    progress(subject.name);
    blocks.push({ ...subject, calls: await blockOf(subject), costs: /** @type {number[]} */ ([]) });
  }
  // A moment without work, so that the compiler's threads and the pulse have had theirs.
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < blocks.length; i++) {
      const block = /** @type {(typeof blocks)[0]} */ (blocks[(i + round) % blocks.length]);
      block.costs.push(((await time(block.run, block.calls)) * 1e6) / block.calls);
    }
  }
  const first = [...(blocks[0]?.costs ?? [])];
  return blocks.map(({ name, costs }) => {
    const { median: ratio, low, high, samples } = spread(costs.map((cost, i) => cost / /** @type {number} */ (first[i])));
    return { name, ns: quantile(costs, 0.5), ratio, low, high, samples };
  });
}

/** @param {string} title @param {Row[]} rows */
export function tell(title, rows) {
  table({
    title,
    columns: [
      { key: 'name', label: 'what' },
      { key: 'ns', label: 'cost', unit: 'ns' },
      { key: 'ratio', label: 'to the first', unit: '×' },
    ],
    rows: rows.map(({ name, ns, ratio, low, high, samples }) => ({ name, ns, ratio: { median: ratio, low, high, samples } })),
  });
  bars({
    title,
    unit: '×',
    mark: { at: 1, label: 'the first' },
    bars: rows.map(({ name, ratio, low, high }) => ({ label: name, value: ratio, low, high })),
  });
}
