// @ts-check
/** What a lookup costs, of each subject by turns in one process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bg } from 'advanced-caching';
import { noRedis, startRedis } from '../redis-server.js';
import { skipped } from '../results.js';
import { inRounds, tell } from '../rounds.js';
import { keyOf, MAX_BYTES, records } from './records.js';

/** More than any memo keeps, and so many that they don't all stay in the processor's cache. */
const KEYS = 1 << 17;
/** As many as a service asks for all the time. */
const HOT = 2000;

/**
 * A loop of its own for each subject, which goes through the keys from where it was.
 *
 * @param {string} name @param {{ get(key: string): unknown }} subject @param {readonly string[]} keys a power of two of them
 * @returns {import('../rounds.js').Subject}
 */
function subjectOf(name, subject, keys) {
  const body = `let at = 0;
    return (n) => {
      let sum = 0;
      for (let i = 0; i < n; i++, at = (at + 1) & ${keys.length - 1}) sum += subject.get(keys[at]).id;
      if (Number.isNaN(sum)) throw new Error('A lookup found nothing');
    };`;
  return { name, run: new Function('subject', 'keys', body)(subject, keys) };
}

/** @param {Map<string, unknown>} map */
async function openLmdb(map) {
  const { open } = await import('lmdb');
  const path = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'advanced-caching-bench-'));
  const store = open({ path, mapSize: 4e9, noSync: true });
  await store.transaction(() => {
    for (const [key, value] of map) void store.put(key, value);
  });
  const close = async () => {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  };
  return { store: /** @type {{ get(key: string): unknown }} */ (store), close };
}

/** @param {Map<string, unknown>} map */
async function fillRedis(map) {
  const server = await startRedis();
  /** @type {string[]} */
  let some = [];
  for (const [key, value] of map) {
    some.push(key, JSON.stringify(value));
    if (some.length < 20_000) continue;
    await server.redis.hset('records', ...some);
    some = [];
  }
  if (some.length > 0) await server.redis.hset('records', ...some);
  return server;
}

/** @param {number} count of the records */
export async function compareLookups(count) {
  const map = new Map(records(count));
  const writer = bg.write(3600, { key: 'keyed', keyed: true, ref: false, maxBytes: MAX_BYTES }, () => map);
  await writer.ready(600);
  const whole = bg.write(3600, { key: 'whole', ref: false, maxBytes: MAX_BYTES, serializer: 'v8' }, () => map);
  await whole.ready(600);
  const keyed = bg.read.keyed('keyed');
  const none = bg.read.keyed('keyed', { memo: { maxEntries: 0 } });
  const open = bg.read.keyed('keyed', { memo: { maxEntries: 0 }, freeze: false });
  const copy = /** @type {Map<string, unknown>} */ (bg.read('whole', { freeze: false })());

  const hot = Array.from({ length: 2048 }, (_, i) => keyOf(Math.floor((((i * 769) % HOT) / HOT) * count)));
  for (let round = 0; round < 3; round++) for (const key of hot) keyed.get(key);
  const size = `${count.toLocaleString('en')} records`;
  tell(
    `${size}, a lookup of ${Math.min(count, HOT).toLocaleString('en')} hot ones (target of a keyed mirror: at most 3)`,
    await inRounds([
      subjectOf('Map.get, a private copy', map, hot),
      subjectOf('whole-value mirror, a Map', copy, hot),
      subjectOf('keyed mirror, memoised', keyed, hot),
    ]),
  );

  const random = Array.from({ length: KEYS }, () => keyOf(Math.floor(Math.random() * count)));
  const subjects = [
    subjectOf('keyed mirror, nothing memoised', none, random),
    subjectOf('keyed mirror, nothing memoised, freeze: false', open, random),
    subjectOf('keyed mirror, its memo as it is', keyed, random),
    subjectOf('Map.get, a private copy', map, random),
    subjectOf('whole-value mirror, a Map', copy, random),
  ];
  const lmdb = await openLmdb(map).catch(() => undefined);
  if (lmdb) subjects.push(subjectOf('lmdb', lmdb.store, random));
  else skipped(`${size}, lmdb`, 'the package lmdb is not installed');
  const redis = noRedis === undefined ? await fillRedis(map) : undefined;
  if (redis) subjects.push({ name: 'Redis HGET, a unix socket', run: loopOfRedis(redis.redis, random) });
  else skipped(`${size}, Redis HGET`, String(noRedis));
  tell(`${size}, a lookup at random (target of lmdb: at least 1.5)`, await inRounds(subjects));
  await lmdb?.close();
  await redis?.stop();
  await bg.shutdown();
}

/** @param {import('ioredis').Redis} redis @param {readonly string[]} keys */
function loopOfRedis(redis, keys) {
  let at = 0;
  return async (/** @type {number} */ n) => {
    for (let i = 0; i < n; i++, at = (at + 1) % keys.length) JSON.parse((await redis.hget('records', String(keys[at]))) ?? '');
  };
}
