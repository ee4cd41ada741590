import test from 'ava';
import { InMemCache, KeyTemplateError, cache } from '../../dist/index.js';
import { fakeClock } from '../../dist/testing/index.js';
import { turn, until } from '../helpers/wait.js';

test('wraps in both forms, and caches until the ttl is over', (t) => {
  const clock = fakeClock();
  let runs = 0;
  const curried = cache(60, { key: 'a', store: () => new InMemCache({ clock }) })(() => ++runs);
  t.is(curried(), 1);
  clock.advance(59_999);
  t.is(curried(), 1);
  clock.advance(1);
  t.is(curried(), 2);
  t.is(cache(60, { key: 'a' }, () => 7)(), 7);
});

test('takes durations as strings', (t) => {
  const clock = fakeClock();
  let runs = 0;
  const load = cache('1m', { key: 'a', store: new InMemCache({ clock }) })(() => ++runs);
  load();
  clock.advance(59_000);
  t.is(load(), 1);
  clock.advance(1_000);
  t.is(load(), 2);
});

test('undefined and null results are cached like any other', (t) => {
  for (const value of [undefined, null, 0, '', false, NaN]) {
    let runs = 0;
    const load = cache(60, { key: 'a' })(() => {
      runs++;
      return value;
    });
    t.is(load(), value);
    t.is(load(), value);
    t.is(runs, 1);
  }
});

test('a ttl of 0 bypasses: every call runs, nothing is stored', (t) => {
  let runs = 0;
  const store = new InMemCache();
  const load = cache(0, { key: 'a:{}', store })((_id: number) => ++runs);
  t.deepEqual([load(1), load(1), load(1)], [1, 2, 3]);
  t.is(store.size, 0);
  t.is(load.key(1), 'a:1');
  t.is(load.invalidate(1), false);
});

test('an infinite ttl and one of 60 days hold', (t) => {
  const clock = fakeClock();
  let runs = 0;
  const store = new InMemCache({ clock });
  const ever = cache(Infinity, { key: 'ever', store })(() => ++runs);
  const long = cache('60d', { key: 'long', store })(() => ++runs);
  ever();
  long();
  clock.advance(59 * 86_400_000);
  ever();
  long();
  t.is(runs, 2);
  clock.advance(86_400_000);
  ever();
  t.is(runs, 2);
  long();
  t.is(runs, 3);
});

test('a synchronous throw reaches the caller and is not stored', (t) => {
  let runs = 0;
  const store = new InMemCache();
  const load = cache(60, { key: 'a', store })(() => {
    if (++runs === 1) throw new Error('once');
    return runs;
  });
  t.throws(load, { message: 'once' });
  t.is(store.size, 0);
  t.is(load(), 2);
  t.is(load(), 2);
});

test('a hit answers a Promise exactly when the function would have', async (t) => {
  const plain = cache(60, { key: 'a' })(() => 1);
  const async_ = cache(60, { key: 'a' })(async () => 1);
  const promising = cache(60, { key: 'a' })(() => Promise.resolve(1));
  const mixed = cache(60, { key: 'a:{}' })((n: number) => (n > 0 ? Promise.resolve(n) : n));
  for (let i = 0; i < 4; i++) {
    t.is(plain(), 1);
    t.true(async_() instanceof Promise);
    t.true(promising() instanceof Promise);
    t.is(await async_(), 1);
    t.is(await promising(), 1);
    t.true(mixed(1) instanceof Promise);
    t.is(await mixed(1), 1);
    t.is(mixed(0), 0);
  }
  t.is(async_(), async_(), 'hits share the Promise that is stored');
});

test('a value that others put into the store is a hit, in a Promise where the function is async', async (t) => {
  const store = new InMemCache();
  store.set('order:7', { id: 7 }, 60);
  const load = cache(60, { key: 'order:{}', store })(async (_id: number): Promise<object> => t.fail() as never);
  t.true(load(7) instanceof Promise);
  t.deepEqual(await load(7), { id: 7 });
  const other = new InMemCache();
  other.set('order:7', { id: 7 }, 60);
  const plain = cache(60, { key: 'order:{}', store: other })((_id: number): object => t.fail() as never);
  t.deepEqual(plain(7), { id: 7 });
});

test('memos respect what happens through the store: set, delete, clear, eviction', (t) => {
  for (const key of ['user:{}', 'user:{id}', (id: number): string => `user:${id}`]) {
    let runs = 0;
    const store = new InMemCache({ maxEntries: 2 });
    const load = cache(60, { key, store })(function load(id: number) {
      return `${id}/${++runs}`;
    });
    load(1);
    t.is(load(1), '1/1');
    t.is(load(1), '1/1');
    store.set('user:1', 'other', 60);
    t.is(load(1), 'other');
    t.true(store.delete('user:1'));
    t.is(load(1), '1/2');
    t.is(load(1), '1/2');
    load.clear();
    t.is(load(1), '1/3');
    t.is(load(1), '1/3');
    load(2);
    load(2);
    load(3);
    load(4);
    t.is(store.size, 2);
    const before = runs;
    for (const id of [1, 2, 3, 4]) load(id);
    t.true(runs > before, 'what was evicted is loaded again');
  }
  let runs = 0;
  const fixed = cache(60, { key: 'a' })(() => ++runs);
  fixed();
  fixed();
  fixed();
  t.true(fixed.store.delete('a'));
  t.is(fixed(), 2);
  t.is(fixed(), 2);
  fixed.store.set('a', 9, 60);
  t.is(fixed(), 9);
});

test('a number and a string that print alike share an entry; the second argument is not part of a key that does not name it', (t) => {
  let runs = 0;
  const load = cache(60, { key: 'user:{}' })((_id: number | string, _more?: unknown) => ++runs);
  t.is(load(42), 1);
  t.is(load('42'), 1);
  t.is(load('42', {}), 1);
  t.is(load(43), 2);
});

test('a key on the second argument', (t) => {
  let runs = 0;
  const load = cache(60, { key: 'user:{b}' })((_a: unknown, b: string) => `${b}${++runs}`);
  t.is(load(1, 'x'), 'x1');
  t.is(load(2, 'x'), 'x1');
  t.is(load(3, 'x'), 'x1');
  t.is(load(3, 'y'), 'y2');
});

test('a missing argument throws where the function is plain, rejects where it is async', async (t) => {
  const plain = cache(60, { key: 'user:{}' })((id?: number) => id);
  t.throws(() => plain(), { instanceOf: KeyTemplateError, code: 'ERR_KEY_TEMPLATE' });
  const async_ = cache(60, { key: 'user:{}' })(async (id?: number) => id);
  await t.throwsAsync(async_(), { instanceOf: KeyTemplateError });
  t.throws(() => async_.key(), { instanceOf: KeyTemplateError });
  t.throws(() => async_.invalidate(), { instanceOf: KeyTemplateError });
});

test('stale: the old value at once and one refresh; dead: the caller waits', async (t) => {
  const clock = fakeClock();
  let runs = 0;
  const load = cache(60, { key: 'a', stale: 30, store: new InMemCache({ clock }) })(() => ++runs);
  t.is(load(), 1);
  clock.advance(60_000);
  t.is(load(), 1);
  t.is(load(), 1);
  t.is(runs, 1, 'not in the time of the caller');
  await until(() => runs === 2);
  await turn();
  t.is(load(), 2);
  t.is(runs, 2);
  clock.advance(90_000);
  t.is(load(), 3, 'dead');
});

test('the stale window ends where it should', (t) => {
  const clock = fakeClock();
  let runs = 0;
  const load = cache(60, { key: 'a', stale: 30, store: new InMemCache({ clock }) })(() => ++runs);
  load();
  clock.advance(89_999);
  t.is(load(), 1);
  clock.advance(1);
  t.is(load(), 2);
});

test('a jump of the wall clock neither expires nor prolongs anything', (t) => {
  for (const jump of [3_600_000, -3_600_000]) {
    const clock = fakeClock();
    let runs = 0;
    const store = new InMemCache({ clock });
    const load = cache(60, { key: 'a', stale: 10, store })(() => ++runs);
    load();
    clock.advance(30_000);
    clock.setWall(clock.wall() + jump);
    t.is(load(), 1);
    const entry = store.getEntry('a');
    t.is(Math.round((clock.wall() / 1000 - (entry?.createdAt ?? 0)) * 1000), 30_000, 'the age is told in the new wall time');
    clock.advance(29_999);
    t.is(load(), 1);
    clock.advance(10_001);
    t.is(load(), 2);
  }
});

test('this is passed on and is no part of the key', (t) => {
  class Users {
    runs = 0;
    prefix = 'u';

    @cache(60, { key: 'user:{id}' })
    byId(id: number): string {
      this.runs++;
      return `${this.prefix}${id}`;
    }

    @cache(60, { key: 'all:{}' })
    static async all(page: number): Promise<string> {
      return `${this.name} ${page}`;
    }
  }
  const one = new Users();
  const two = new Users();
  t.is(one.byId(1), 'u1');
  t.is(two.byId(1), 'u1');
  t.is(one.runs + two.runs, 1, 'one cache for the class');
  t.is(one.byId.name, 'byId');
  const controls = one.byId as unknown as { invalidate(id: number): boolean };
  t.true(controls.invalidate(1));
  t.is(two.byId(1), 'u1');
  t.is(two.runs, 1);
  return Users.all(3).then((text) => t.is(text, 'Users 3'));
});

test('the wrapper has the name, the length and the controls', (t) => {
  function getUser(_id: number, _more: string): number {
    return 1;
  }
  const store = new InMemCache();
  const load = cache(60, { key: 'user:{_id}', store })(getUser);
  t.is(load.name, 'getUser');
  t.is(load.length, 2);
  t.is(load.wrapped, getUser);
  t.is(load.store, store);
  t.is(load.key(1, ''), 'user:1');
  load(1, '');
  t.true(load.invalidate(1, ''));
  t.false(load.invalidate(1, ''));
  load(1, '');
  t.is(load.clear(), undefined);
  t.is(store.size, 0);
});

test('store: an instance is shared, a class or a factory makes one each', (t) => {
  const shared = new InMemCache();
  const make = cache(60, { key: 'a', store: shared });
  t.is(make(() => 1).store, make(() => 2).store);
  const ofClass = cache(60, { key: 'a', store: InMemCache });
  t.not(ofClass(() => 1).store, ofClass(() => 2).store);
  const ofFactory = cache(60, { key: 'a', store: () => new InMemCache({ maxEntries: 3 }) });
  t.not(ofFactory(() => 1).store, ofFactory(() => 2).store);
  const byDefault = cache(60, { key: 'a' });
  t.true(byDefault(() => 1).store instanceof InMemCache);
  t.not(byDefault(() => 1).store, byDefault(() => 2).store);
});

test('a subclass of InMemCache is asked by its own methods', (t) => {
  let gets = 0;
  class Counting extends InMemCache {
    override getEntry(key: string): ReturnType<InMemCache['getEntry']> {
      gets++;
      return super.getEntry(key);
    }
  }
  const load = cache(60, { key: 'a', store: Counting })(() => 1);
  load();
  load();
  t.is(gets, 2);
});

test('wrong options throw at the call that got them', (t) => {
  const wrong = cache as unknown as (...args: unknown[]) => (fn: unknown, context?: unknown) => unknown;
  for (const ttl of [-1, NaN, '1 minute', '', null, undefined]) t.throws(() => wrong(ttl, { key: 'a' }), { instanceOf: RangeError });
  t.throws(() => wrong(1, { key: 'a', stale: -1 }), { instanceOf: RangeError });
  t.throws(() => wrong(1), { instanceOf: TypeError });
  t.throws(() => wrong(1, {}), { instanceOf: TypeError, message: /`key`/ });
  t.throws(() => wrong(1, { key: 42 }), { instanceOf: TypeError });
  t.throws(() => wrong(1, { key: '' }), { instanceOf: RangeError });
  t.throws(() => wrong(1, { key: 'a', staleness: 1 }), { instanceOf: TypeError, message: /staleness/ });
  t.throws(() => wrong(1, { key: 'a', store: {} }), { instanceOf: TypeError, message: /`store`/ });
  t.throws(() => wrong(1, { key: 'a', store: () => ({}) })(() => 1), { instanceOf: TypeError, message: /`store`/ });
  t.throws(() => wrong(1, { key: 'a', store: async () => new InMemCache() })(() => 1), { instanceOf: TypeError, message: /Promise/ });
  t.throws(() => wrong(1, { key: 'a', metrics: {} }), { instanceOf: TypeError, message: /`metrics`/ });
  t.throws(() => wrong(1, { key: 'a', name: '' }), { instanceOf: TypeError });
  t.throws(() => wrong(1, { key: 'a', params: 'a' }), { instanceOf: TypeError });
  t.throws(() => wrong(1, { key: 'a', onError: 1 }), { instanceOf: TypeError });
  t.throws(() => wrong(1, { key: 'a' }, 'not a function'), { instanceOf: TypeError, message: /`fn`/ });
  t.throws(() => wrong(1, { key: 'a' })({}, 'name'), { instanceOf: TypeError, message: /experimentalDecorators/ });
  t.throws(() => wrong(1, { key: 'a' })(() => 1, { kind: 'getter' }), { instanceOf: TypeError, message: /method/ });
});

test('a recursive function', (t) => {
  let runs = 0;
  const fibonacci = cache(60, { key: 'fib:{n}' })((n: number): number => {
    runs++;
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
  });
  t.is(fibonacci(80), 23416728348467685);
  t.is(runs, 81);
});

test('a load that invalidates its own key is not stored', (t) => {
  let runs = 0;
  const load = cache(60, { key: 'a' })((): number => {
    if (runs++ === 0) load.invalidate();
    return runs;
  });
  t.is(load(), 1);
  t.is(load(), 2);
  t.is(load(), 2);
});
