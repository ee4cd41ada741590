// @ts-check
/**
 * What each part of a hit costs: the parts of the cache that everybody writes first (build the key, look it up in a Map, ask the clock),
 * and what stands in their place here. The table of docs/performance-hits.md.
 *
 *     npm run bench -- hit-parts [--quick]
 *
 * The cost of the loop itself is taken off. Shares are of the plain cache's hit, and times are these shares of its median.
 */
import { InMemoryMetrics, cache } from 'advanced-caching';
import { loop } from './harness.js';
import { bars, table } from './support/results.js';
import { inRounds } from './support/rounds.js';

const IDS = 1024;
const ids = Array.from({ length: IDS }, (_, i) => i * 7);
const objects = ids.map((id) => ({ id }));
const keys = ids.map((id) => `user:${id}`);

/** A cache as one would write it: a Map of the values and of the moments at which they end. */
const entries = new Map(keys.map((key) => [key, { value: 1, freshUntil: Date.now() + 3_600_000 }]));
/** @param {number} id */
function plain(id) {
  const entry = entries.get('user:' + id);
  return entry !== undefined && Date.now() < entry.freshUntil ? entry.value : undefined;
}

const byNumber = new Map(ids.map((id) => [id, 1]));
const promise = Promise.resolve(1);
const word = new Float64Array(new SharedArrayBuffer(8));
const fixed = cache('1h', { key: 'flags' })(() => 1);
const one = cache('1h', { key: 'user:{}' })((/** @type {number} */ id) => id && 1);
const property = cache('1h', { key: 'user:{id}' })((/** @type {{ id: number }} */ { id }) => id && 1);
const two = cache('1h', { key: 'order:{}:{}' })((/** @type {number} */ a, /** @type {number} */ b) => a && b && 1);
const three = cache('1h', { key: 'order:{}:{}:{}' })((/** @type {number[]} */ ...all) => all.length);
const made = cache('1h', { key: (/** @type {number} */ id) => 'user:' + id })((id) => id && 1);
const later = cache('1h', { key: 'user:{}' })(async (/** @type {number} */ id) => id && 1);
const metered = cache('1h', { key: 'user:{}', metrics: new InMemoryMetrics() })((/** @type {number} */ id) => id && 1);
await Promise.all(ids.map((id) => later(id)));

const scope = { ids, objects, keys, entries, plain, byNumber, promise, word, fixed, one, property, two, three, made, later, metered };
/** @param {string} name @param {string} body @param {boolean} [isAsync] */
const part = (name, body, isAsync) => ({ name, run: loop(body, scope, isAsync) });

const BASE = 'the loop, and an id out of an array';
const PLAIN = 'a plain hit: all three';
const rows = await inRounds([
  part(PLAIN, 'sum += plain(ids[i & 1023]);'),
  part(BASE, 'sum += ids[i & 1023];'),
  part("build the key: 'user:' + id, and its hash", "sum += entries.has('-' + ids[i & 1023]) ? 1 : 0;"),
  part('Map.get of a key that is there already', 'sum += entries.get(keys[i & 1023]).value;'),
  part('Date.now()', 'sum += Date.now();'),
  part('performance.now()', 'sum += performance.now();'),
  part('the word of the coarse clock, compared', 'if (word[0] < ids[i & 1023]) sum++;'),
  part('Map.get of the number itself', 'sum += byNumber.get(ids[i & 1023]);'),
  part('`await` of a Promise that is stored', 'sum += await promise;', true),
  part('a hit, static key', 'sum += fixed();'),
  part("a hit, 'user:{}'", 'sum += one(ids[i & 1023]);'),
  part("a hit, 'user:{id}', a property", 'sum += property(objects[i & 1023]);'),
  part("a hit, 'order:{}:{}'", 'sum += two(ids[i & 31], ids[i & 1023]);'),
  part("a hit, 'order:{}:{}:{}': the key is built", 'sum += three(ids[i & 31], ids[i & 1023], ids[i & 7]);'),
  part('a hit, a key function', 'sum += made(ids[i & 1023]);'),
  part("an asynchronous hit, 'user:{}', awaited", 'sum += await later(ids[i & 1023]);', true),
  part("a hit, 'user:{}', with InMemoryMetrics", 'sum += metered(ids[i & 1023]);'),
]);
// Of the ratios of the rounds, and not of the medians of the times: on a busy machine only these hold.
const empty = rows.find(({ name }) => name === BASE)?.ratio ?? NaN;
const whole = rows[0]?.ns ?? NaN;
const parts = rows
  .filter(({ name }) => name !== BASE)
  .map(({ name, ratio }) => {
    const cost = Math.max(ratio - empty, 0);
    return { name, ns: cost * whole, share: (cost / (1 - empty)) * 100 };
  });
table({
  title: 'What each part of a hit costs',
  columns: [
    { key: 'name', label: 'part' },
    { key: 'ns', label: 'cost', unit: 'ns' },
    { key: 'share', label: 'of a plain hit', unit: '%' },
  ],
  rows: parts,
  note: 'The cost of the loop itself is taken off.',
});
bars({
  title: 'What each part of a hit costs',
  unit: 'ns',
  bars: parts.map(({ name, ns }) => ({
    label: name,
    value: ns,
    ours: name.startsWith('a hit,') || name.startsWith('an asynchronous hit'),
  })),
});
