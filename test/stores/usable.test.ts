/**
 * Every store, as the `store` of `cache`, `bg`, `bg.write` and `bg.read`: the values of one process, read in another. One after the other: all at
 * once they would keep this machine too busy for any interval.
 */
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { type CacheStorage, bg, cache } from '../../dist/index.js';
import { fileScope, once } from '../support/file-scope.js';
import { GCS_BUCKET, gcsServer } from '../support/gcs.js';
import { type Scope, spawnNode, tempDir, until } from '../support/process.js';
import { noRedis, startRedis } from '../support/redis.js';
import { S3_BUCKET, s3Server } from '../support/s3.js';
import { type Kind, type Places, makeStore } from './fixtures/stores.js';

const WRITER = new URL('./fixtures/writer.js', import.meta.url);

const scope = fileScope();
const places = once(async (): Promise<Places> => {
  const [redis, s3, gcs] = await Promise.all([noRedis ? undefined : startRedis(scope), s3Server(scope), gcsServer(scope)]);
  if (S3_BUCKET !== GCS_BUCKET) throw new Error('Expected one name for both buckets');
  return { redis: redis?.address ?? '', s3: s3.url, gcs: gcs.url, bucket: S3_BUCKET, directory: tempDir(scope) };
});

/** A store of this kind, of its own. */
async function open(kind: Kind, of: Scope = scope): Promise<CacheStorage> {
  const { store, close } = makeStore(kind, await places());
  of.teardown(close);
  return store;
}

interface Value {
  readonly n: number;
  readonly pid: number;
}

test.after.always(() => bg.shutdown());

const KINDS: readonly Kind[] = [
  'InMemCache',
  'RedisCache',
  'RedisCache with a secret',
  'ChainCache',
  'HybridCache',
  'LocalFileCache',
  'S3Cache',
  'GCSCache',
];
const ON_REDIS: readonly Kind[] = ['RedisCache', 'RedisCache with a secret', 'ChainCache', 'HybridCache'];

for (const kind of KINDS) {
  const why = ON_REDIS.includes(kind) ? noRedis : undefined;
  const kindTest = why ? test.skip : test.serial;
  const title = (what: string): string => `${kind}, ${what}${why ? ` (${why})` : ''}`;
  const isShared = kind !== 'InMemCache';

  kindTest(title('of cache(): another process finds what one has loaded; a stale value is refreshed once'), async (t) => {
    const mine = await open(kind, t);
    const theirs = isShared ? await open(kind, t) : mine;
    let loads = 0;
    const errors: Error[] = [];
    const options = { key: 'cache:{id}', stale: 600, onError: (error: Error) => errors.push(error) };
    const wrap = (store: CacheStorage) => cache(600, { ...options, store })(async (id: number) => `${id} by load ${++loads}`);
    t.is(await wrap(mine)(1), '1 by load 1');
    const elsewhere = wrap(theirs);
    t.is(await elsewhere(1), '1 by load 1');
    const past = Date.now() / 1000 - 1;
    await theirs.setEntry('cache:1', { value: 'stale', freshUntil: past, createdAt: past - 60 }, 600);
    t.deepEqual(await Promise.all([elsewhere(1), elsewhere(1)]), ['stale', 'stale']);
    await until(async () => (await theirs.get('cache:1')) === '1 by load 2', { what: 'the refresh' });
    t.is(await elsewhere.invalidate(1), true);
    t.is(await elsewhere(1), '1 by load 3');
    t.is(loads, 3);
    t.deepEqual(errors, []);
  });

  kindTest(title('of bg: each value is kept there'), async (t) => {
    const store = await open(kind, t);
    const errors: Error[] = [];
    let n = 0;
    const flags = bg('100ms', { key: `bg ${kind}`, store, ttl: 600, onError: (error) => errors.push(error) }, async () => ({ n: ++n }));
    t.teardown(() => flags.stop());
    t.is((await flags()).n, 1);
    const reader = isShared ? await open(kind, t) : store;
    await until(async () => (((await reader.get(`bg ${kind}`)) as { n: number } | undefined)?.n ?? 0) > 2, { what: 'a later value' });
    t.true((await flags()).n > 2);
    t.is(flags.store, store);
    t.deepEqual(errors, []);
  });

  kindTest(title('of bg.write and bg.read in one thread'), async (t) => {
    const key = `one thread ${kind}`;
    const store = await open(kind, t);
    const errors: Error[] = [];
    let n = 0;
    const write = bg.write('100ms', { key, store, ttl: 600, ref: false, onError: (error) => errors.push(error) }, async () => ({
      n: ++n,
    }));
    t.teardown(() => write.stop());
    const read = bg.read<{ n: number }>(key, { store: isShared ? await open(kind, t) : store, interval: '50ms' });
    t.teardown(() => read.close());
    const first = await read.ready();
    t.true(first.n >= 1);
    await until(() => (read()?.n ?? 0) > first.n + 1, { what: 'later values' });
    t.true(Object.isFrozen(read()));
    t.true(read.version > 1);
    t.deepEqual(errors, []);
  });

  if (!isShared) continue;

  kindTest(title('of bg.write in one process and bg.read in another; the last value outlives the writer'), async (t) => {
    const key = `two processes ${kind}`;
    const writer = spawnNode(t, WRITER, { args: [kind, JSON.stringify(await places()), key] });
    const errors: Error[] = [];
    const read = bg.read<Value>(key, { store: await open(kind, t), interval: '50ms', onError: (error) => errors.push(error) });
    t.teardown(() => read.close());
    const first = await read.ready(20);
    t.is(first.pid, writer.pid);
    let versions = read.version;
    let last = first.n;
    await until(
      () => {
        const { n } = read() as Value;
        if (n < last) t.fail(`${n} after ${last}`);
        if (read.version < versions) t.fail('a version went backwards');
        versions = read.version;
        last = n;
        return n > first.n + 2;
      },
      { what: 'later values' },
    );
    t.is(read(), read(), 'one object as long as it is one value');
    writer.kill('SIGKILL');
    await writer.exited;
    const store = await open(kind, t);
    // Looked at again and again: what the writer sent last may still arrive.
    await until(async () => (read() as Value).n >= ((await store.get(key)) as Value).n, { what: 'the last value' });
    t.is(read()?.pid, writer.pid);
    t.deepEqual(errors, []);
  });
}

const threadTest = noRedis ? test.skip : test.serial;
for (const kind of ['RedisCache', 'LocalFileCache'] as const) {
  threadTest(`${kind}, of bg.write in a worker thread and bg.read in this one`, async (t) => {
    const key = `two threads ${kind}`;
    const worker = new Worker(WRITER, { workerData: [kind, JSON.stringify(await places()), key] });
    t.teardown(() => worker.terminate());
    const read = bg.read<Value>(key, { store: await open(kind, t), interval: '50ms' });
    t.teardown(() => read.close());
    const { n } = await read.ready(20);
    await until(() => (read()?.n ?? 0) > n + 2, { what: 'later values' });
    t.is(read()?.pid, process.pid);
  });
}
