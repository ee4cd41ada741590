// @ts-check
/** How the threads of a process come by records that are refreshed: ours, and what people do by hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { keyOf, MAX_BYTES, records } from './records.js';

/**
 * @typedef {import('./records.js').Record} Record
 * @typedef {{ refresh: (round: number) => unknown, data?: unknown, elsewhere?: () => Promise<number>, stop: () => unknown }} Writer
 * `data` goes to the readers; `elsewhere`: bytes that another process holds
 * @typedef {(key: string) => Record | undefined | Promise<Record | undefined>} Get
 * @typedef {{ name: string, ours?: boolean, missing?: () => Promise<string | undefined>, prepare?: () => Promise<unknown>, unchanged?: boolean, writer: (count: number, workers: readonly import('node:worker_threads').Worker[]) => Writer | Promise<Writer>, reader: (data: any) => Get | Promise<Get> }} Way
 * `prepare` imports what `reader` needs; `unchanged`: what the readers have is not what is refreshed
 * @typedef {'keyed' | 'control' | 'whole' | 'map' | 'lmdb' | 'redis'} WayKey
 */

const KEY = 'cities';

// What a thread imports is a part of its memory, so each imports what its way needs.
const library = () => import('advanced-caching');

/** A writer in the library's own thread. @param {boolean} keyed @returns {Promise<Writer>} */
async function ours(keyed) {
  const { bg } = await library();
  const options = { key: KEY, loader: new URL(`records.js${keyed ? '' : '#whole'}`, import.meta.url), maxBytes: MAX_BYTES };
  const writer = keyed ? bg.write(0, { ...options, keyed: true }) : bg.write(0, options);
  return { refresh: () => writer.refresh(), stop: () => bg.shutdown() };
}

/** @type {Way} */
const keyed = {
  name: 'keyed mirror',
  ours: true,
  writer: () => ours(true),
  prepare: library,
  async reader() {
    const { bg } = await library();
    /** @type {import('advanced-caching').KeyedMirror<Record>} */
    const mirror = bg.read.keyed(KEY);
    return (key) => mirror.get(key);
  },
};

/**
 * The same readers, the same lookups, the same work of the writer; only that what is refreshed is another key. What stalls these readers is the machine and
 * their own garbage, so what stalls the others more is the refresh.
 *
 * @type {Way}
 */
const control = {
  ...keyed,
  name: 'the same, another key refreshed',
  unchanged: true,
  async writer() {
    const { bg } = await library();
    const options = /** @type {const} */ ({ loader: new URL('records.js', import.meta.url), maxBytes: MAX_BYTES, keyed: true });
    await bg.write(0, { ...options, key: KEY }).refresh();
    const other = bg.write(0, { ...options, key: 'others' });
    return { refresh: () => other.refresh(), stop: () => bg.shutdown() };
  },
};

/** @type {Way} */
const whole = {
  name: 'whole-value mirror',
  ours: true,
  writer: () => ours(false),
  prepare: library,
  async reader() {
    const { bg } = await library();
    /** @type {import('advanced-caching').Mirror<{ readonly [key: string]: Record }>} */
    const mirror = bg.read(KEY, { freeze: false });
    return (key) => mirror()?.[key];
  },
};

/** Each thread has a copy, sent as a message. @type {Way} */
const map = {
  name: 'Map, by postMessage',
  writer(count, workers) {
    let latest = new Map();
    return {
      refresh(round) {
        latest = new Map(records(count, round));
        for (const worker of workers) worker.postMessage({ map: latest });
      },
      // A thread that starts later asks for it.
      get data() {
        for (const worker of workers) worker.once('message', () => worker.postMessage({ map: latest }));
        return undefined;
      },
      stop() {},
    };
  },
  async reader() {
    /** @type {Map<string, Record>} */
    let latest = new Map();
    const came = new Promise((resolve) => {
      parentPort?.on('message', (message) => {
        if (!message.map) return;
        latest = message.map;
        resolve(latest);
      });
    });
    parentPort?.postMessage('the map, please');
    await came;
    return (key) => latest.get(key);
  },
};

/** @type {Way} */
const lmdb = {
  name: 'lmdb',
  missing: () =>
    import('lmdb').then(
      () => undefined,
      () => 'the package lmdb is not installed',
    ),
  async writer(count) {
    const { open } = await import('lmdb');
    const path = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'advanced-caching-bench-'));
    const store = open({ path, mapSize: 4e9, noSync: true });
    return {
      refresh: (round) =>
        store.transaction(() => {
          for (const [key, value] of records(count, round)) void store.put(key, value);
        }),
      data: path,
      async stop() {
        await store.close();
        rmSync(path, { recursive: true, force: true });
      },
    };
  },
  prepare: () => import('lmdb'),
  async reader(path) {
    const { open } = await import('lmdb');
    const store = open({ path, mapSize: 4e9, noSync: true });
    return (key) => store.get(key);
  },
};

/** @type {Way} */
const redis = {
  name: 'Redis HSET, HGET',
  missing: async () => (await import('../redis-server.js')).noRedis,
  async writer(count) {
    const { startRedis } = await import('../redis-server.js');
    const server = await startRedis();
    return {
      async refresh(round) {
        /** @type {string[]} */
        let some = [];
        for (const [key, value] of records(count, round)) {
          some.push(key, JSON.stringify(value));
          if (some.length < 20_000) continue;
          await server.redis.hset(KEY, ...some);
          some = [];
        }
        if (some.length > 0) await server.redis.hset(KEY, ...some);
      },
      data: server.socket,
      elsewhere: async () => Number(/used_memory_rss:(\d+)/.exec(await server.redis.info('memory'))?.[1]),
      stop: () => server.stop(),
    };
  },
  prepare: () => import('ioredis'),
  async reader(socket) {
    const { Redis } = await import('ioredis');
    const client = new Redis(socket);
    return async (key) => JSON.parse((await client.hget(KEY, key)) ?? 'null') ?? undefined;
  },
};

/** @type {{ readonly [key in WayKey]: Way }} */
export const ways = { keyed, control, whole, map, lmdb, redis };

/** Whose value says which refresh it is of. */
export const MARKED = keyOf(0);
