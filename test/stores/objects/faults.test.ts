import dns from 'node:dns';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import test from 'ava';
import { InMemoryMetrics, StoreError, TimeoutError, WireFormatError, cache } from '../../../dist/index.js';
import { encodeEntry } from '../../../dist/wire/entry.js';
import type { Fault } from '../../support/object-server.js';
import { spawnNode, tempDir, until } from '../../support/process.js';
import { root } from '../../support/root.js';
import { S3_SECRET } from '../../support/s3.js';
import { KINDS } from './kinds.js';

const CANARY = 'canary-in-a-key-or-value';

for (const { name, server: start, store: make, busy } of KINDS) {
  for (const [what, bytes] of Object.entries({
    empty: Buffer.alloc(0),
    'shorter than a header': Buffer.alloc(15),
    'cut off': encodeEntry(Buffer.from('{"a":"long eno'), 4e9, 1e9),
    foreign: Buffer.from(`<html>${'no entry '.repeat(10)}</html>`),
    'of another serializer': encodeEntry(Buffer.from([0xff, 0x0f, 0x22]), 4e9, 1e9),
    'larger than maxBytes': encodeEntry(Buffer.from(`"${'x'.repeat(2000)}"`), 4e9, 1e9),
  })) {
    test(`${name}: an object that is ${what} is a counted miss`, async (t) => {
      const server = await start(t);
      const store = make(t, server, { maxBytes: 1000 });
      const metrics = new InMemoryMetrics();
      const errors: Error[] = [];
      const cached = cache(60, { key: 'key', store, metrics, name: 'fn', onError: (error) => errors.push(error) })(async () => 'loaded');
      await store.set('key', 1, 60);
      for (const object of server.objects.values()) object.bytes = bytes;
      t.is(await cached(), 'loaded');
      t.deepEqual(
        errors.map((error) => error.name),
        [WireFormatError.name],
      );
      const stats = metrics.getStats();
      t.is(stats.caches['fn']?.misses, 1);
      t.deepEqual(stats.errors['fn.get'], { WireFormatError: 1 });
      t.is(await store.get('key'), 'loaded', 'written over');
    });
  }

  test(`${name}: an object that is too large is refused by its length, not downloaded`, async (t) => {
    const server = await start(t);
    const store = make(t, server, { maxBytes: 1000, timeout: 30, onError: () => {} });
    await store.set('key', 1, 60);
    for (const object of server.objects.values()) object.bytes = Buffer.alloc(50_000);
    // The rest of the body never comes: whoever waits for it, waits in vain.
    server.fault = ({ method }) => (method === 'GET' ? 'hang-in-body' : undefined);
    t.is(await store.get('key'), undefined);
    await until(() => server.abandoned === 1, { what: 'the download is given up' });
    await t.throwsAsync(store.set('key', 'x'.repeat(2000), 60), { instanceOf: StoreError, message: /at most 1000 bytes/ });
  });

  for (const [what, fault, expected] of [
    ['hangs', 'hang', TimeoutError],
    ['hangs in the middle of an answer', 'hang-in-body', TimeoutError],
    ['is too busy', busy, StoreError],
    ['cuts the connection', 'reset', StoreError],
  ] as const) {
    test(`${name}: a server that ${what} breaks no function`, async (t) => {
      const server = await start(t);
      await make(t, server).set('key', CANARY, 60);
      // Short only where it must be reached.
      const store = make(t, server, { timeout: expected === TimeoutError ? 0.3 : 30, breaker: { failures: 3, cooldown: '1h' } });
      const errors: Error[] = [];
      const cached = cache(60, { key: 'key', store, onError: (error) => errors.push(error) })(async () => 'loaded');
      server.fault = (): Fault => fault;
      await t.throwsAsync(store.get('key'), { instanceOf: expected });
      t.is(await cached(), 'loaded');
      t.is(await cached(), 'loaded');
      t.true(errors.length > 0);
      // By now it failed 3 times in a row: nobody asks it any more.
      const asked = server.asked.length;
      t.is(await cached(), 'loaded');
      t.is(server.asked.length, asked);
      await t.throwsAsync(store.get('key'), { instanceOf: StoreError, message: /in a row/ });
      if (expected === TimeoutError) await until(() => server.abandoned >= 3, { what: 'the requests are given up' });
    });
  }

  test(`${name}: a bucket that is not there is a failure and no miss`, async (t) => {
    const server = await start(t);
    const store = make(t, server, { bucket: 'no-such-bucket' });
    await t.throwsAsync(store.get('key'), { instanceOf: StoreError });
    await t.throwsAsync(store.set('key', 1, 60), { instanceOf: StoreError });
    await t.throwsAsync(store.setIfNotExists('key', 1, 60), { instanceOf: StoreError });
    await t.throwsAsync(store.clear(), { instanceOf: StoreError });
  });

  test(`${name}: no error holds a key, a value, a secret or what the server said`, async (t) => {
    const server = await start(t);
    const faulty = make(t, server, { timeout: 0.2, breaker: false });
    const absent = make(t, server, { bucket: 'no-such-bucket' });
    const told: unknown[] = [];
    const small = make(t, server, { maxBytes: 20, breaker: false, onError: (error) => told.push(error) });
    for (const fault of ['hang', 'hang-in-body', 'reset', busy] as const) {
      server.fault = () => fault;
      for (const ask of [
        () => faulty.get(CANARY),
        () => faulty.set(CANARY, CANARY, 60),
        () => faulty.setIfNotExists(CANARY, CANARY, 60),
        () => faulty.delete(CANARY),
        () => faulty.clear(),
      ])
        await ask().then(
          () => {},
          (error: unknown) => told.push(error),
        );
    }
    t.true(told.length >= 18);
    server.fault = undefined;
    told.push(await t.throwsAsync(absent.get(CANARY)), await t.throwsAsync(small.set(CANARY, CANARY, 60)));
    await make(t, server).set(CANARY, CANARY, 60);
    await small.get(CANARY);
    for (const object of server.objects.values()) object.bytes = Buffer.from(CANARY.repeat(3));
    await make(t, server, { onError: (error) => told.push(error) }).get(CANARY);
    for (const error of told) {
      const { message, stack, cause } = error as Error;
      const text = `${message}${stack}${JSON.stringify(error)}${JSON.stringify(cause)}${inspect(error, { depth: 20, showHidden: true })}`;
      t.notRegex(text, new RegExp(`canary|${S3_SECRET}`, 'i'));
    }
  });

  test.serial(`${name}: talks to the endpoint that it was given, and to nobody else`, async (t) => {
    const server = await start(t);
    const hosts = new Set<string>();
    // Both ways out of a process: a connection, and a question for a name.
    const { connect } = Socket.prototype;
    const { lookup } = dns;
    Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
      const [first] = args.flat() as { host?: string; path?: string }[];
      hosts.add(first?.host ?? first?.path ?? 'unknown');
      return Reflect.apply(connect, this, args) as Socket;
    } as typeof connect;
    dns.lookup = ((host: string, ...rest: unknown[]): void => {
      hosts.add(host);
      Reflect.apply(lookup, dns, [host, ...rest]);
    }) as typeof lookup;
    try {
      const store = make(t, server);
      await store.set('key', 1, 60);
      await store.get('key');
      await store.setIfNotExists('key', 1, 60);
      await store.delete('key');
      await store.clear();
    } finally {
      Socket.prototype.connect = connect;
      dns.lookup = lookup;
    }
    t.deepEqual([...hosts], ['127.0.0.1']);
  });
}

test('without their packages the constructors say what to install', async (t) => {
  const folder = tempDir(t);
  mkdirSync(join(folder, 'library'));
  cpSync(join(root, 'dist'), join(folder, 'library/dist'), { recursive: true });
  writeFileSync(join(folder, 'library/package.json'), '{"type":"module"}');
  writeFileSync(
    join(folder, 'main.mjs'),
    `import { GCSCache, S3Cache } from './library/dist/index.js';
    const errors = [() => new S3Cache({ bucket: 'b' }), () => new GCSCache({ bucket: 'b' })].map((make) => {
      try { make(); } catch ({ name, code, message }) { return { name, code, message }; }
    });
    console.log(JSON.stringify(errors));`,
  );
  const errors = await spawnNode(t, join(folder, 'main.mjs')).message<{ name: string; code: string; message: string }[]>();
  for (const [i, name] of ['@aws-sdk/client-s3', '@google-cloud/storage'].entries()) {
    t.like(errors[i], { name: 'MissingDependencyError', code: 'ERR_MISSING_DEPENDENCY' });
    t.true(errors[i]?.message.endsWith(`npm install ${name}`));
  }
});
