import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import { GCSCache, S3Cache, StoreError } from '../../../dist/index.js';
import { fakeClock } from '../../../dist/testing/index.js';
import { encodeEntry } from '../../../dist/wire/entry.js';
import { GCS_BUCKET, gcsClient, gcsServer } from '../../support/gcs.js';
import { S3_BUCKET, s3Client, s3Server } from '../../support/s3.js';
import { KINDS } from './kinds.js';

const RACERS = 20;

for (const { name, server: start, store: make, costs } of KINDS) {
  test(`${name}: of 20 racers in stores of their own one sets a key that is absent`, async (t) => {
    const server = await start(t);
    const stores = Array.from({ length: RACERS }, () => make(t, server));
    const won = await Promise.all(stores.map((store, i) => store.setIfNotExists('lock', i, 60)));
    t.is(won.filter(Boolean).length, 1);
    t.is(await stores[0]?.get('lock'), won.indexOf(true));
  });

  for (const [what, bytes] of [
    ['expired', encodeEntry(Buffer.from('"old"'), 10, 5)],
    ['corrupt', Buffer.from('no entry, and longer than a header')],
    ['empty', Buffer.alloc(0)],
  ] as const) {
    test(`${name}: of 20 racers one replaces what is ${what}`, async (t) => {
      const server = await start(t);
      const stores = Array.from({ length: RACERS }, () => make(t, server, { onError: () => {} }));
      await stores[0]?.set('lock', 'to be spoilt', 60);
      const object = [...server.objects.values()][0];
      if (object) object.bytes = bytes;
      const won = await Promise.all(stores.map((store, i) => store.setIfNotExists('lock', i, 60)));
      t.is(won.filter(Boolean).length, 1);
      t.is(await stores[0]?.get('lock'), won.indexOf(true));
    });
  }

  test(`${name}: what one operation costs`, async (t) => {
    const server = await start(t);
    const store = make(t, server);
    const cost = async (operation: () => Promise<unknown>): Promise<number> => {
      const before = server.asked.length;
      await operation();
      return server.asked.length - before;
    };
    t.is(await cost(() => store.set('key', { a: 'x'.repeat(1000) }, 60)), 1);
    t.is(await cost(() => store.get('key')), 1);
    t.is(await cost(() => store.getEntry('key')), 1);
    t.is(await cost(() => store.exists('key')), 1);
    t.is(server.asked.at(-1)?.headers.range, 'bytes=0-15', 'exists downloads the header alone');
    t.is(await cost(() => store.setIfNotExists('other', 1, 60)), 1);
    t.is(await cost(() => store.setIfNotExists('other', 2, 60)), 2);
    t.is(await cost(() => store.getMany(['key', 'other', 'absent'])), 3);
    t.is(await cost(() => store.delete('key')), costs.delete);
  });

  test(`${name}: dedupeWrites uploads unchanged bytes once, and prolongs their life for every reader`, async (t) => {
    const server = await start(t);
    const clock = fakeClock();
    const writer = make(t, server, { dedupeWrites: true, clock });
    const reader = make(t, server, { clock });
    const uploads = (): number => server.asked.filter(({ method, body }) => costs.uploads.test(method) && body.length > 16).length;
    const value = { text: 'x'.repeat(100) };
    await writer.set('key', value, 60);
    t.is(uploads(), 1);

    clock.advance(50_000);
    const before = server.asked.length;
    await writer.set('key', value, 60);
    t.is(server.asked.length - before, 1, 'one request');
    t.is(uploads(), 1, 'nothing uploaded');
    clock.advance(50_000);
    const asked = server.asked.length;
    t.deepEqual(await reader.get('key'), value, 'fresh past its first life');
    t.is(server.asked.length - asked, costs.readProlonged);
    t.true(await reader.exists('key'));
    t.is((await reader.getEntry('key'))?.createdAt, clock.wall() / 1000 - 50, 'as old as the last write');
    t.false(await reader.setIfNotExists('key', 'other', 60));
    const attempts = uploads();
    await writer.set('key', value, 60);
    t.is(uploads(), attempts, 'prolonged again');
    clock.advance(61_000);
    t.is(await reader.get('key'), undefined, 'and expires');

    await writer.set('key', { text: 'y'.repeat(100) }, 60);
    t.is(uploads(), attempts + 1, 'other bytes are uploaded');
    t.deepEqual(await reader.get('key'), { text: 'y'.repeat(100) });
  });

  test(`${name}: dedupeWrites notices that another one wrote or deleted the object`, async (t) => {
    const server = await start(t);
    const writer = make(t, server, { dedupeWrites: true });
    const other = make(t, server);
    await writer.set('key', 'mine', 60);
    await other.set('key', 'theirs', 60);
    await writer.set('key', 'mine', 60);
    t.is(await other.get('key'), 'mine');
    await other.delete('key');
    await writer.set('key', 'mine', 60);
    t.is(await other.get('key'), 'mine');
  });

  test(`${name}: clear takes 2,500 objects under the prefix, a page at a time, and no other`, async (t) => {
    const server = await start(t);
    const store = make(t, server, { timeout: 30 });
    await store.setMany(new Map(Array.from({ length: 3 }, (_, i) => [`k${i}`, i])), 60);
    const [object] = server.objects.values();
    t.truthy(object);
    if (object) for (let i = 0; i < 2500; i++) server.objects.set(`v1/<many & more>/${i}`, { ...object });
    for (const outside of ['v1', 'v10/x', 'V1/x', 'other/v1/x']) if (object) server.objects.set(outside, { ...object });
    await store.clear();
    t.deepEqual([...server.objects.keys()], ['v1', 'v10/x', 'V1/x', 'other/v1/x']);
    t.is(server.asked.filter(({ method, query }) => method === 'GET' && query.has('prefix')).length, 3);
  });

  test(`${name}: clear without a prefix is refused, unless everything is meant`, async (t) => {
    const server = await start(t);
    const store = make(t, server, { prefix: '' });
    await store.set('key', 1, 60);
    await t.throwsAsync(store.clear(), { instanceOf: StoreError, message: /all: true/ });
    t.is(await store.get('key'), 1);
    await store.clear({ all: true });
    t.is(server.objects.size, 0);
  });

  test(`${name}: wrong options are refused when it is made`, async (t) => {
    const server = await start(t);
    t.throws(() => make(t, server, { bucket: '' }), { instanceOf: TypeError, message: /`bucket`/ });
    t.throws(() => make(t, server, { prefix: '../' }), { instanceOf: TypeError, message: /`prefix`/ });
    t.throws(() => make(t, server, { prefix: '/v1/' }), { instanceOf: TypeError, message: /`prefix`/ });
    t.throws(() => make(t, server, { prefix: 'p'.repeat(501) }), { instanceOf: RangeError, message: /`prefix`/ });
    t.throws(() => make(t, server, { maxBytes: 0 }), { instanceOf: RangeError, message: /`maxBytes`/ });
    t.throws(() => make(t, server, { timeout: -1 }), { instanceOf: RangeError, message: /`timeout`/ });
    t.throws(() => make(t, server, { client: {} } as object), { instanceOf: TypeError, message: /`client`/ });
    t.throws(() => make(t, server, { misspelt: 1 } as object), { instanceOf: TypeError, message: /misspelt/ });
    t.is(server.asked.length, 0);
  });
}

test('S3Cache: an answer that was lost, and the retry of the SDK that then meets its own object', async (t) => {
  const server = await s3Server(t);
  const client = s3Client(t, server, { maxAttempts: 2 });
  const store = new S3Cache({ bucket: S3_BUCKET, prefix: 'v1/', client, timeout: 20 });
  let puts = 0;
  server.fault = ({ method }) => (method === 'PUT' && ++puts === 1 ? 'lost' : undefined);
  t.true(await store.setIfNotExists('lock', 'mine', 60));
  t.is(puts, 2);
  server.fault = ({ method }) => (method === 'PUT' && ++puts === 3 ? 'reset' : undefined);
  t.false(await store.setIfNotExists('lock', 'mine', 60), 'met by another one');
});

test('S3Cache: the bytes are the wire format, for other clients of the bucket too', async (t) => {
  const server = await s3Server(t);
  const client = s3Client(t, server);
  const store = new S3Cache({ bucket: S3_BUCKET, prefix: 'v1/', client });
  await store.setEntry('user:42', { value: { a: 1 }, freshUntil: 4e9, createdAt: 1e9 });
  const got = await client.send(new GetObjectCommand({ Bucket: S3_BUCKET, Key: 'v1/user:42' }));
  const bytes = encodeEntry(Buffer.from('{"a":1}'), 4e9, 1e9);
  t.deepEqual(Buffer.from((await got.Body?.transformToByteArray()) ?? []), bytes);
  await client.send(new PutObjectCommand({ Bucket: S3_BUCKET, Key: 'v1/theirs', Body: bytes }));
  t.deepEqual(await store.getEntry('theirs'), { value: { a: 1 }, freshUntil: 4e9, createdAt: 1e9 });
});

test('GCSCache: the bytes are the wire format, for other clients of the bucket too', async (t) => {
  const server = await gcsServer(t);
  const storage = gcsClient(server);
  const { store: make } = KINDS[1] as (typeof KINDS)[number];
  const store = make(t, server, { client: storage } as object);
  await store.setEntry('user:42', { value: { a: 1 }, freshUntil: 4e9, createdAt: 1e9 });
  const bytes = encodeEntry(Buffer.from('{"a":1}'), 4e9, 1e9);
  const [got] = await storage.bucket(GCS_BUCKET).file('v1/user:42').download();
  t.deepEqual(got, bytes);
  await storage.bucket(GCS_BUCKET).file('v1/theirs').save(bytes, { resumable: false, validation: false });
  t.deepEqual(await store.getEntry('theirs'), { value: { a: 1 }, freshUntil: 4e9, createdAt: 1e9 });
});

test('GCSCache: requests carry the credentials of the Storage, and a lack of them is a failure', async (t) => {
  const server = await gcsServer(t);
  const json = { type: 'authorized_user', client_id: 'id', client_secret: 'secret', refresh_token: 'refresh' };
  const authClient = gcsClient(server).authClient.fromJSON(json);
  authClient.setCredentials({ access_token: 'token-of-the-test', expiry_date: Date.now() + 3_600_000 });
  const client = gcsClient(server, { authClient, useAuthWithCustomEndpoint: true });
  const store = new GCSCache({ bucket: GCS_BUCKET, prefix: 'v1/', client, timeout: 30 });
  await store.set('key', 1, 60);
  t.is(await store.get('key'), 1);
  t.deepEqual(
    server.asked.map(({ headers }) => headers.authorization),
    ['Bearer token-of-the-test', 'Bearer token-of-the-test'],
  );

  const { baseUrl, apiEndpoint } = client;
  const getRequestHeaders = async (): Promise<object> => Promise.reject(new Error('secret'));
  const poor = new GCSCache({ bucket: GCS_BUCKET, client: { baseUrl, apiEndpoint, authClient: { getRequestHeaders } } });
  await t.throwsAsync(poor.get('key'), { instanceOf: StoreError, message: 'GCSCache failed to get: no credentials: Error' });
});
