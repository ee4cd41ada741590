// @ts-check
/**
 * What a hit costs here and in other caches, in one process and by turns, with one key and with many.
 *
 *     npm run bench -- cache-peers [--quick]
 *
 * Each is used as its documentation shows it, with a time to live where it has one, and, where it needs a key, given `'user:' + id`:
 * making it is a part of its price. Where a cache can do with less, it may: the numbers themselves as keys, values that are not
 * serialized.
 */
import { TTLCache } from '@isaacs/ttlcache';
import { cachified } from '@epic-web/cachified';
import { createCache as createDedupe } from 'async-cache-dedupe';
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { createCache as createManager } from 'cache-manager';
import { Cacheable, CacheableMemory } from 'cacheable';
import { Loader } from 'layered-loader';
import { LRUCache } from 'lru-cache';
import pMemoize from 'p-memoize';
import { cache } from 'advanced-caching';
import { loop } from './harness.js';
import { inRounds, tell } from './support/rounds.js';

const HOUR = 3_600_000;
const MANY = 100_000;
/** A power of two above it. */
const AROUND = 131_072;

/** The loaded value of each id: a number, so that a loop can use it. @param {number} id */
const load = (id) => id + 1;

/** @param {number[]} ids */
function syncSubjects(ids) {
  const max = ids.length * 2;
  const hit = cache('1h', { key: 'user:{}' })(load);
  const map = new Map();
  const lru = new LRUCache({ max, ttl: HOUR });
  const lruById = new LRUCache({ max, ttl: HOUR });
  const ttlCache = new TTLCache({ max, ttl: HOUR });
  const memory = new CacheableMemory({ ttl: '1h', lruSize: 0 });
  const layered = new Loader({
    inMemoryCache: { cacheType: 'lru-map', ttlInMsecs: HOUR, maxItems: max },
    dataSources: [{ name: 'source', get: async (/** @type {string} */ key) => load(Number(key.slice(5))), getMany: async () => [] }],
  });
  const filled = ids.map(async (id) => {
    const key = `user:${id}`;
    hit(id);
    map.set(key, load(id));
    lru.set(key, load(id));
    lruById.set(id, load(id));
    ttlCache.set(key, load(id));
    memory.set(key, load(id));
    await layered.get(key);
  });
  const by = (/** @type {string} */ call, /** @type {Record<string, unknown>} */ scope) => walk(call, { ids, ...scope });
  const subjects = [
    { name: "cache(ttl, { key: 'user:{}' })", run: by('hit(id)', { hit }) },
    { name: "Map.get('user:' + id), no time to live", run: by("map.get('user:' + id)", { map }) },
    { name: 'lru-cache, get', run: by("lru.get('user:' + id)", { lru }) },
    { name: 'lru-cache, get, the number as the key', run: by('lru.get(id)', { lru: lruById }) },
    { name: '@isaacs/ttlcache, get', run: by("ttlCache.get('user:' + id)", { ttlCache }) },
    { name: 'cacheable, CacheableMemory#get', run: by("memory.get('user:' + id)", { memory }) },
    { name: 'layered-loader, getInMemoryOnly', run: by("layered.getInMemoryOnly('user:' + id)", { layered }) },
  ];
  return { subjects, filled: Promise.all(filled), end: () => memory.stopIntervalCheck() };
}

/** @param {number[]} ids */
function asyncSubjects(ids) {
  const max = ids.length * 2;
  const loader = async (/** @type {number} */ id) => load(id);
  const hit = cache('1h', { key: 'user:{}' })(loader);
  const map = new Map();
  const lru = new LRUCache({ max, ttl: HOUR, fetchMethod: async (/** @type {string} */ key) => load(Number(key.slice(5))) });
  const dedupe = createDedupe({ ttl: 3600, storage: { type: 'memory', options: { size: max } } }).define('user', loader);
  const bento = new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: max, serialize: false })) },
  });
  const cacheable = new Cacheable({ ttl: '1h' });
  const manager = createManager({ ttl: HOUR });
  const entries = new LRUCache({ max });
  const memoized = pMemoize(loader);
  const layered = new Loader({
    inMemoryCache: { cacheType: 'lru-map', ttlInMsecs: HOUR, maxItems: max },
    dataSources: [{ name: 'source', get: async (/** @type {string} */ key) => load(Number(key.slice(5))), getMany: async () => [] }],
  });
  const by = (/** @type {string} */ call, /** @type {Record<string, unknown>} */ scope) => walk(`await ${call}`, { ids, loader, ...scope });
  const subjects = [
    { name: "cache(ttl, { key: 'user:{}' })", run: by('hit(id)', { hit }) },
    { name: "await Map.get('user:' + id) of Promises", run: by("map.get('user:' + id)", { map }) },
    { name: 'lru-cache, fetch', run: by("lru.fetch('user:' + id)", { lru }) },
    { name: 'p-memoize, the number as the key, no time to live', run: by('memoized(id)', { memoized }) },
    { name: 'layered-loader, get', run: by("layered.get('user:' + id)", { layered }) },
    { name: 'async-cache-dedupe', run: by('dedupe.user(id)', { dedupe }) },
    {
      name: '@epic-web/cachified on lru-cache',
      run: by("cachified({ key: 'user:' + id, cache: entries, ttl: 3600000, getFreshValue: () => loader(id) })", { cachified, entries }),
    },
    { name: 'cache-manager, wrap', run: by("manager.wrap('user:' + id, () => loader(id))", { manager }) },
    {
      name: 'bentocache, getOrSet, memory, not serialized',
      run: by("bento.getOrSet({ key: 'user:' + id, ttl: '1h', factory: () => loader(id) })", { bento }),
    },
    { name: 'cacheable, getOrSet', run: by("cacheable.getOrSet('user:' + id, () => loader(id))", { cacheable }) },
  ];
  for (const id of ids) map.set(`user:${id}`, loader(id));
  return { subjects, end: () => bento.disconnectAll() };
}

/**
 * A loop that goes around all ids, no two neighbours near each other, and goes on where it stopped: a short block must not stay
 * in the processor's cache.
 *
 * @param {string} call @param {{ ids: number[], [name: string]: unknown }} scope
 */
function walk(call, { ids, ...scope }) {
  const order = Array.from({ length: AROUND }, (_, i) => ids[(i * 7919) % ids.length]);
  const body = `const id = order[state.at++ & ${AROUND - 1}]; sum += ${call};`;
  return loop(body, { order, state: { at: 0 }, ...scope }, call.startsWith('await '));
}

for (const keys of [1, MANY]) {
  const ids = Array.from({ length: keys }, (_, i) => i * 3 + 1);
  const how = keys === 1 ? 'one key' : `${keys.toLocaleString('en')} keys`;
  const sync = syncSubjects(ids);
  await sync.filled;
  tell(`A synchronous hit, ${how}`, await inRounds(sync.subjects));
  sync.end();

  const { subjects, end } = asyncSubjects(ids);
  // The first time around they load.
  for (const { run } of subjects) await run(keys === 1 ? 1 : AROUND);
  tell(`An asynchronous hit, ${how}`, await inRounds(subjects));
  await end();
}
