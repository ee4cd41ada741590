import test from 'ava';
import { NEVER } from '../../dist/core/coarse-clock.js';
import { InMemCache } from '../../dist/index.js';
import { tableOf } from '../../dist/stores/in-mem.js';
import { sizeOf } from '../../dist/stores/size-of.js';
import { fakeClock } from '../../dist/testing/index.js';

test('expired keys go by themselves, when nothing is written, and leave no timer', (t) => {
  const clock = fakeClock();
  const store = new InMemCache({ clock });
  for (let i = 0; i < 1000; i++) store.set(`k${i}`, i, 10 + (i % 50));
  store.set('ever', 1, Infinity);
  clock.advance(35_000);
  t.true(store.size < 600 && store.size > 400);
  clock.advance(30_000);
  t.is(store.size, 1);
  t.is(clock.timers, 0);
});

test('many keys that expire at once go in slices', (t) => {
  const clock = fakeClock();
  const store = new InMemCache({ clock });
  for (let i = 0; i < 20_000; i++) store.set(`k${i}`, i, 10);
  const sizes = new Set<number>();
  for (let i = 0; i < 15_000; i++) {
    clock.advance(1);
    sizes.add(store.size);
  }
  t.is(store.size, 0);
  t.true(sizes.size > 8, 'no single run dropped them all');
});

test('a write drops a few expired keys on its way', (t) => {
  const clock = fakeClock();
  const quiet = { ...clock, setTimer: () => ({ cancel() {}, ref() {}, unref() {} }) };
  const store = new InMemCache({ clock: quiet });
  for (let i = 0; i < 100; i++) store.set(`k${i}`, i, 1);
  clock.advance(60_000);
  for (let i = 0; i < 50; i++) store.set('other', i, 60);
  t.is(store.size, 1);
});

test('keys go when they should, whatever their lives: from a millisecond to a year', (t) => {
  const clock = fakeClock();
  const store = new InMemCache({ clock });
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 0x7fffffff) / 0x7fffffff;
  const ends = new Map<string, number>();
  for (let i = 0; i < 5000; i++) {
    const ttl = Math.exp(random() * 24 - 7);
    store.set(`k${i}`, i, ttl);
    ends.set(`k${i}`, clock.monotonic() + ttl * 1000);
    if (i % 10 === 0) clock.advance(Math.exp(random() * 16));
  }
  const now = clock.monotonic();
  for (const [key, end] of ends) t.is(store.exists(key), now < end);
  t.true(store.size <= [...ends.values()].filter((end) => now < end + 2100).length);
  clock.advance(1e12);
  t.is(store.size, 0);
});

test('a later set moves the end of a key, both ways', (t) => {
  const clock = fakeClock();
  const store = new InMemCache({ clock });
  store.set('a', 1, 10);
  store.set('a', 2, 1000);
  store.set('b', 1, 1000);
  store.set('b', 2, 10);
  clock.advance(20_000);
  t.is(store.get('a'), 2);
  t.is(store.size, 1);
});

test('maxEntries: keys that are read stay, keys that are not go', (t) => {
  const store = new InMemCache({ maxEntries: 100 });
  for (let i = 0; i < 50; i++) store.set(`hot${i}`, i, 60);
  for (let i = 0; i < 10_000; i++) {
    store.set(`cold${i}`, i, 60);
    store.get(`hot${i % 50}`);
    t.true(store.size <= 100);
  }
  let kept = 0;
  for (let i = 0; i < 50; i++) if (store.exists(`hot${i}`)) kept++;
  t.is(kept, 50);
  t.true(store.exists('cold9999'), 'the newest is never the victim of its own set');
});

test('maxEntries of 1', (t) => {
  const store = new InMemCache({ maxEntries: 1 });
  store.set('a', 1, 60);
  store.get('a');
  store.set('b', 2, 60);
  t.is(store.get('b'), 2);
  t.is(store.get('a'), undefined);
});

test('maxBytes bounds the estimate; what is larger alone is not kept, and what it would have replaced goes', (t) => {
  const store = new InMemCache({ maxBytes: 100_000 });
  for (let i = 0; i < 10_000; i++) {
    store.set(`k${i}`, 'x'.repeat(i % 500), 60);
    t.true(store.bytes <= 100_000);
  }
  t.true(store.size > 50);
  store.set('k9999', 'x'.repeat(100_000), 60);
  t.false(store.exists('k9999'));
  store.clear();
  t.is(store.bytes, 0);
  store.set('a', Buffer.alloc(1000), 60);
  store.set('a', 1, 60);
  t.true(store.bytes < 400);
  store.delete('a');
  t.is(store.bytes, 0);
});

test('the estimate of a size is bounded work, and near what it should be', (t) => {
  t.is(sizeOf('abcd'), 24);
  t.is(sizeOf(1), 8);
  t.is(sizeOf(Buffer.alloc(1000)), 1096);
  const cycle: Record<string, unknown> = { name: 'x' };
  cycle['self'] = cycle;
  t.true(sizeOf(cycle) < 200);
  const big = Array.from({ length: 1e6 }, (_, i) => ({ id: i }));
  t.true(sizeOf(big) > 60e6 && sizeOf(big) < 100e6);
  t.true(
    sizeOf(
      new Map([
        [1, 'a'],
        [2, 'b'],
      ]),
    ) > 100,
  );
  t.is(
    sizeOf({
      get trap(): never {
        throw new Error('ran');
      },
    }),
    32 + 16 + 8 + 8,
  );
});

test('a dead node keeps nothing of its value', (t) => {
  const store = new InMemCache();
  store.set('a', { big: 1 }, 60);
  const node = tableOf(store)?.nodes.get('a');
  store.delete('a');
  t.is(node?.value, undefined);
  t.is(node?.hotUntil, NEVER);
});

test('the wall clock may jump: no negative life, no negative age', (t) => {
  for (const jump of [3_600_000, -3_600_000]) {
    const clock = fakeClock();
    const store = new InMemCache({ clock });
    store.set('a', 1, 60);
    store.set('ever', 1, Infinity);
    clock.setWall(clock.wall() + jump);
    t.is(store.get('a'), 1);
    for (const key of ['a', 'ever']) {
      const entry = store.getEntry(key);
      t.true((entry?.createdAt ?? Infinity) <= clock.wall() / 1000);
      t.true((entry?.freshUntil ?? 0) > clock.wall() / 1000);
    }
    store.set('b', 1, 60);
    clock.advance(60_000);
    t.is(store.get('a'), undefined);
    t.is(store.get('b'), undefined);
  }
});

test('wrong options and entries are refused', (t) => {
  for (const options of [{ maxEntries: 0 }, { maxEntries: 1.5 }, { maxBytes: -1 }, { maxEntries: '5' as unknown as number }]) {
    t.throws(() => new InMemCache(options), { instanceOf: RangeError });
  }
  t.throws(() => new InMemCache({ max: 5 } as object), { instanceOf: TypeError });
  const store = new InMemCache();
  t.throws(() => store.setEntry('a', { value: 1, freshUntil: NaN, createdAt: 1 }), { instanceOf: TypeError });
  t.throws(() => store.setEntry('a', { value: 1, freshUntil: 1, createdAt: NaN }), { instanceOf: TypeError });
  t.throws(() => store.setEntry('a', { value: 1, freshUntil: 1, createdAt: 1 }, -1), { instanceOf: RangeError });
});
