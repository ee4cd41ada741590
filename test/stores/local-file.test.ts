import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import { InMemoryMetrics, InstrumentedStorage, serializers } from '../../dist/index.js';
import { LocalFileCache, type LocalFileCacheOptions } from '../../dist/stores/local-file.js';
import { decodeEntry } from '../../dist/wire/entry.js';
import { fakeClock } from '../../dist/testing/index.js';
import { type Scope, tempDir, until } from '../support/process.js';
import { filesIn } from '../support/sources.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const pathOf = (directory: string, key: string): string => join(directory, sha256(key).slice(0, 2), sha256(key));

interface Set_ {
  readonly directory: string;
  readonly store: LocalFileCache;
  readonly errors: Error[];
}

function make(scope: Scope, options: LocalFileCacheOptions = {}): Set_ {
  const directory = join(tempDir(scope), 'cache');
  const errors: Error[] = [];
  return { directory, errors, store: new LocalFileCache(directory, { onError: (error) => errors.push(error), ...options }) };
}

test('every key is a key of its own, and nothing is written outside of the directory', async (t) => {
  const { store, directory } = make(t);
  const keys = [
    ...['..', '.', '/abs', '/etc/passwd', '../../escape', 'a/b', 'a_b', 'a\\b', 'a\0b', 'a', 'A', 'CON', 'nul', 'x.', 'x', 'x ', ' x'],
    ...[
      '😀',
      'é',
      'e\u0301',
      '\u212b',
      '\u00c5',
      '%2e%2e',
      '~',
      '*',
      '?',
      '\n',
      '\u202e',
      '__proto__',
      'k'.repeat(10_000),
      'ü'.repeat(32_768),
    ],
  ];
  t.is(new Set(keys).size, keys.length);
  for (const [i, key] of keys.entries()) await store.set(key, i, 600);
  for (const [i, key] of keys.entries()) t.is(await store.get(key), i);
  t.deepEqual(filesIn(dirname(directory), /./), keys.map((key) => `cache/${sha256(key).slice(0, 2)}/${sha256(key)}`).sort());
  await store.clear();
  t.deepEqual(filesIn(directory, /./), []);
  await t.throwsAsync(store.set('k'.repeat(65_537), 1, 60), { instanceOf: RangeError });
  t.is(({} as { polluted?: unknown }).polluted, undefined);
});

test('a file holds its key and, after decompression, the wire format', async (t) => {
  const { store, directory } = make(t);
  const value = { text: 'x'.repeat(5000) };
  await store.set('page', value, 60);
  const file = readFileSync(pathOf(directory, 'page'));
  t.is(file.toString('latin1', 0, 4), 'ACF1');
  t.is(file.toString('utf8', 48, 52), 'page');
  const entry = decodeEntry(gunzipSync(file.subarray(52)));
  t.is(Buffer.from(entry.payload).toString(), JSON.stringify(value));
  t.deepEqual(await store.getEntry('page'), { value, freshUntil: entry.freshUntil, createdAt: entry.createdAt });
  t.true(file.length < 200);

  const plain = make(t, { compress: 'none' });
  await plain.store.set('page', value, Infinity);
  const bytes = decodeEntry(readFileSync(pathOf(plain.directory, 'page')).subarray(52));
  t.is(bytes.freshUntil, Infinity);
  t.is(Buffer.from(bytes.payload).toString(), JSON.stringify(value));
});

test('what one way of compressing wrote, every store reads', async (t) => {
  const { store, directory } = make(t, { compress: 'brotli' });
  const value = randomBytes(20_000).toString('hex');
  await store.set('brotli', value, 60);
  await new LocalFileCache(directory, { compress: 'none' }).set('none', value, 60);
  await new LocalFileCache(directory).set('gzip', value, 60);
  t.deepEqual(
    await store.getMany(['brotli', 'none', 'gzip']),
    new Map([
      ['brotli', value],
      ['none', value],
      ['gzip', value],
    ]),
  );
});

if (process.platform !== 'win32') {
  test.serial('files are 0600 and directories 0700, whatever the umask', async (t) => {
    for (const mask of [0, 0o777, 0o277]) {
      const before = process.umask(mask);
      try {
        const { store, directory } = make({ teardown: (undo) => t.teardown(undo) });
        await store.set('key', 1, 60);
        await store.setIfNotExists('other', 1, 60);
        t.is(await store.get('key'), 1);
        for (const key of ['key', 'other']) {
          t.is(statSync(pathOf(directory, key)).mode & 0o777, 0o600);
          t.is(statSync(dirname(pathOf(directory, key))).mode & 0o777, 0o700);
        }
        t.is(statSync(directory).mode & 0o777, 0o700);
      } finally {
        process.umask(before);
      }
    }
  });

  test('a directory that others may write to, or that is none, is refused', (t) => {
    const base = tempDir(t);
    mkdirSync(join(base, 'open'));
    chmodSync(join(base, 'open'), 0o777);
    symlinkSync(base, join(base, 'link'));
    writeFileSync(join(base, 'file'), '');
    const refused = (name: string, message: RegExp): void =>
      void t.throws(() => new LocalFileCache(join(base, name)), { code: 'ERR_STORE', message });
    refused('open', /others may write to it \(mode 777\)/);
    refused('link', /not a real directory.*symbolic link/);
    refused('file', /EEXIST|ENOTDIR/);
    refused('file/inside', /ENOTDIR/);
    chmodSync(join(base, 'open'), 0o755);
    t.notThrows(() => new LocalFileCache(join(base, 'open')));
  });

  test('a symbolic link, a hard link to nowhere, a directory or a readable file in the place of an entry is a miss, and is replaced', async (t) => {
    const { store, directory, errors } = make(t);
    const outside = join(dirname(directory), 'outside');
    await store.set('other', 'secret', 60);
    writeFileSync(outside, readFileSync(pathOf(directory, 'other')), { mode: 0o600 });
    await store.set('key', 1, 60);
    const path = pathOf(directory, 'key');

    rmSync(path);
    symlinkSync(outside, path);
    t.is(await store.get('key'), undefined);
    await store.set('key', 2, 60);
    t.is(await store.get('key'), 2);
    t.true(lstatSync(path).isFile());
    t.deepEqual(readFileSync(outside), readFileSync(pathOf(directory, 'other')), 'the target was not written to');

    rmSync(path);
    symlinkSync('/nowhere', path);
    t.is(await store.getEntry('key'), undefined);
    t.true(await store.setIfNotExists('key', 3, 60));
    t.is(await store.get('key'), 3);

    chmodSync(path, 0o644);
    t.is(await store.get('key'), undefined);
    await store.set('key', 4, 60);

    rmSync(path);
    linkSync(pathOf(directory, 'other'), path);
    t.is(await store.get('key'), undefined, 'the file of another key');
    await store.set('key', 5, 60);
    t.is(await store.get('other'), 'secret');

    rmSync(path);
    mkdirSync(path);
    t.is(await store.get('key'), undefined);
    await t.throwsAsync(store.set('key', 6, 60), { code: 'ERR_STORE' });
    t.is(errors.length, 5);
    t.true(errors.every((error) => error.name === 'WireFormatError'));
  });
}

test('what is no entry is a counted miss: empty, cut off, foreign, of another layout, another serializer, a gzip bomb', async (t) => {
  const { directory, errors } = make(t);
  const metrics = new InMemoryMetrics();
  const store = new InstrumentedStorage(
    new LocalFileCache(directory, { onError: (e) => errors.push(e), maxBytes: 100_000 }),
    metrics,
    'files',
  );
  await store.set('key', { text: 'x'.repeat(2000) }, 60);
  const path = pathOf(directory, 'key');
  const whole = readFileSync(path);
  const bomb = (claimed: number): Buffer => {
    const body = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const head = Buffer.from(whole.subarray(0, 51));
    head.writeUInt32BE(claimed, 12);
    head.writeUInt32BE(crc32(body, crc32(head.subarray(48), crc32(head.subarray(0, 16)))), 16);
    return Buffer.concat([head, body]);
  };
  const bodies: Readonly<Record<string, Buffer>> = {
    empty: Buffer.alloc(0),
    'cut off in the head': whole.subarray(0, 30),
    'cut off in the body': whole.subarray(0, -1),
    'too long': Buffer.concat([whole, Buffer.from('x')]),
    foreign: Buffer.from('{"not":"ours"}'.repeat(10)),
    'of another layout': Buffer.concat([Buffer.from('ACF2'), whole.subarray(4)]),
    'a bomb that tells a small size': bomb(1000),
    'a bomb that tells its size': bomb(64 * 1024 * 1024),
    'a file larger than is allowed': Buffer.concat([whole, Buffer.alloc(200_000)]),
  };
  let count = 0;
  for (const [name, body] of Object.entries(bodies)) {
    writeFileSync(path, body);
    t.is(await store.get('key'), undefined, name);
    t.is(await store.getEntry('key'), undefined, name);
    count += 2;
    t.is(errors.length, count, name);
    t.is(metrics.getStats().caches['files']?.misses, count, name);
    t.is(metrics.getStats().errors['files.get']?.['WireFormatError'], count, name);
  }
  t.false(await store.exists('key'));
  t.false(await store.delete('key'), 'there was no entry');
  t.false(existsSync(path));
  await new LocalFileCache(directory, { serializer: 'v8' }).set('key', new Map(), 60);
  t.is(await store.get('key'), undefined, 'of another serializer');
  writeFileSync(path, bodies['foreign'] as Buffer);
  t.true(await store.setIfNotExists('key', 1, 60), 'what is no entry counts as absent');
  t.is(await store.get('key'), 1);
});

test('100,000 random mutations of a file: every one is a miss, and none a crash', async (t) => {
  const { decodeFile } = await import('../../dist/stores/file/layout.js');
  const { store, directory, errors } = make(t, { maxBytes: 100_000 });
  const value = { a: [1, 2, 3], text: 'some text, some text, some text. '.repeat(30) };
  await store.set('key', value, 60);
  const path = pathOf(directory, 'key');
  const whole = readFileSync(path);
  // Mulberry32: the mutations are the same in every run.
  let state = 42;
  const random = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let n = Math.imul(state ^ (state >>> 15), 1 | state);
    n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
    return ((n ^ (n >>> 14)) >>> 0) % below;
  };
  const mutate = (): Buffer => {
    const bytes = Buffer.from(whole);
    const kind = random(4);
    if (kind === 0) return bytes.subarray(0, random(bytes.length));
    if (kind === 1) return Buffer.concat([bytes, Buffer.alloc(1 + random(50), random(256))]);
    for (let i = random(kind === 2 ? 1 : 8); i >= 0; i--) {
      const at = random(bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << random(8));
    }
    return bytes;
  };
  let refused = 0;
  let through = 0;
  let same = 0;
  for (let i = 0; i < 100_000; i++) {
    const bytes = mutate();
    if (bytes.equals(whole)) {
      same += 1;
      continue;
    }
    // All go to the decoder, and some the whole way through the file system.
    if (i % 50 === 0) {
      writeFileSync(path, bytes);
      t.is(await store.get('key'), undefined);
      through += 1;
    }
    try {
      decodeFile(bytes);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_WIRE_FORMAT') throw error;
      refused += 1;
    }
  }
  t.is(refused, 100_000 - same);
  t.is(errors.length, through);
  t.true(through > 1900);
  writeFileSync(path, whole);
  t.deepEqual(await store.get('key'), value);
});

test('clear removes the files of this cache, and nothing else', async (t) => {
  const { store, directory } = make(t);
  for (let i = 0; i < 50; i++) await store.set(`key ${i}`, i, 60);
  const shard = dirname(pathOf(directory, 'key 0'));
  const name = sha256('key 0').slice(0, 2);
  const foreign = [
    join(directory, 'README'),
    join(shard, 'notes.txt'),
    join(shard, `${name}${'0'.repeat(62)}`),
    join(shard, `${sha256('key 0')}.${process.pid}.0123456789ab.tmp`),
  ];
  for (const path of foreign) writeFileSync(path, 'not an entry');
  await store.clear();
  t.deepEqual(filesIn(directory, /./), foreign.map((path) => path.slice(directory.length + 1)).sort());
});

test('what has expired is deleted when it is read, and by a sweep; a stale entry that is held is not', async (t) => {
  const clock = fakeClock();
  const { store, directory } = make(t, { clock });
  for (let i = 0; i < 20; i++) await store.set(`dead ${i}`, i, 10);
  const now = clock.wall() / 1000;
  await store.setEntry('stale', { value: 1, freshUntil: now + 10, createdAt: now }, 600);
  await store.set('fresh', 2, 600);
  clock.advance(11_000);
  t.is(await store.get('dead 0'), undefined);
  t.false(existsSync(pathOf(directory, 'dead 0')));
  t.is(await store.sweep(), 19);
  t.deepEqual(
    filesIn(directory, /./).map((path) => path.slice(3)),
    ['stale', 'fresh'].map(sha256).sort((a, b) => (a < b ? -1 : 1)),
  );
  t.is((await store.getEntry('stale'))?.value, 1);
});

test('writes sweep on the way: a directory of keys that all expire does not grow with each of them', async (t) => {
  const clock = fakeClock();
  const { store, directory } = make(t, { clock });
  const shards = new Set<string>();
  // Keys of a few shards only, so that the sweeps come by often enough to be seen.
  const keys: string[] = [];
  for (let i = 0; keys.length < 1200; i++) if (sha256(`key ${i}`).startsWith('a')) keys.push(`key ${i}`);
  for (const key of keys) {
    await store.set(key, 1, 10);
    shards.add(sha256(key).slice(0, 2));
    clock.advance(1000);
  }
  await until(() => filesIn(directory, /./).length < 1000, { what: 'the sweeps' });
  t.is(shards.size, 16);
});

test('what dead writers left is deleted once it is old enough', async (t) => {
  const { store, directory } = make(t);
  await store.set('key', 1, 60);
  const path = pathOf(directory, 'key');
  const nobody = 2 ** 22 + 1;
  const files = {
    old: `${path}.${process.pid}.000000000001.tmp`,
    abandoned: `${path}.${nobody}.000000000002.tmp`,
    young: `${path}.${nobody}.000000000003.tmp`,
    live: `${path}.${process.pid}.000000000004.tmp`,
  };
  for (const file of Object.values(files)) writeFileSync(file, 'half an ent');
  const age = (file: string, seconds: number): void => utimesSync(file, Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);
  age(files.old, 4000);
  age(files.abandoned, 100);
  age(files.live, 100);
  await store.sweep();
  t.false(existsSync(files.old));
  t.false(existsSync(files.abandoned));
  t.true(existsSync(files.young));
  t.true(existsSync(files.live));
  t.is(await store.get('key'), 1);
});

test('with dedupeWrites an unchanged value only gets a new life; a changed one is written', async (t) => {
  const clock = fakeClock();
  const { store, directory, errors } = make(t, { clock, dedupeWrites: true });
  const path = pathOf(directory, 'key');
  const value = { text: 'x'.repeat(5000) };
  await store.set('key', value, 60);
  const first = statSync(path).ino;
  const body = readFileSync(path).subarray(48);
  clock.advance(50_000);
  const now = clock.wall() / 1000;
  await store.setEntry('key', { value, freshUntil: now + 60, createdAt: now }, 600);
  t.is(statSync(path).ino, first);
  t.deepEqual(readFileSync(path).subarray(48), body);
  t.deepEqual(await store.getEntry('key'), { value, freshUntil: now + 60, createdAt: now });
  clock.advance(100_000);
  t.is(await store.get('key'), undefined);
  t.deepEqual((await store.getEntry('key'))?.value, value, 'the stale window is new, too');
  await store.set('key', { text: 'y'.repeat(5000) }, 60);
  t.not(statSync(path).ino, first);
  t.deepEqual(await store.get('key'), { text: 'y'.repeat(5000) });
  writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, -1), Buffer.from('?')]));
  await store.set('key', { text: 'y'.repeat(5000) }, 60);
  t.deepEqual(await store.get('key'), { text: 'y'.repeat(5000) }, 'a corrupt file is written anew, not prolonged');
  t.deepEqual(errors, []);
});

test('a directory that was taken away is made again', async (t) => {
  const { store, directory } = make(t);
  await store.set('key', 1, 60);
  renameSync(directory, `${directory}.gone`);
  t.is(await store.get('key'), undefined);
  await store.set('key', 2, 60);
  t.is(await store.get('key'), 2);
  rmSync(directory, { recursive: true });
  t.true(await store.setIfNotExists('key', 3, 60));
  t.is(await store.get('key'), 3);
  t.is(statSync(directory).mode & 0o077, 0);
});

test('a claim that a dead process left does not keep a key from being set for ever', async (t) => {
  const clock = fakeClock();
  const { store, directory } = make(t, { clock });
  await store.set('key', 1, 10);
  clock.advance(11_000);
  const path = pathOf(directory, 'key');
  const { ino, size, mtimeNs } = statSync(path, { bigint: true });
  writeFileSync(`${path}.${ino}-${size}-${mtimeNs}.claim`, '');
  t.true(await store.setIfNotExists('key', 2, 60));
  t.is(await store.get('key'), 2);
  t.deepEqual(readdirSync(dirname(path)), [sha256('key')]);
});

test('a thousand operations at once open no more files than a process may', async (t) => {
  const { store } = make(t);
  const keys = Array.from({ length: 3000 }, (_, i) => `key ${i}`);
  await store.setMany(new Map(keys.map((key, i) => [key, i])), 600);
  const all = await store.getMany(keys);
  t.is(all.size, keys.length);
  t.is(all.get('key 2999'), 2999);
});

test('writes of one key land in the order they were called in', async (t) => {
  const { store } = make(t);
  for (let round = 0; round < 20; round++) {
    const text = 'x'.repeat(200_000 >> round);
    await Promise.all([store.set('key', text, 60), store.set('key', 2, 60), store.set('key', round, 60)]);
    t.is(await store.get('key'), round);
  }
});

test('the value as it was when set was called is what is kept', async (t) => {
  const { store } = make(t);
  const value = { n: 1 };
  const write = store.set('key', value, 60);
  value.n = 2;
  await write;
  t.deepEqual(await store.get('key'), { n: 1 });
});

test('what is too large, or can not be serialized, is refused, and what was there stays', async (t) => {
  const { store } = make(t, { maxBytes: 1000 });
  await store.set('key', 'small', 60);
  await t.throwsAsync(store.set('key', 'x'.repeat(1000), 60), { code: 'ERR_STORE', message: /at most 1000 bytes/ });
  await t.throwsAsync(
    store.set('key', () => 1, 60),
    { code: 'ERR_SERIALIZATION' },
  );
  t.is(await store.get('key'), 'small');
});

test('bad arguments are refused at once', (t) => {
  const directory = tempDir(t);
  const refused = (run: () => unknown, message: RegExp): void => void t.throws(run, { message });
  const build = (...args: unknown[]): LocalFileCache => new LocalFileCache(...(args as [string]));
  refused(() => build(), /directory.*a path, got undefined/);
  refused(() => build(''), /directory.*a path/);
  refused(() => build('a\0b'), /directory.*a path/);
  refused(() => build(directory, { ttl: 1 }), /among serializer.*got 'ttl'/);
  refused(() => build(directory, { compress: 'zip' }), /compress.*'gzip', 'none', 'brotli'.*got 'zip'/);
  refused(() => build(directory, { serializer: 'yaml' }), /serializer.*got 'yaml'/);
  refused(() => build(directory, { dedupeWrites: 1 }), /dedupeWrites.*boolean/);
  refused(() => build(directory, { maxBytes: 0 }), /maxBytes.*1 or more/);
  refused(() => build(directory, { onError: 1 }), /onError/);
  refused(() => build(directory, { clock: 1 }), /clock/);
  t.truthy(build(directory, { serializer: serializers.v8 }));
});
