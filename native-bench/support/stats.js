// @ts-check
/** Medians and spreads: no figure of a benchmark is a single run, or a mean that one pause moves. */

/**
 * @typedef {{ median: number, low: number, high: number, samples: number }} Spread
 * `low` and `high` are the quartiles: half of the samples lie between them
 */

/** @param {readonly number[]} numbers @param {number} share 0 to 1, interpolated between neighbours */
export function quantile(numbers, share) {
  const sorted = numbers.toSorted ? numbers.toSorted((a, b) => a - b) : [...numbers].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** @param {readonly number[]} numbers */
export const median = (numbers) => quantile(numbers, 0.5);

/** @param {readonly number[]} numbers @returns {Spread} */
export function spread(numbers) {
  return { median: median(numbers), low: quantile(numbers, 0.25), high: quantile(numbers, 0.75), samples: numbers.length };
}

/** Three significant digits, without an exponent. @param {number} value */
export function digits(value) {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en');
  if (size >= 10) return value.toFixed(1);
  if (size >= 1 || size === 0) return value.toFixed(2);
  return value.toPrecision(2).replace(/e.*/, '');
}

/** Seconds to a width that people read. @param {number} seconds */
export function clockTime(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
}
