// @ts-check
/** The newest of many measurements: enough for percentiles, and bounded however long the server runs. */
const KEPT = 2000;

export function createSamples() {
  /** @type {number[]} */
  let samples = [];
  let next = 0;
  return {
    /** @param {number} sample */
    add(sample) {
      samples[next % KEPT] = sample;
      next += 1;
    },
    all: () => samples,
    clear() {
      samples = [];
      next = 0;
    },
  };
}

/**
 * @param {readonly number[]} samples
 * @param {number} percent
 */
export function percentile(samples, percent) {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
}
