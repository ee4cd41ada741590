import test from 'ava';
import { systemClock } from '../../dist/core/clock.js';
import { SerializationError, SnapshotTooLargeError, WireFormatError } from '../../dist/core/errors.js';
import type { Snapshot } from '../../dist/core/snapshot.js';
import { direct } from '../../dist/mirror/access.js';
import { createRing, CRC, slotOf, type Ring } from '../../dist/mirror/layout.js';
import { publish } from '../../dist/mirror/protocol.js';
import { createReader, type Reader, type ReaderOptions } from '../../dist/mirror/reader.js';
import { serializers } from '../../dist/serializers/resolve.js';

function snapshot(version: number, value: unknown, more: Partial<Snapshot> = {}): Snapshot {
  return {
    epoch: 1,
    version,
    createdAt: 0,
    createdAtMonotonic: 0,
    freshFor: Infinity,
    codec: 'json',
    bytes: serializers.json.dumps(value),
    ...more,
  };
}

function setUp(options: Partial<ReaderOptions> = {}): { ring: Ring; reader: Reader<unknown>; errors: Error[] } {
  const ring = createRing(1024, 2);
  const errors: Error[] = [];
  const reader = createReader<unknown>({
    key: 'k',
    maxBytes: 1024,
    freeze: true,
    clock: systemClock,
    onError: (error) => errors.push(error),
    ...options,
  });
  reader.attach(ring);
  return { ring, reader, errors };
}

test('nothing before the first snapshot, then the same frozen object until the next', (t) => {
  const { ring, reader } = setUp();
  t.is(reader.read(), undefined);
  t.is(reader.meta(), undefined);
  publish(ring, snapshot(1, { a: [1] }));
  const first = reader.read() as { a: number[] };
  t.deepEqual(first, { a: [1] });
  t.true(Object.isFrozen(first) && Object.isFrozen(first.a));
  for (let i = 0; i < 5000; i++) if (reader.read() !== first) t.fail('another object');
  t.is(reader.counts().decodes, 1);
  publish(ring, snapshot(2, { a: [1] }));
  t.not(reader.read(), first);
  t.is(reader.meta()?.version, 2);
});

test('freeze: false leaves the value open', (t) => {
  const { ring, reader } = setUp({ freeze: false });
  publish(ring, snapshot(1, {}));
  t.false(Object.isFrozen(reader.read()));
});

test('every read is counted', (t) => {
  const { ring, reader } = setUp();
  let reads = 0;
  for (const many of [1, 0, 1022, 1023, 1024, 1025, 2048, 1, 1]) {
    for (let i = 0; i < many; i++) reader.read();
    reads += many;
    t.is(reader.counts().reads, reads);
    publish(ring, snapshot(reads, 1));
  }
});

const bad: Record<
  string,
  { more: Partial<Snapshot>; error: typeof WireFormatError | typeof SerializationError; decodes: number; spoil?: boolean }
> = {
  'a corrupt one': { more: {}, error: WireFormatError, decodes: 0, spoil: true },
  'one that is too large': { more: { bytes: new Uint8Array(101) }, error: SnapshotTooLargeError, decodes: 0 },
  'one of an unknown format': { more: { codec: 'nobody-knows' }, error: WireFormatError, decodes: 1 },
  'one that does not decode': { more: { bytes: Buffer.from('{"secret') }, error: SerializationError, decodes: 1 },
};

for (const [name, { more, error, decodes, spoil }] of Object.entries(bad)) {
  test(`${name} is tried once and reported once; the last good value stays`, (t) => {
    const { ring, reader, errors } = setUp({ maxBytes: 100 });
    publish(ring, snapshot(1, 'good'));
    t.is(reader.read(), 'good');
    publish(ring, snapshot(2, 'next', more));
    if (spoil) ring.words[slotOf(ring, 2) + CRC]!++;
    for (let i = 0; i < 3000; i++) t.is(reader.read(), 'good');
    t.is(errors.length, 1);
    t.true(errors[0] instanceof error);
    t.false(errors[0]?.message.includes('secret'));
    t.is(reader.lastProblem()?.error, errors[0]);
    t.like(reader.counts(), { refused: 1, decodes: 1 + decodes, regressed: 0, fallbacks: 0 });
    t.is(reader.meta()?.version, 1);
    publish(ring, snapshot(3, 'better'));
    t.is(reader.read(), 'better');
    t.is(errors.length, 1);
  });
}

test('a throwing onError, and one that reads again, hurt nobody', async (t) => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  let again: unknown;
  const { ring, reader } = setUp({
    onError: () => {
      again = reader.read();
      throw new Error('from onError');
    },
  });
  publish(ring, snapshot(1, 'good'));
  reader.read();
  publish(ring, snapshot(2, 'x', { bytes: Buffer.from('{') }));
  t.is(reader.read(), 'good');
  t.is(again, 'good');
  t.regex((await warned).message, /from onError/);
});

test('a custom serializer: it decides, unless the snapshot names another', (t) => {
  const upper = {
    name: 'upper',
    dumps: () => new Uint8Array(0),
    loads: (bytes: Uint8Array) => Buffer.from(bytes).toString().toUpperCase(),
  };
  const { ring, reader, errors } = setUp({ serializer: upper });
  publish(ring, snapshot(1, 0, { codec: 'upper', bytes: Buffer.from('abc') }));
  t.is(reader.read(), 'ABC');
  publish(ring, snapshot(2, 0, { codec: '', bytes: Buffer.from('d') }));
  t.is(reader.read(), 'D');
  publish(ring, snapshot(3, 0, { codec: 'v8' }));
  t.is(reader.read(), 'D');
  t.regex(errors[0]?.message ?? '', /format 'v8', got a `serializer` for 'upper'/);
});

test('attach: the value never goes back, and none is decoded twice', (t) => {
  const { ring, reader } = setUp();
  publish(ring, snapshot(5, 'five'));
  t.is(reader.read(), 'five');
  const older = createRing(1024, 2);
  publish(older, snapshot(4, 'four'));
  reader.attach(older);
  t.is(reader.read(), 'five');
  t.is(reader.counts().regressed, 1);
  publish(older, snapshot(5, 'another five'));
  t.is(reader.read(), 'five');
  publish(older, snapshot(1, 'next epoch', { epoch: 2 }));
  t.is(reader.read(), 'next epoch');
  publish(older, snapshot(99, 'of the old epoch', { epoch: 1 }));
  t.is(reader.read(), 'next epoch');
  t.like(reader.counts(), { regressed: 2, decodes: 2 });
  reader.attach(undefined);
  t.is(reader.read(), 'next epoch');
  reader.attach(createRing(1024, 2));
  t.is(reader.read(), 'next epoch');
  reader.attach(older);
  t.is(reader.read(), 'next epoch');
});

test('a writer that always wins: four copies a read, and the last good value', (t) => {
  const ring = createRing(1024, 2);
  let version = 0;
  let copies = 0;
  let racing = false;
  const reader = createReader<number>({
    key: 'k',
    maxBytes: 1024,
    freeze: true,
    clock: systemClock,
    access: {
      ...direct,
      copyOut(source) {
        copies++;
        const bytes = direct.copyOut(source);
        if (racing) for (let i = 0; i < 2; i++) publish(ring, snapshot(++version, version));
        return bytes;
      },
    },
  });
  reader.attach(ring);
  publish(ring, snapshot(++version, version));
  t.is(reader.read(), 1);
  publish(ring, snapshot(++version, version));
  racing = true;
  copies = 0;
  t.is(reader.read(), 1);
  t.is(copies, 4);
  t.is(reader.counts().fallbacks, 1);
  racing = false;
  t.is(reader.read(), version);
});

test('a decoded value owns its bytes: later publications do not show in it', (t) => {
  const { ring, reader } = setUp({ freeze: false });
  const bytes = (fill: number): Partial<Snapshot> => ({ codec: 'v8', bytes: serializers.v8.dumps(new Uint8Array(64).fill(fill)) });
  publish(ring, snapshot(1, 0, bytes(1)));
  const first = reader.read() as Uint8Array;
  for (let version = 2; version < 10; version++) publish(ring, snapshot(version, 0, bytes(version)));
  t.true(first.every((byte) => byte === 1));
});
