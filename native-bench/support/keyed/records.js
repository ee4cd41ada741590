// @ts-check
/** The records of the benchmark of keyed mirrors, about 110 bytes of JSON each; as a loader, each run changes one of a hundred of them. */

/** @typedef {ReturnType<typeof recordOf>} Record */

/** @param {number} i @param {number} [round] */
export const recordOf = (i, round = 0) => ({
  id: i,
  name: `Amsterdam ${i}`,
  country: 'NL',
  lat: 52.37403 + (i % 1000) / 1000,
  lng: 4.88969,
  admin1: '07',
  population: i % 100 === 0 ? round : 741_636,
});

/** @param {number} i */
export const keyOf = (i) => `NL/city-${i}`;

/**
 * The same as a service gets it, out of a request: not made from a number. V8 keeps the strings of many numbers that it has made, and what it keeps
 * makes the young generation grow, whatever is looked up then and wherever.
 *
 * @param {number} i
 */
export function requestFor(i) {
  let digits = '';
  for (let rest = i; digits === '' || rest > 0; rest = Math.floor(rest / 10)) digits = '0123456789'.charAt(rest % 10) + digits;
  return `NL/city-${digits}`;
}

/** Bytes of the largest snapshot of them. */
export const MAX_BYTES = 600_000_000;

/** @param {number} count @param {number} [round] @returns {Generator<[string, Record]>} */
export function* records(count, round) {
  for (let i = 0; i < count; i++) yield [keyOf(i), recordOf(i, round)];
}

let round = 0;
const count = Number(process.env['BENCH_RECORDS']);

/** As many as `BENCH_RECORDS` says. */
export default function load() {
  return records(count, ++round);
}

/** The same as one value. */
export function whole() {
  return Object.fromEntries(load());
}
