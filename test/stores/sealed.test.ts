/** Stores with a `secret`, against somebody who may write where they keep their bytes. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  type CacheStorage,
  InMemoryMetrics,
  LocalFileCache,
  type LocalFileCacheOptions,
  RedisCache,
  type RemoteOptions,
  WireFormatError,
  cache,
} from '../../dist/index.js';
import { LIFE_AT, decodeLife, encodeLife } from '../../dist/stores/file/layout.js';
import { LIFE } from '../../dist/stores/objects/life.js';
import { fakeClock } from '../../dist/testing/index.js';
import { encodeEntry } from '../../dist/wire/entry.js';
import { tempDir, until } from '../support/process.js';
import { noRedis, startRedis } from '../support/redis.js';
import { KINDS } from './objects/kinds.js';
import { Counting } from './support/counting.js';

const SECRET = 'a secret of more than 16 bytes';

type Options = Pick<RemoteOptions, 'secret' | 'dedupeWrites' | 'onError' | 'clock' | 'serializer'>;

/** A place where stores keep their bytes, and which an attacker may read and write. */
interface Place {
  store(options?: Options): CacheStorage;
  read(key: string): Promise<Buffer>;
  write(key: string, bytes: Buffer): Promise<void>;
  /** Says beside a bucket's object that it has a later life. */
  prolong?(key: string): void;
}

const PLACES: Readonly<Record<string, (t: ExecutionContext) => Promise<Place>>> = {
  RedisCache: async (t) => {
    const redis = (await startRedis(t)).client();
    return {
      store: (options) => new RedisCache(redis, { prefix: 'p:', timeout: 20, ...options }),
      read: async (key) => (await redis.getBuffer(`p:${key}`)) as Buffer,
      write: async (key, bytes) => void (await redis.set(`p:${key}`, bytes)),
    };
  },
  LocalFileCache: async (t) => {
    const directory = tempDir(t);
    const path = (key: string): string => {
      const name = createHash('sha256').update(key).digest('hex');
      return join(directory, name.slice(0, 2), name);
    };
    return {
      store: (options) => new LocalFileCache(directory, options as LocalFileCacheOptions),
      read: async (key) => readFileSync(path(key)),
      write: async (key, bytes) => writeFileSync(path(key), bytes),
    };
  },
  ...Object.fromEntries(
    KINDS.map(({ name, server: start, store: make }) => [
      name,
      async (t: ExecutionContext): Promise<Place> => {
        const server = await start(t);
        return {
          store: (options) => make(t, server, options),
          read: async (key) => Buffer.from(server.objects.get(`v1/${key}`)?.bytes as Buffer),
          write: async (key, bytes) => {
            const object = server.objects.get(`v1/${key}`);
            if (object) object.bytes = bytes;
          },
          prolong: (key) => {
            const object = server.objects.get(`v1/${key}`);
            if (!object) return;
            const header = encodeEntry(new Uint8Array(), Infinity, 1e9);
            object.metadata = { [LIFE]: Buffer.concat([header, object.bytes.subarray(-32)]).toString('hex') };
            object.metageneration++;
          },
        };
      },
    ]),
  ),
};

/** What somebody without the secret can put under `key`. */
const ATTACKS: Readonly<Record<string, (place: Place) => Promise<void>>> = {
  'an entry without a seal': async (place) => place.store().set('key', 'forged', 60),
  'an entry sealed with another secret': async (place) => place.store({ secret: 'another one, as long' }).set('key', 'forged', 60),
  'the bytes of another key': async (place) => place.write('key', await place.read('other')),
  'one bit flipped': async (place) => {
    const bytes = await place.read('key');
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] as number) ^ 1;
    await place.write('key', bytes);
  },
  'a later time': async (place) => {
    const bytes = await place.read('key');
    // A file has its times elsewhere, with a checksum that anybody can make.
    if (bytes.toString('latin1', 0, 4) === 'ACF1') bytes.set(encodeLife({ ...decodeLife(bytes), freshUntil: Infinity }), LIFE_AT);
    else bytes.writeDoubleBE(Infinity, 0);
    await place.write('key', bytes);
  },
  'a later time beside it': async (place) => {
    place.prolong?.('key');
  },
};

for (const [name, open] of Object.entries(PLACES)) {
  const why = name === 'RedisCache' ? noRedis : undefined;
  const placeTest = why ? test.skip : test;
  const title = (what: string): string => `${name}: ${what}${why ? ` (${why})` : ''}`;

  for (const [attack, commit] of Object.entries(ATTACKS)) {
    if (attack === 'a later time beside it' && !KINDS.some((kind) => kind.name === name)) continue;
    placeTest(title(`${attack} is a counted miss, whichever way it is read, and is not decoded`), async (t) => {
      const place = await open(t);
      const faults: Error[] = [];
      const serializer = new Counting();
      const store = place.store({ secret: SECRET, serializer, onError: (error) => void faults.push(error) });
      await store.set('key', 'genuine', 60);
      await store.set('other', 'for another', 60);
      t.is(await store.get('key'), 'genuine');
      await commit(place);
      serializer.decoded = 0;
      t.is(await store.get('key'), undefined);
      t.is(await store.getEntry('key'), undefined);
      t.deepEqual([...(await store.getMany(['key']))], []);
      t.deepEqual([...((await store.getEntries?.(['key'])) ?? [])], []);
      t.false(await store.exists('key'));
      t.is(serializer.decoded, 0);
      t.is(faults.length, 5);
      t.true(faults.every((error) => error instanceof WireFormatError));

      const metrics = new InMemoryMetrics();
      const load = cache(60, { key: 'key', store, metrics, name: 'load', onError: () => undefined })(async () => 'loaded');
      t.is(await load(), 'loaded');
      t.is(metrics.getStats().caches['load']?.misses, 1);
      t.deepEqual(metrics.getStats().errors['load.get'], { WireFormatError: 1 });
      t.is(await store.get('key'), 'loaded', 'and is replaced');

      await commit(place);
      const won = await Promise.all([1, 2, 3].map(async (i) => store.setIfNotExists('key', i, 60)));
      t.is(won.filter(Boolean).length, 1, 'what is forged takes no lock');
      t.is(await store.get('key'), won.indexOf(true) + 1);
      t.false(await store.setIfNotExists('key', 'late', 60));
    });
  }

  placeTest(title('with dedupeWrites a new life is sealed as well, and what was changed meanwhile is written in full'), async (t) => {
    const place = await open(t);
    const clock = fakeClock(Date.now());
    const faults: Error[] = [];
    const options = { secret: SECRET, clock, onError: (error: Error) => void faults.push(error) };
    const store = place.store({ ...options, dedupeWrites: true });
    const reader = place.store(options);
    const value = { text: 'x'.repeat(2000) };
    await store.set('key', value, 60);
    const first = await place.read('key');
    clock.advance(30_000);
    await store.set('key', value, 60);
    const prolonged = { value, freshUntil: clock.wall() / 1000 + 60, createdAt: clock.wall() / 1000 };
    t.deepEqual(await reader.getEntry('key'), prolonged);
    t.true(await reader.exists('key'));
    t.false(await reader.setIfNotExists('key', 'other', 60));
    t.deepEqual(faults, []);

    // The payload of one write with the times of another: each was sealed, but not together.
    const second = await place.read('key');
    if (!second.equals(first)) {
      second.set(first.subarray(-40), second.length - 40);
      await place.write('key', second);
      t.is(await reader.get('key'), undefined);
      t.is(faults.length, 1);
    }
    await place.store({ clock }).set('key', value, 60);
    await store.set('key', value, 60);
    t.deepEqual(await reader.get('key'), value, 'an unsealed copy of the same value is not prolonged');
    await store.set('key', value, 600);
    clock.advance(100_000);
    t.deepEqual(await reader.get('key'), value);
  });

  placeTest(title('the secret can be changed while it is in use'), async (t) => {
    const place = await open(t);
    const next = Buffer.alloc(32, 1);
    const before = place.store({ secret: SECRET, onError: () => undefined });
    const during = place.store({ secret: [next, SECRET] });
    const after = place.store({ secret: next, onError: () => undefined });
    await before.setMany(new Map([['key', 1]]), 60);
    t.deepEqual([...(await during.getMany(['key']))], [['key', 1]]);
    t.is(await after.get('key'), undefined);
    await during.set('key', 2, 60);
    t.is(await after.get('key'), 2);
    t.is(await before.get('key'), undefined);
  });

  placeTest(title('stale-while-revalidate works: one refresh, sealed'), async (t) => {
    const place = await open(t);
    const store = place.store({ secret: SECRET });
    const now = Date.now() / 1000;
    await store.setEntry('key', { value: 'old', freshUntil: now - 1, createdAt: now - 60 }, 600);
    let loads = 0;
    const errors: Error[] = [];
    const load = cache(60, { key: 'key', stale: 600, store, onError: (error) => errors.push(error) })(async () => `load ${++loads}`);
    t.deepEqual(await Promise.all([load(), load()]), ['old', 'old']);
    await until(async () => (await store.get('key')) === 'load 1', { what: 'the refresh' });
    t.is(await load(), 'load 1');
    t.is(loads, 1);
    t.deepEqual(errors, []);
  });
}
