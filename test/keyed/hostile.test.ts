/**
 * Bytes that no builder made. Whatever they are: no look at them leaves the slot, takes long, or throws into the caller, and a record
 * whose hash doesn't fit is never answered.
 */
import test from 'ava';
import { ViewExpiredError, WireFormatError } from '../../dist/core/errors.js';
import { HEADER_WORDS, openPacked, type Packed } from '../../dist/keyed/layout.js';
import { sipHash } from '../../dist/keyed/hash.js';
import { direct, type SharedAccess } from '../../dist/mirror/access.js';
import { OFF8, slotOf, VERSION, type Ring } from '../../dist/mirror/layout.js';
import { feedOf, Publisher, readerOf } from './support.js';

const RECORDS = new Map<string, unknown>([
  ['', 0],
  ['a', { a: 1 }],
  ['bb', 'two'],
  ['__proto__', { polluted: true }],
  ['key of sixteen by', [1, 2, 3]],
  ['\u{1f600}', null],
]);
const LATER = new Map<string, unknown>([...RECORDS, ['a', { a: 2 }], ['new', 1]]);
LATER.delete('bb');
const KEYS = [...RECORDS.keys(), 'new', 'absent', 'aa'];

/** The right answers of both versions; everything else would be an invention. */
const RIGHT = new Set([...RECORDS.values(), ...LATER.values(), undefined].map((value) => JSON.stringify(value)));

const publisher = new Publisher({ maxBytes: 1 << 16 });
publisher.publish(RECORDS);
const { packed } = publisher.publish(LATER);
const { ring } = publisher;
const place = Atomics.load(ring.words, slotOf(ring, Atomics.load(ring.words, VERSION)) + OFF8) * 8;
const slot = new Int32Array(ring.buffer, place, packed.words.length);
const sound = slot.slice();

/** Views whose every read is checked. */
const fenced: SharedAccess = {
  ...direct,
  view(buffer, offset, length) {
    const words = new Int32Array(buffer, offset, length);
    return new Proxy(words, {
      get(target, name) {
        const index = typeof name === 'string' ? Number(name) : Number.NaN;
        if (Number.isNaN(index)) return Reflect.get(target, name) as unknown;
        if (!Number.isInteger(index) || index < 0 || index >= length) throw new Error(`A read outside the slot, at word ${name as string}`);
        return target[index];
      },
    });
  },
};

/** As a hostile writer would: with a header hash that fits. */
function sealHeader(words: Int32Array): void {
  words[3] = sipHash(words, 4, (HEADER_WORDS - 4) * 4, words[1] as number, words[2] as number);
}

interface Outcome {
  readonly refused: boolean;
}

/** Asks everything that can be asked of a mirror. Answers are right or none. */
function askAll(of: Ring, access: SharedAccess): Outcome {
  const { reader, errors } = readerOf(of, { access });
  const { lookups } = reader;
  for (const key of KEYS) {
    const got = JSON.stringify(lookups.get(key));
    if (!RIGHT.has(got)) throw new Error(`An invention: ${got}`);
    lookups.has(key);
  }
  void lookups.size;
  const view = lookups.view();
  for (const list of [() => [...lookups.keys()], () => [...lookups.entries()], () => [...view.keys()], () => view.getMany(KEYS)]) {
    try {
      list();
    } catch (error) {
      if (!(error instanceof WireFormatError) && !(error instanceof ViewExpiredError)) throw error;
    }
  }
  const { feed, wake, errors: feedErrors } = feedOf(reader);
  feed.onChange(() => {});
  feed.onKey('a', () => {});
  wake();
  feed.close();
  for (const error of [...errors, ...feedErrors]) if (!(error instanceof WireFormatError)) throw error;
  return { refused: reader.adopted() === undefined };
}

/** A generator of numbers that is the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test.serial('the untouched snapshot is answered rightly', (t) => {
  const { reader, errors } = readerOf(ring, { access: fenced });
  for (const key of KEYS) t.deepEqual(reader.lookups.get(key), LATER.get(key));
  t.deepEqual([...reader.lookups.keys()], [...LATER.keys()]);
  t.deepEqual(errors, []);
  t.is(({} as { polluted?: unknown }).polluted, undefined);
});

const EDGES = [0, 1, -1, 2, 7, 8, 63, 64, 0x7fffffff, -0x80000000, 0x3fffffff, 0x40000000, packed.words.length, packed.words.length / 2];

test.serial('every bit of the header', (t) => {
  let refused = 0;
  for (let bit = 0; bit < HEADER_WORDS * 32; bit++) {
    slot[bit >> 5] = (sound[bit >> 5] as number) ^ (1 << (bit & 31));
    if (askAll(ring, fenced).refused) refused++;
    slot.set(sound);
  }
  t.is(refused, HEADER_WORDS * 32, 'its hash finds each of them');
});

test.serial('every word of the header, with a hash that fits', (t) => {
  let tried = 0;
  for (let word = 0; word < HEADER_WORDS; word++) {
    if (word === 3) continue;
    for (const edge of [
      ...EDGES,
      ...Array.from({ length: 32 }, (_, bit) => (sound[word] as number) ^ (1 << bit)),
      ...EDGES.map((n) => (sound[word] as number) + n),
    ]) {
      slot[word] = edge;
      sealHeader(slot);
      askAll(ring, fenced);
      tried++;
      slot.set(sound);
    }
  }
  t.log(`${tried} headers`);
  t.true(tried > 3_000);
});

test.serial('every bit and every edge of all other words: index, records, changes', (t) => {
  let tried = 0;
  for (let word = HEADER_WORDS; word < slot.length; word++) {
    for (const wrong of [...Array.from({ length: 32 }, (_, bit) => (sound[word] as number) ^ (1 << bit)), ...EDGES]) {
      slot[word] = wrong;
      askAll(ring, fenced);
      tried++;
      slot[word] = sound[word] as number;
    }
  }
  t.log(`${tried} snapshots`);
  t.true(tried > 4_000);
});

test.serial('a hundred thousand snapshots with several faults at once', (t) => {
  const below = numbers(7);
  let tried = 0;
  for (; tried < 100_000; tried++) {
    for (let faults = 1 + below(6); faults > 0; faults--) {
      const word = below(3) === 0 ? 4 + below(14) : HEADER_WORDS + below(slot.length - HEADER_WORDS);
      const kind = below(4);
      if (kind === 0) slot[word] = EDGES[below(EDGES.length)] as number;
      else if (kind === 1) slot[word] = (sound[word] as number) ^ (1 << below(32));
      else if (kind === 2) slot[word] = sound[HEADER_WORDS + below(slot.length - HEADER_WORDS)] as number;
      else slot[word] = below(2 * slot.length);
    }
    sealHeader(slot);
    askAll(ring, tried % 10 === 0 ? fenced : direct);
    slot.set(sound);
  }
  t.log(`${tried} snapshots`);
  t.pass();
});

test.serial('an index that is full, and one that leads in circles: a search ends', (t) => {
  const { indexAt, mask } = packed;
  const at8 = sound[indexAt + 2 * (KEYS.length - 1) + 1] || HEADER_WORDS / 2;
  for (const fill of [at8, 1, -1, 0x7fffffff]) {
    for (let place = 0; place <= mask; place++) {
      slot[indexAt + 2 * place] = 0;
      slot[indexAt + 2 * place + 1] = fill;
    }
    slot[10] = mask + 1;
    sealHeader(slot);
    askAll(ring, fenced);
    slot.set(sound);
  }
  // All places say that they have the key's hash, and lead to another record.
  for (const hash of new Set(KEYS.map((_, n) => sound[indexAt + 2 * n] as number))) {
    for (let place = 0; place <= mask; place++) {
      slot[indexAt + 2 * place] = hash;
      slot[indexAt + 2 * place + 1] = HEADER_WORDS / 2;
    }
    askAll(ring, fenced);
    slot.set(sound);
  }
  t.pass();
});

test.serial('lengths of the slot itself that are none', (t) => {
  const base = slotOf(ring, Atomics.load(ring.words, VERSION));
  for (const [word, values] of [
    [OFF8, [0, 1, -1, 0x7fffffff, ring.buffer.byteLength / 8, (ring.buffer.byteLength - 8) / 8]],
    [OFF8 + 2, [0, 1, 7, 255, 256, 264, -1, -8, 0x7ffffff8, packed.words.length * 4 + 8, packed.words.length * 4 - 8]],
  ] as const) {
    const right = Atomics.load(ring.words, base + word);
    for (const value of values) {
      Atomics.store(ring.words, base + word, value);
      t.true(askAll(ring, fenced).refused, `${word}: ${value}`);
    }
    Atomics.store(ring.words, base + word, right);
  }
  t.false(askAll(ring, fenced).refused);
});

test('a header of another release, a plain text, and nothing are told apart', (t) => {
  const header = sound.slice(0, HEADER_WORDS);
  const open = (change: (words: Int32Array) => void): Packed => {
    const words = sound.slice();
    change(words);
    return openPacked(words, words.slice(0, HEADER_WORDS));
  };
  t.is(openPacked(sound, header).records, LATER.size);
  t.throws(() => open((words) => (words[1] = 2)), { instanceOf: WireFormatError, message: /layout 2.*newer release/ });
  t.throws(() => open((words) => (words[0] = 0)), { instanceOf: WireFormatError, message: /Expected a keyed snapshot/ });
  t.throws(() => open((words) => (words[5] = 1)), { instanceOf: WireFormatError, message: /hash differs/ });
  t.throws(() => openPacked(new Int32Array(64), new Int32Array(64)), { instanceOf: WireFormatError });
});
