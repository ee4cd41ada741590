// @ts-check
/** The records of the keyed benchmark, about 110 bytes of JSON each; as a loader, each run changes one of a hundred of them. */

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

let round = 0;

/** @returns {Generator<[string, ReturnType<typeof recordOf>]>} */
export default function* load() {
  round++;
  const count = Number(process.env['BENCH_RECORDS']);
  for (let i = 0; i < count; i++) yield [keyOf(i), recordOf(i, round)];
}

/** The same as one value. */
export function whole() {
  return Object.fromEntries(load());
}
