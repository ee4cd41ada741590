import { execFileSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import protobuf from 'protobufjs';
import { RedisCache, SerializationError, type Serializer, serializers } from '../../dist/index.js';
import { resolveSerializer } from '../../dist/serializers/resolve.js';
import { tempDir } from '../support/process.js';
import { root } from '../support/root.js';
import { User, message, subjects } from './values.js';

const { json, v8, msgpack } = serializers;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

test('names are accepted as strings, objects as they are, and everything else is refused', (t) => {
  for (const name of ['json', 'v8', 'msgpack'] as const) t.is(resolveSerializer(name), serializers[name]);
  const own: Serializer = { dumps: () => new Uint8Array(), loads: () => 1 };
  t.is(resolveSerializer(own), own);
  t.is(resolveSerializer(undefined), json);
  for (const wrong of ['pickle', 'protobuf', 'toString', 1, null, {}, { dumps() {} }]) {
    t.throws(() => resolveSerializer(wrong as never), {
      instanceOf: TypeError,
      message: /one of 'json', 'v8', 'msgpack', or an object with dumps and loads/,
    });
  }
  t.true(Object.isFrozen(serializers));
});

for (const [name, { serializer, value }] of Object.entries(subjects)) {
  test(`${name}: what is loaded doesn't change with the bytes it was loaded from`, (t) => {
    const withBytes = name === 'json' ? value : { ...value, raw: Buffer.from('raw') };
    const source = new Uint8Array(serializer.dumps(withBytes));
    // What a store does for every serializer but json and msgpack, which copy by themselves.
    const loaded = serializer.loads(name === 'v8' || name === 'protobuf' ? new Uint8Array(source) : source);
    const before = JSON.stringify(loaded);
    source.fill(0xff);
    t.is(JSON.stringify(loaded), before);
  });

  test(`${name}: an error doesn't quote what it couldn't read`, (t) => {
    const canary = Buffer.from('{"secret":canary canary canary');
    const error = t.throws(() => serializer.loads(new Uint8Array(canary)), { instanceOf: SerializationError });
    t.notRegex(`${error?.message} ${(error?.cause as Error | undefined)?.message}`, /canary/);
  });
}

test('msgpack: the shortest plain form, which other languages write', (t) => {
  t.is(hex(msgpack.dumps({ a: [1, -1, null, true, 'x'] })), '81a1619501ffc0c3a178');
  t.is(hex(msgpack.dumps(Buffer.from([1, 2]))), 'c4020102');
  t.is(hex(msgpack.dumps(new Map([['a', 1]]))), '81a16101');
  const rows = [
    { id: 1, name: 'a' },
    { id: 2, name: 'b' },
  ];
  t.is(hex(msgpack.dumps(rows)), '9282a2696401a46e616d65a16182a2696402a46e616d65a162', 'no record structures');
});

test('msgpack: dates, undefined, and integers of other languages', (t) => {
  const date = new Date(1_700_000_000_123);
  t.deepEqual(msgpack.loads(msgpack.dumps({ date, nothing: undefined })), { date, nothing: undefined });
  t.is(msgpack.loads(bytes('cf0000010000000000')), 2 ** 40);
  t.is(msgpack.loads(bytes('d3ffffff0000000000')), -(2 ** 40));
  t.is(msgpack.loads(bytes('cfffffffffffffffff')), 2n ** 64n - 1n);
});

for (const [what, value] of Object.entries({
  'a function': () => 1,
  'a symbol in an object': { s: Symbol('canary') },
  'a bigint past 64 bits': 2n ** 64n,
  'a Float64Array': { floats: new Float64Array(3) },
  'a DataView': new DataView(new ArrayBuffer(2)),
})) {
  test(`msgpack: refuses ${what}, and goes on`, (t) => {
    const error = t.throws(() => msgpack.dumps(value), { instanceOf: SerializationError });
    t.notRegex(`${error?.message} ${String(error?.cause)}`, /canary/);
    t.is(msgpack.loads(msgpack.dumps('after it')), 'after it');
  });
}

test('msgpack: a cycle and a nesting without end are refused', (t) => {
  const cycle: Record<string, unknown> = {};
  cycle['cycle'] = cycle;
  t.throws(() => msgpack.dumps(cycle), { instanceOf: SerializationError });
  t.throws(() => msgpack.loads(new Uint8Array(1_000_000).fill(0x91)), { instanceOf: SerializationError });
  t.is(msgpack.loads(msgpack.dumps('after it')), 'after it');
});

for (const [what, text] of Object.entries({
  nothing: '',
  'a second value': 'c0c0',
  'the byte that means nothing': 'c1',
  'an array of 30 million elements': 'dd01c9c380',
  'nested arrays of 30 million elements': 'dd01c9c380dd01c9c380dd01c9c380',
  'a map of 4 billion': 'dfffffffff',
  'a text longer than the bytes': 'd905616161',
  'bytes longer than the bytes': 'c6ffffffff00',
  "msgpackr's records": 'd4724093a1616101',
  "msgpackr's regular expressions": 'd4780092a2282ba0',
  "msgpackr's references": 'd67000000001',
  'an extension of somebody else': 'c70105ff',
})) {
  test(`msgpack: no plain MessagePack: ${what}`, (t) => {
    t.throws(() => msgpack.loads(bytes(text)), { instanceOf: SerializationError, message: /are not plain MessagePack/ });
  });
}

test('msgpack: works where no code can be made from strings', (t) => {
  const fixture = fileURLToPath(new URL('./fixtures/no-codegen.js', import.meta.url));
  const output = execFileSync(process.execPath, ['--disallow-code-generation-from-strings', fixture], { encoding: 'utf8' });
  t.deepEqual(JSON.parse(output), { isForbidden: true, isSame: true });
});

test('protobuf: messages of a reflection type, from messages and from plain objects', (t) => {
  const users = serializers.protobuf(User);
  const loaded = users.loads(users.dumps(message));
  t.true(loaded instanceof User.ctor);
  t.deepEqual(users.dumps(User.create(message)), users.dumps(message));
  t.deepEqual(users.dumps(loaded), users.dumps(message));
});

/** As `pbjs -t static` generates them: functions on a class, a reader or bytes to decode. */
class StaticUser {
  id = 0;
  static encode(value: { id?: number }, writer: protobuf.Writer = protobuf.Writer.create()): protobuf.Writer {
    return writer.uint32(8).int32(value.id ?? 0);
  }
  static decode(source: protobuf.Reader | Uint8Array): StaticUser {
    const reader = source instanceof protobuf.Reader ? source : protobuf.Reader.create(source);
    const user = new StaticUser();
    while (reader.pos < reader.len) {
      reader.uint32();
      user.id = reader.int32();
    }
    return user;
  }
}

test('protobuf: a static class', (t) => {
  const users = serializers.protobuf(StaticUser);
  const loaded = users.loads(users.dumps({ id: 42 }));
  t.true(loaded instanceof StaticUser);
  t.is((loaded as StaticUser).id, 42);
  t.deepEqual(users.dumps({ id: 42 }), serializers.protobuf(User).dumps({ id: 42 }));
});

test('protobuf: what is no such message, or no type, is refused', (t) => {
  const users = serializers.protobuf(User);
  for (const wrong of [null, undefined, 1, 'canary']) t.throws(() => users.dumps(wrong), { instanceOf: SerializationError });
  const error = t.throws(() => users.dumps({ id: 'canary' }), { instanceOf: SerializationError, message: /id: integer expected/ });
  t.notRegex(error?.message ?? '', /canary/);
  for (const wrong of [undefined, {}, User.name, { encode() {} }]) {
    t.throws(() => serializers.protobuf(wrong as never), { instanceOf: TypeError, message: /protobufjs Type/ });
  }
});

test('json: what it has no word for', (t) => {
  for (const value of [undefined, () => 1, 1n, Symbol('x')]) t.throws(() => json.dumps(value), { instanceOf: SerializationError });
  t.deepEqual(v8.loads(v8.dumps(new Map([[1n, undefined]]))), new Map([[1n, undefined]]));
});

test('without the package msgpackr: an error that says how to install it, at construction', (t) => {
  const folder = tempDir(t);
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(folder, 'main.js'),
    `import { RedisCache, cache, serializers, MissingDependencyError } from './dist/index.js';
    const client = Object.fromEntries(['getBuffer', 'getrangeBuffer', 'set', 'unlink', 'eval', 'evalsha', 'pipeline'].map((name) => [name, () => {}]));
    const errors = [];
    for (const serializer of ['msgpack', serializers.msgpack]) {
      try { new RedisCache(client, { serializer }); } catch (error) { errors.push([error instanceof MissingDependencyError, error.code, error.dependency, error.message]); }
    }
    new RedisCache(client, { serializer: 'v8' });
    console.log(JSON.stringify(errors));`,
  );
  const output = execFileSync(process.execPath, [join(folder, 'main.js')], { encoding: 'utf8' });
  const expected = [
    true,
    'ERR_MISSING_DEPENDENCY',
    'msgpackr',
    "The serializer msgpack needs the package `msgpackr`, which isn't installed: npm install msgpackr",
  ];
  t.deepEqual(JSON.parse(output), [expected, expected]);
  t.is(typeof RedisCache, 'function');
});
