import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import test from 'ava';
import { WireFormatError } from '../../../dist/core/errors.js';
import { EntryCodec } from '../../../dist/stores/remote/entry-codec.js';
import { type RemoteOptions, remoteSettings } from '../../../dist/stores/remote/options.js';
import { SEAL_BYTES, sealOf } from '../../../dist/stores/remote/seal.js';
import { encodeEntry } from '../../../dist/wire/entry.js';
import { Counting } from '../support/counting.js';

const SECRET = 'a secret of more than 16 bytes';
const OTHER = Buffer.alloc(16, 7);

interface Subject {
  readonly codec: EntryCodec;
  readonly faults: Error[];
  readonly serializer: Counting;
}

function make(options: RemoteOptions = { secret: SECRET }): Subject {
  const faults: Error[] = [];
  const serializer = new Counting();
  const settings = remoteSettings('Test', { serializer, onError: (error) => void faults.push(error), ...options });
  return { codec: new EntryCodec('Test', settings), faults, serializer };
}

const value = { id: 42, roles: ['reader'] };
const until = 4e9;

function sealed(name: string, codec = make().codec): Buffer {
  return codec.encode(name, codec.payload(value), until, 1e9);
}

test('a sealed entry is the wire format and 32 bytes more, as the head of seal.ts has it', (t) => {
  const entry = encodeEntry(Buffer.from(JSON.stringify(value)), until, 1e9);
  const name = 'app:usér';
  const length = Buffer.from([0, 0, 0, 9]);
  const hmac = createHmac('sha256', SECRET).update('advanced-caching.entry.1\0').update(length).update(name).update(entry).digest();
  t.deepEqual(sealed(name), Buffer.concat([entry, hmac]));
  t.is(hmac.length, SEAL_BYTES);
  const { codec, faults } = make();
  t.deepEqual(codec.decode(name, sealed(name)), { value, freshUntil: until, createdAt: 1e9 });
  t.deepEqual(codec.decodeFresh(name, sealed(name), 1), { value });
  t.deepEqual(codec.decodeHeader(name, sealed(name)), { freshUntil: until, createdAt: 1e9 });
  t.deepEqual(faults, []);
});

test('without a secret the bytes are the wire format and nothing else', (t) => {
  const { codec } = make({});
  t.is(codec.sealBytes, 0);
  t.deepEqual(sealed('key', codec), encodeEntry(Buffer.from(JSON.stringify(value)), until, 1e9));
});

test('100,000 flips of bits: none is accepted, and none comes as far as the serializer', (t) => {
  const { stackTraceLimit } = Error;
  t.teardown(() => (Error.stackTraceLimit = stackTraceLimit));
  // Nobody reads the stacks of a hundred thousand errors.
  Error.stackTraceLimit = 0;
  const { codec, faults, serializer } = make();
  const bytes = sealed('key');
  let accepted = 0;
  let flips = 0;
  const flip = (bit: number): void => {
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
  };
  const bits = bytes.length * 8;
  // Each single one, and then pairs: every bit with others all over.
  for (let bit = 0; bit < bits; bit++, flips++) {
    flip(bit);
    if (codec.decode('key', bytes)) accepted++;
    flip(bit);
  }
  for (let distance = 1; flips < 100_000; distance += 7) {
    for (let bit = 0; bit < bits && flips < 100_000; bit++, flips++) {
      const second = (bit + distance) % bits;
      if (second === bit) continue;
      flip(bit);
      flip(second);
      if (codec.decode('key', bytes)) accepted++;
      flip(second);
      flip(bit);
    }
  }
  t.is(flips, 100_000);
  t.is(accepted, 0);
  t.is(serializer.decoded, 0);
  t.true(faults.every((error) => error instanceof WireFormatError));
  t.truthy(codec.decode('key', bytes), 'as it was it is accepted');
});

test('what is cut off, longer, unsealed, of another name, another secret or another kind is refused', (t) => {
  const { codec, faults, serializer } = make();
  const good = sealed('key');
  const foreign: Readonly<Record<string, Buffer>> = {
    empty: Buffer.alloc(0),
    'a seal alone': good.subarray(-SEAL_BYTES),
    'cut off': good.subarray(0, -1),
    longer: Buffer.concat([good, Buffer.alloc(1)]),
    unsealed: sealed('key', make({}).codec),
    'with a seal of zeros': Buffer.concat([good.subarray(0, -SEAL_BYTES), Buffer.alloc(SEAL_BYTES)]),
    'of another name': sealed('key2'),
    'of a shorter name': sealed('ke', codec),
    'of another secret': sealed('key', make({ secret: OTHER }).codec),
    'of a file': Buffer.concat([
      good.subarray(0, -SEAL_BYTES),
      sealOf('file', { secret: SECRET })?.of('key', good.subarray(0, -SEAL_BYTES)) as Buffer,
    ]),
  };
  for (const [kind, bytes] of Object.entries(foreign)) {
    t.is(codec.decode('key', bytes), undefined, kind);
    t.is(codec.decodeFresh('key', bytes, 1), undefined, kind);
    t.throws(() => codec.decodeHeader('key', bytes), { instanceOf: WireFormatError }, kind);
  }
  t.is(faults.length, 2 * Object.keys(foreign).length);
  t.true(faults.every((error) => error instanceof WireFormatError && error.name === 'WireFormatError'));
  t.is(serializer.decoded, 0);
  t.is(make({}).codec.decode('key', good), undefined, 'and a store without a secret does not take the seal for a part of the value');
});

test('several secrets: the first seals, all are accepted', (t) => {
  const older = make({ secret: SECRET }).codec;
  const both = make({ secret: [OTHER, SECRET] }).codec;
  const newer = make({ secret: [new Uint8Array(OTHER)] }).codec;
  t.truthy(both.decode('key', sealed('key', older)));
  t.truthy(both.decode('key', sealed('key', both)));
  t.truthy(newer.decode('key', sealed('key', both)), 'sealed by the first');
  t.is(older.decode('key', sealed('key', both)), undefined);
  t.is(newer.decode('key', sealed('key', older)), undefined);
});

test('a secret that is changed by its owner afterwards stays what it was', (t) => {
  const mine = Buffer.from(SECRET);
  const { codec } = make({ secret: mine });
  mine.fill(0);
  t.truthy(make().codec.decode('key', sealed('key', codec)));
});

test('the seal counts for `maxBytes`, when it is written as when it is read', (t) => {
  const size = sealed('key').length;
  const exact = make({ secret: SECRET, maxBytes: size }).codec;
  t.truthy(exact.decode('key', sealed('key', exact)));
  const smaller = make({ secret: SECRET, maxBytes: size - 1 });
  t.throws(() => sealed('key', smaller.codec), { message: new RegExp(`at most ${size - 1} bytes, got one of ${size}`) });
  t.is(smaller.codec.decode('key', sealed('key')), undefined);
  t.regex(smaller.faults[0]?.message ?? '', /at most/);
});

test('what is no secret is refused, without a word of it', (t) => {
  const refused = (secret: unknown): Error => t.throws(() => remoteSettings('Test', { secret } as RemoteOptions)) as Error;
  t.regex(refused('canary').message, /^Expected `secret` to have 16 bytes or more, got 6$/);
  t.regex(refused(Buffer.alloc(15)).message, /got 15$/);
  t.regex(refused([SECRET, 'canary']).message, /got 6$/);
  t.regex(refused([]).message, /one secret or more, got an empty array/);
  for (const secret of [
    undefined,
    1234567890123456,
    null,
    {},
    { canary: SECRET },
    ['canary'.repeat(3), 1],
    Symbol('canary'),
    new ArrayBuffer(16),
    true,
  ]) {
    const error = refused(secret);
    t.true(error instanceof TypeError);
    t.notRegex(error.message, /canary|1234567890/);
  }
  t.notThrows(() => remoteSettings('Test', { secret: 'é'.repeat(8) }));
});

test('neither an error nor a look into the codec shows the secret', (t) => {
  const { codec, faults } = make();
  codec.decode('key', sealed('other'));
  const seen = inspect([codec, faults, sealOf('entry', { secret: SECRET })], { depth: 9, showHidden: true });
  t.notRegex(seen, /a secret of/);
  t.notRegex(seen, new RegExp(Buffer.from(SECRET).toString('hex').replace(/../g, '$& ').trim()));
  t.notRegex(JSON.stringify(codec), /a secret of/);
});
