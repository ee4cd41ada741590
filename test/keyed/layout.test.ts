/** The parts: the hash against published vectors, the layout word by word, the index, the list of changes. */
import test from 'ava';
import fc from 'fast-check';
import { sipHash } from '../../dist/keyed/hash.js';
import { keyWords, MAX_KEY_BYTES, packKey, textOfKey, wordsOf } from '../../dist/keyed/key.js';
import { findRecord, hashKey, HEADER_WORDS, openPacked, recordEnd } from '../../dist/keyed/layout.js';
import { RecordTable } from '../../dist/keyed/records.js';
import { changesOf, Publisher } from './support.js';

/** The vectors of the Linux kernel (lib/test_siphash.c, 32 bits): HalfSipHash-1-3 of the bytes 0, 1, …, n - 1 under the key 0 to 7. */
const VECTORS = [
  1477757078, -404200246, -1135931856, 22255929, 2114297510, -1998333797, -1610085531, -1657218602, 1467586993, -935736595, -453365041,
  -1785575698, 1797785964, 1725799638, 375753340, -802850044, -1959668479, 723308619, 108077881, 1378536039, -1860454907, -1868144882,
  -131666053, 1649487339, 1460996823, 1564947719, 516191298, -1419464749, 172032208, 1831659090, 590460579, 148404506,
];

test('the hash is HalfSipHash-1-3', (t) => {
  const bytes = new Uint8Array(64).map((_, i) => i);
  const words = new Int32Array(bytes.buffer);
  for (const [length, expected] of VECTORS.entries()) t.is(sipHash(words, 0, length, 0x03020100, 0x07060504), expected, `${length} bytes`);
});

/** The reference of its authors, of 64 bits, byte by byte. */
function reference(bytes: Uint8Array, seed0: number, seed1: number): [number, number] {
  const state = [seed0, seed1 ^ 0xee, 0x6c796765 ^ seed0, 0x74656462 ^ seed1].map((word) => word >>> 0) as [number, number, number, number];
  const rotate = (word: number, by: number): number => ((word << by) | (word >>> (32 - by))) >>> 0;
  const round = (): void => {
    let [a, b, c, d] = state;
    a = (a + b) >>> 0;
    b = (rotate(b, 5) ^ a) >>> 0;
    a = rotate(a, 16);
    c = (c + d) >>> 0;
    d = (rotate(d, 8) ^ c) >>> 0;
    a = (a + d) >>> 0;
    d = (rotate(d, 7) ^ a) >>> 0;
    c = (c + b) >>> 0;
    b = (rotate(b, 13) ^ c) >>> 0;
    c = rotate(c, 16);
    state.splice(0, 4, a, b, c, d);
  };
  const padded = new Uint8Array(Math.ceil((bytes.length + 1) / 4) * 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length;
  for (const word of new Uint32Array(padded.buffer)) {
    state[3] = (state[3] ^ word) >>> 0;
    round();
    state[0] = (state[0] ^ word) >>> 0;
  }
  state[2] = (state[2] ^ 0xee) >>> 0;
  for (let i = 0; i < 3; i++) round();
  const low = state[1] ^ state[3];
  state[1] = (state[1] ^ 0xdd) >>> 0;
  for (let i = 0; i < 3; i++) round();
  return [low, state[1] ^ state[3]];
}

test('its 64 bits are those of the reference, wherever the bytes are', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer(), fc.integer(), fc.nat(5), (bytes, seed0, seed1, from) => {
      const words = new Int32Array(from + wordsOf(bytes.length) + 1).fill(-1);
      new Uint8Array(words.buffer).set(bytes, from * 4);
      const wide = new Int32Array(2);
      sipHash(words, from, bytes.length, seed0, seed1, wide);
      t.deepEqual([...wide], reference(bytes, seed0, seed1));
    }),
  );
});

test('a key is packed as UTF-8, and comes back', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 40 })), (key) => {
      keyWords.fill(-1, 0, 64);
      const bytes = packKey(key);
      const expected = Buffer.from(key);
      t.is(bytes, expected.length);
      const padded = new Uint8Array(wordsOf(bytes) * 4);
      padded.set(expected);
      t.deepEqual(new Uint8Array(keyWords.buffer, 0, padded.length), padded);
      t.is(textOfKey(keyWords.slice(), 0, bytes), key);
    }),
  );
  t.is(packKey('x'.repeat(MAX_KEY_BYTES)), MAX_KEY_BYTES);
  t.is(packKey('x'.repeat(MAX_KEY_BYTES + 1)), -1);
  t.is(packKey('\u20ac'.repeat(21_845)), 65_535);
  t.is(packKey('\u20ac'.repeat(21_846)), -1);
  t.is(packKey('a\udc00'), -2);
});

test('the layout, word by word', (t) => {
  const { packed, bytes } = new Publisher().build([
    ['key', 'value'],
    ['', 0],
    ['k2', [1]],
  ]);
  const words = new Int32Array(bytes.slice().buffer);
  t.is(words[0], 0x41434b31);
  t.is(Buffer.from(bytes.subarray(0, 4)).toString('latin1'), '1KCA', 'little-endian');
  t.deepEqual([words[1], words[2], words[4], words[5], words[6]], [1, 64, words.length / 2, 3, 0]);
  t.deepEqual([words[17], Buffer.from(bytes.subarray(72, 76)).toString()], [4, 'json']);
  // The first record: its key of 3 bytes takes a word, its value '"value"' two, and it fills up to 8 bytes.
  t.deepEqual([words[64], words[65]], [3, 7]);
  t.is(Buffer.from(bytes.subarray(272, 276)).toString('latin1'), 'key\0');
  t.is(Buffer.from(bytes.subarray(276, 284)).toString('latin1'), '"value"\0');
  t.is(recordEnd(packed, 64), 72);
  t.is((words[8] as number) * 2, packed.indexAt);
  t.is(words[9], 8);
  for (const key of ['key', '', 'k2']) {
    const keyBytes = packKey(key);
    const hash = hashKey(packed, keyBytes);
    let place = hash & 7;
    while (words[packed.indexAt + 2 * place] !== hash) place = (place + 1) & 7;
    t.is((words[packed.indexAt + 2 * place + 1] as number) * 2, findRecord(packed, packKey(key), hash));
  }
  t.like(openPacked(words, words.slice(0, HEADER_WORDS)), { records: 3, codec: 'json', duplicates: 0, mask: 7 });
  const empty = new Publisher().build([]);
  t.is(empty.packed.records, 0);
  t.is(empty.bytes.byteLength, 256 + 64 + 8);
});

test('an index is at most two thirds full, and no search is long, whatever the keys', (t) => {
  const keys = {
    'in a row': (i: number) => `key ${i}`,
    // What makes chains in a table of FNV-1a, or of a sum of characters: the seed is not known to who chooses them.
    'of one length and sum': (i: number) =>
      i.toString(2).padStart(17, '0') + Array.from(i.toString(2).padStart(17, '0'), (bit) => 1 - Number(bit)).join(''),
    'of one beginning': (i: number) => `${'x'.repeat(200)}${i}`,
  };
  for (const [kind, keyOf] of Object.entries(keys)) {
    const publisher = new Publisher({ maxBytes: 1 << 26 });
    const { packed } = publisher.build(Array.from({ length: 100_000 }, (_, i) => [keyOf(i), 0] as const));
    const load = packed.records / (packed.mask + 1);
    t.true(load > 1 / 3 && load <= 2 / 3, `${kind}: ${load}`);
    t.true(packed.longest < 150, `${kind}: ${packed.longest} places`);
  }
  const seeds = Array.from({ length: 20 }, () => new Publisher().build([['a', 1]]).packed.seed0);
  t.true(new Set(seeds).size > 15, 'each writer has a seed of its own');
});

test('a table that grows keeps what it has', (t) => {
  const table = new RecordTable({ seed0: 1, seed1: 2 });
  const hash = new Int32Array(2);
  for (let i = 0; i < 50_000; i++) {
    const bytes = packKey(`key ${i}`);
    table.finish(table.begin(bytes, 0), bytes, 0, hash);
  }
  for (let i = 0; i < 50_000; i += 97) t.true(findRecord(table, packKey(`key ${i}`), hashKey(table, packKey(`key ${i}`))) > 0);
  t.is(table.records, 50_000);
});

test('the list of changes reaches back over some publications, within its bounds', (t) => {
  const publisher = new Publisher({ maxBytes: 1 << 24 });
  const records = new Map<string, unknown>(Array.from({ length: 2000 }, (_, i) => [`key ${i}`, i]));
  publisher.publish(records);
  t.deepEqual(changesOf(publisher.build(records).packed, { epoch: 1, version: 1 }), [], 'nothing has changed since');
  t.is(changesOf(publisher.build(records).packed, { epoch: 1, version: 7 }), undefined);
  for (let round = 0; round < 100; round++) publisher.publish(records.set(`key ${round}`, 'changed').set('again', round));
  const last = publisher.publish(records.set('last', 1)).packed;
  const since = (version: number): string[] | undefined => changesOf(last, { epoch: 1, version })?.sort((a, b) => (a < b ? -1 : 1));
  t.deepEqual(since(101), ['last']);
  t.deepEqual(since(100), ['again', 'key 99', 'last']);
  t.is(since(102 - 64)?.length, 65, 'as many as there are segments');
  t.is(since(102 - 65), undefined);
  // One that changes nearly everything is not listed: readers compare.
  const all = publisher.publish(new Map([...records].map(([key]) => [key, `${key} is another one now, and longer`]))).packed;
  t.is(changesOf(all, { epoch: 1, version: 102 }), undefined);
  t.is(all.changesWords, 2);
});
