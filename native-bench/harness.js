// @ts-check
/** Ratios taken in one run. */
const ROUNDS = process.argv.includes('--quick') ? 5 : 41;
const CALLS = 200_000;
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

/** @param {(n: number) => unknown} run */
async function time(run, calls = CALLS) {
  const started = performance.now();
  await run(calls);
  return ((performance.now() - started) * 1e6) / calls;
}

/** @param {number[]} numbers */
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;

/**
 * Prints what `ours` costs, what `floor` costs, and the ratio. Both run in turns, block by block, and the median of the blocks'
 * ratios counts, so a busy machine moves both sides alike.
 *
 * @param {string} name @param {(n: number) => unknown} ours @param {(n: number) => unknown} floor @param {string} target
 */
export async function compare(name, ours, floor, target) {
  for (let i = 0; i < 8; i++) {
    await ours(CALLS);
    await floor(CALLS);
  }
  // A moment without work, so that the compiler's threads and the pulse have had theirs.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const ratios = [];
  const a = [];
  const b = [];
  for (let i = 0; i < ROUNDS; i++) {
    const first = i % 2 === 0;
    const x = first ? await time(ours) : 0;
    const y = await time(floor);
    const z = first ? x : await time(ours);
    a.push(z);
    b.push(y);
    ratios.push(z / y);
  }
  console.log(
    `${name.padEnd(46)} ${median(a).toFixed(1).padStart(7)} ns  floor ${median(b).toFixed(1).padStart(7)} ns  ratio ${median(ratios).toFixed(2)}  (${target})`,
  );
}
