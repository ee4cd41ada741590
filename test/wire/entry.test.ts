import test from 'ava';
import fc from 'fast-check';
import { WireFormatError } from '../../dist/index.js';
import { decodeEntry, decodeHeader, encodeEntry } from '../../dist/wire/entry.js';

test("it is the Python library's format, byte for byte", (t) => {
  // struct.pack('>dd', 1700000060.5, 1700000000.25) + b'{"a":1}'
  const golden = Buffer.from('41d954fc4f20000041d954fc40100000'.concat(Buffer.from('{"a":1}').toString('hex')), 'hex');
  const { freshUntil, createdAt, payload } = decodeEntry(golden);
  t.is(Buffer.from(payload).toString(), '{"a":1}');
  t.deepEqual(encodeEntry(payload, freshUntil, createdAt), golden);
  t.is(freshUntil, 1700000060.5);
  t.is(createdAt, 1700000000.25);
  t.is(encodeEntry(new Uint8Array(), Infinity, 0).toString('hex'), '7ff00000000000000000000000000000');
});

test('what was encoded comes back', (t) => {
  const moment = fc.double({ min: 0.001, max: 1e18, noNaN: true });
  fc.assert(
    fc.property(fc.uint8Array(), fc.oneof(moment, fc.constant(Infinity)), moment, (payload, freshUntil, createdAt) => {
      const bytes = encodeEntry(payload, freshUntil, createdAt);
      // In the middle of other bytes, as a client's pool hands them out.
      const padded = new Uint8Array(bytes.length + 6);
      padded.set(bytes, 3);
      const entry = decodeEntry(padded.subarray(3, 3 + bytes.length));
      t.deepEqual(decodeHeader(bytes), { freshUntil, createdAt });
      return entry.freshUntil === freshUntil && entry.createdAt === createdAt && Buffer.compare(entry.payload, payload) === 0;
    }),
  );
});

test('short, foreign and nonsensical bytes are refused', (t) => {
  const foreign = [
    new Uint8Array(),
    new Uint8Array(15),
    Buffer.from('{"value": 1, "and": "some more"}'),
    Buffer.from('[1,2,3,4,5,6,7,8,9,10]'),
    Buffer.from('1f8b0800000000000003ab56ca48cdc9c9', 'hex'),
    Buffer.from('\u0080\u0005\u0095 a pickle of python', 'latin1'),
    Buffer.from('    plain text, more'),
    Buffer.alloc(16, 0xff),
  ];
  for (const bytes of foreign) t.throws(() => decodeEntry(bytes), { instanceOf: WireFormatError, code: 'ERR_WIRE_FORMAT' });
  const moments: readonly (readonly [number, number])[] = [
    [NaN, 1],
    [1, NaN],
    [-1, 1],
    [1, -1],
    [1, Infinity],
    [-Infinity, 1],
    [1, 1e300],
  ];
  for (const [freshUntil, createdAt] of moments)
    t.throws(() => encodeEntry(new Uint8Array(), freshUntil, createdAt), { instanceOf: WireFormatError });
  t.is(decodeHeader(encodeEntry(new Uint8Array(), 1e300, 1)).freshUntil, Infinity, 'past every end is without end');
});
