// @ts-check
/**
 * Takes every kind of hit, warm and then for long, and tells of each round, in a line of JSON, what it allocated and which traces V8
 * wrote in it. `.ci/hot-path.js` starts it, in a folder for these traces.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InMemCache, bg, cache, configure } from '../../dist/index.js';
import { coarseNow, exactNow, tellNothing } from '../../dist/core/coarse-clock.js';
import { tableOf } from '../../dist/stores/in-mem.js';

/** So few that the young generation holds whatever they allocate, up to 640 bytes each. */
const HITS = 100_000;
const ROUNDS = 8;
/** On a machine that is busy with other work V8's compiler may not get its turn within those: then until it did, so many at most. */
const MOST_ROUNDS = 120;
const IDS = 256;
const WARM_ROUNDS = 40;
const WARM_HITS = 20_000;

/** Where V8 writes the traces of this thread, in the working directory. */
const traces = `code-${process.pid}-0.asm`;
const collectGarbage = /** @type {() => void} */ (globalThis.gc);
/** Whether two objects have one hidden class: a native of V8, which this file's own syntax does not know. */
const haveSameMap = /** @type {(a: object, b: object) => boolean} */ (new Function('a', 'b', 'return %HaveSameMap(a, b)'));

const numbers = Array.from({ length: IDS }, (_, i) => i * 7);
const strings = numbers.map((n) => `u${n}`);
const objects = strings.map((id, i) => ({ id, n: numbers[i] }));

/**
 * @typedef {object} Kind
 * @property {(n: number) => number} spin takes that many hits, answers how many were some
 * @property {unknown} [store] whose nodes a hit must leave as they are
 * @property {string} [floor] the kind that makes the same key by hand, and so allocates it
 * @property {number} [extra] the bytes that this kind is known to allocate besides
 */
/** @type {Map<string, Kind>} */
const kinds = new Map();

/**
 * A loop of its own for each kind, which V8's traces call `spin0`, `spin1` and so on.
 *
 * @param {string} name @param {string} call @param {Record<string, unknown>} scope @param {Omit<Kind, 'spin'>} [more]
 */
function add(name, call, scope, more = {}) {
  const source = `return function spin${kinds.size}(n) { let hits = 0; for (let i = 0; i < n; i++) if (${call} !== undefined) hits++; return hits; }`;
  const all = { numbers, strings, objects, ...scope };
  const spin = new Function(...Object.keys(all), source)(...Object.values(all));
  spin(IDS);
  kinds.set(name, { spin, ...more });
}

// The clock's own thread has been started, has fallen asleep (after a second) and has been called once: what calls it has seen that.
for (let times = 0; times < 2; times++) {
  while (Number.isNaN(coarseNow[0])) {
    for (let i = 0; i < 1000; i++) exactNow();
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (times === 0 && !Number.isNaN(coarseNow[0])) await new Promise((resolve) => setTimeout(resolve, 20));
}

{
  const hit = cache('1h', { key: 'flags' })(() => 1);
  add('sync, static key', 'hit()', { hit }, hit);
}
for (const ids of ['numbers', 'strings']) {
  const hit = cache('1h', { key: 'user:{}' })((/** @type {unknown} */ id) => ({ id }));
  add(`sync, 'user:{}', ${ids}`, `hit(${ids}[i & 255])`, { hit }, hit);
}
{
  const hit = cache('1h', { key: 'user:{id}' })((/** @type {unknown} */ _, /** @type {string} */ id) => id);
  add('sync, a named second argument', 'hit(1, strings[i & 255])', { hit }, hit);
}
{
  const hit = cache('1h', { key: 'user:{id}' })((/** @type {{ id: string }} */ { id }) => id);
  add('sync, a property', 'hit(objects[i & 255])', { hit }, hit);
}
{
  const hit = cache('1h', { key: 'order:{}:{}' })((/** @type {string} */ a, /** @type {string} */ b) => a + b);
  add('sync, two arguments', 'hit(strings[i & 31], strings[i & 255])', { hit }, hit);
}
{
  const hit = cache('1h', { key: 'order:{id}:{n}' })((/** @type {{ id: string, n: number }} */ { id, n }) => id + n);
  add('sync, two properties', 'hit(objects[i & 255])', { hit }, hit);
}
{
  const hit = cache('1h', { key: 'user:{}', store: new InMemCache({ maxEntries: 1000 }) })((/** @type {string} */ id) => id);
  add('sync, a bounded store', 'hit(strings[i & 255])', { hit }, hit);
}
{
  const hit = cache('1h', { key: 'user:{}', stale: '1h' })((/** @type {string} */ id) => id);
  add('stale-while-revalidate, fresh', 'hit(strings[i & 255])', { hit }, hit);
}
{
  let loads = 0;
  const hit = cache('1ms', { key: 'user:{}', stale: '1h' })((/** @type {string} */ id) => (loads++ < IDS ? id : new Promise(() => {})));
  for (const id of strings) void hit(id);
  // Stale from now on; the first call of each starts a refresh that never ends.
  await new Promise((resolve) => setTimeout(resolve, 50));
  add('stale-while-revalidate, stale', 'hit(strings[i & 255])', { hit }, hit);
}
{
  const hit = cache('1h', { key: 'flags' })(async () => 1);
  await hit();
  add('async, static key', 'hit()', { hit }, hit);
}
{
  const hit = cache('1h', { key: 'user:{}' })(async (/** @type {string} */ id) => id);
  await Promise.all(strings.map((id) => hit(id)));
  add("async, 'user:{}'", 'hit(strings[i & 255])', { hit }, hit);
}
{
  const hit = cache('1h', { key: (/** @type {string} */ id) => 'user:' + id })((/** @type {string} */ id) => id);
  add('sync, a key function', 'hit(strings[i & 255])', { hit }, { store: hit.store, floor: 'Map, a built key' });
  const map = new Map(strings.map((id) => ['user:' + id, id]));
  add('Map, a built key', "map.get('user:' + strings[i & 255])", { map });
}
{
  const hit = cache('1h', { key: 'order:{}:{}:{}' })((/** @type {string[]} */ ...all) => all.join());
  add(
    'sync, three arguments',
    'hit(strings[i & 31], strings[i & 255], numbers[i & 7])',
    { hit },
    {
      store: hit.store,
      floor: 'Map, a key built of three',
      // The list of the arguments.
      extra: 60,
    },
  );
  const map = new Map(numbers.map((_, i) => [`order:${strings[i & 31]}:${strings[i & 255]}:${numbers[i & 7]}`, i]));
  add('Map, a key built of three', 'map.get(`order:${strings[i & 31]}:${strings[i & 255]}:${numbers[i & 7]}`)', { map });
}
{
  const store = new InMemCache();
  store.set('flags', 1, 3600);
  add('InMemCache#get', "store.get('flags')", { store }, { store });
}

const directory = mkdtempSync(join(tmpdir(), 'hot-path-'));
configure({ namespace: 'hot-path', directory });
const writer = bg.write(3600, { key: 'rates' }, () => ({ rate: 1 }));
await writer.ready();
add('bg.read()()', 'read()', { read: bg.read('rates') });
add('bg.read(key, { ttl })()', 'read()', { read: bg.read('rates', { ttl: 7200 }) });

try {
  // In turns, as a program would: what the kinds share has seen all of them, and the coarse clock asleep, before anything counts.
  for (let round = 0; round < WARM_ROUNDS; round++) {
    for (const { spin } of kinds.values()) {
      tellNothing();
      spin(WARM_HITS);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const [name, { spin, store, floor, extra }] of kinds) {
    const table = tableOf(store);
    const makesKey = floor !== undefined || [...kinds.values()].some((one) => one.floor === name);
    const nodes = [...(table?.nodes.values() ?? [])];
    // Never hit: what the others are compared to.
    const control = table?.put('control', 1, 3600, 3600, 0, 0);
    // What it allocates shows nothing of how far the compiler is, where a key is made: more rounds in any case.
    const least = floor === undefined ? ROUNDS : 3 * ROUNDS;
    for (let round = 0, settled = 0; round < least || (settled < 2 && round < MOST_ROUNDS); round++) {
      // What V8 compiles on its own thread may arrive.
      await new Promise((resolve) => setTimeout(resolve, round < ROUNDS ? 2 : 20));
      collectGarbage();
      const from = statSync(traces).size;
      const before = process.memoryUsage().heapUsed;
      const hits = spin(HITS);
      const bytes = (process.memoryUsage().heapUsed - before) / HITS;
      const written = readFileSync(traces, 'utf8').slice(from);
      const isChanged = control !== undefined && !nodes.every((node) => haveSameMap(node, control));
      const isSettled = !written.includes('[bailout ') && (bytes < 0.5 || makesKey);
      settled = isSettled ? settled + 1 : 0;
      console.log(JSON.stringify({ name, loop: spin.name, missed: HITS - hits, bytes, written, isChanged, floor, extra }));
    }
  }
} finally {
  await bg.shutdown();
  rmSync(directory, { recursive: true, force: true });
}
