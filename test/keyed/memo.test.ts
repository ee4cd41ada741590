/** What a thread has decoded, against a `Map` that never forgets: bounds hold, sums are right, and nothing old is ever answered. */
import test from 'ava';
import fc from 'fast-check';
import { Memo, type MemoLimits, Remembered } from '../../dist/keyed/memo.js';

/** As in `MemoLimits.maxBytes`. */
const costOf = (key: string, valueBytes: number): number => 100 + 2 * key.length + valueBytes;

const KEYS = ['', 'a', 'b', 'c', 'dd', 'ee', 'ff', 'g'.repeat(30), '__proto__', 'i', 'j', 'k'];

type Step =
  | { readonly do: 'keep'; readonly key: number; readonly valueBytes: number; readonly times: number }
  | { readonly do: 'hit' | 'forget'; readonly key: number }
  | { readonly do: 'expect'; readonly records: number; readonly bytes: number }
  | { readonly do: 'settle' | 'clear' };

const key = fc.nat(KEYS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('keep' as const), key, valueBytes: fc.nat(300), times: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('hit' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expect' as const), records: fc.nat(20), bytes: fc.nat(2000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'clear' as const) }) },
);
const limits: fc.Arbitrary<MemoLimits> = fc.record({
  maxEntries: fc.constantFrom(0, 1, 2, 5, 8, 1000),
  maxBytes: fc.constantFrom(0, 101, 250, 1000, 1 << 20),
});

test('within its bounds, whatever is asked; what it has is what was kept last', (t) => {
  fc.assert(
    fc.property(
      limits,
      // Few bits, so that keys share places, and some whole hashes.
      fc.array(fc.integer(), { minLength: 2 * KEYS.length, maxLength: 2 * KEYS.length }),
      fc.nat(0xffff),
      fc.array(step, { maxLength: 80 }),
      (bounds, hashes, mask, steps) => {
        const memo = new Memo<number>(bounds);
        const last = new Map<string, Remembered<number>>();
        let seed = 0;
        let made = 0;
        const hashOf = (at: number): number => (hashes[seed * KEYS.length + at] as number) & (mask | 0xfff00000);
        const find = (at: number): Remembered<number> | undefined =>
          memo.entries.get(KEYS[at] as string) ?? memo.waiting(KEYS[at] as string, hashOf(at));
        for (const now of steps) {
          if (now.do === 'keep') {
            const name = KEYS[now.key] as string;
            const entry = new Remembered(name, made++, now.valueBytes, 0);
            last.set(name, entry);
            for (let time = 0; time < now.times; time++) memo.keep(entry, hashOf(now.key), memo.entries.get(name));
          } else if (now.do === 'hit') {
            const found = find(now.key);
            if (found) memo.keep(found, hashOf(now.key), memo.entries.get(found.key));
          } else if (now.do === 'forget') {
            memo.forget(KEYS[now.key] as string, hashOf(now.key));
            t.is(find(now.key), undefined);
          } else if (now.do === 'expect') {
            memo.expect(now.records, now.bytes);
          } else if (now.do === 'settle') {
            memo.settle();
            seed = 1 - seed;
          } else {
            memo.clear();
          }
          const all = KEYS.flatMap((_, at) => find(at) ?? []);
          t.is(all.length, memo.size);
          t.is(
            all.reduce((sum, { key: name, valueBytes }) => sum + costOf(name, valueBytes), 0),
            memo.bytes,
          );
          t.true(memo.size <= bounds.maxEntries && memo.bytes <= bounds.maxBytes, JSON.stringify(bounds));
          for (const found of all) t.true(found === last.get(found.key), found.key);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('while there is room, everything stays', (t) => {
  const memo = new Memo<number>({ maxEntries: 100, maxBytes: 1 << 20 });
  for (let i = 0; i < 100; i++) memo.keep(new Remembered(`k${i}`, i, 10, 0), i * 7919, undefined);
  t.is(memo.entries.size, 100);
  t.is(memo.entries.get('k7')?.value, 7);
});

test('of more records than there is room for, a quarter stays at once, and the others when they are asked for again', (t) => {
  const ask = (memo: Memo<number>, i: number): void => {
    const name = `k${i}`;
    const hash = Math.imul(i + 1, 0x9e3779b1);
    memo.keep(memo.waiting(name, hash) ?? new Remembered(name, i, 10, 0), hash, memo.entries.get(name));
  };
  const memo = new Memo<number>({ maxEntries: 400, maxBytes: 1 << 20 });
  memo.expect(401, 0);
  for (let i = 0; i < 300; i++) ask(memo, i);
  t.is(memo.entries.size, 100);
  for (let round = 0; round < 5; round++) for (let i = 0; i < 300; i++) if (!memo.entries.has(`k${i}`)) ask(memo, i);
  t.is(memo.entries.size, 300);
  // By bytes as well: a quarter of 8,000, of records of 127 or less each.
  const small = new Memo<number>({ maxEntries: 400, maxBytes: 8000 });
  small.expect(100, 8000);
  for (let i = 0; i < 300; i++) ask(small, i);
  t.true(small.entries.size >= 15 && small.entries.size <= 17, String(small.entries.size));
  memo.expect(400, 400 * 14);
  for (let i = 300; i < 400; i++) ask(memo, i);
  t.is(memo.entries.size, 400);
});

test('a scan of many keys leaves those that are asked for all the time', (t) => {
  const memo = new Memo<number>({ maxEntries: 100, maxBytes: 1 << 20 });
  const ask = (i: number): boolean => {
    const name = `k${i}`;
    // Spread over all bits, as a hash is.
    const hash = Math.imul(i + 1, 0x9e3779b1);
    const known = memo.entries.get(name) ?? memo.waiting(name, hash);
    memo.keep(known ?? new Remembered(name, i, 10, 0), hash, memo.entries.get(name));
    return known !== undefined;
  };
  for (let round = 0; round < 3; round++) for (let i = 0; i < 50; i++) ask(i);
  for (let i = 1000; i < 50_000; i++) {
    ask(i);
    // Each of the fifty once in a while.
    if (i % 20 === 0) ask((i / 20) % 50);
  }
  let kept = 0;
  for (let i = 0; i < 50; i++) if (ask(i)) kept++;
  t.true(kept >= 45, `${kept} of 50`);
});
