/** A hit that builds no key must find what the key would have found. */
import fc from 'fast-check';
import test from 'ava';
import { InMemCache, cache } from '../../dist/index.js';

/** Values whose texts meet, or nearly do. */
const VALUES = [42, '42', 0, -0, '0', NaN, 'NaN', 1.5, '1.5', -1, 'a', 'a:b', 'b', ':', '%', '%3A', '', 'a:', ':b', true, 'true', 10n];

interface Values {
  readonly a: unknown;
  readonly b: unknown;
}
interface Way {
  call(values: Values): unknown;
  key(values: Values): string;
}

/** Each answers what its key maps to in `values`, which the function makes new at each load. */
const ways: Readonly<Record<string, (store: InMemCache) => Way>> = {
  'one argument'(store) {
    const fn = cache(60, { key: 'k:{}', store })((_a: unknown): object => ({}));
    return { call: ({ a }) => fn(a), key: ({ a }) => fn.key(a) };
  },
  'one property'(store) {
    const fn = cache(60, { key: 'k:{a}', store })(({ a }: Values): object => ({ a }));
    return { call: fn, key: (values) => fn.key(values) };
  },
  'two arguments'(store) {
    const fn = cache(60, { key: 'k:{}:{}', store })((_a: unknown, _b: unknown): object => ({}));
    return { call: ({ a, b }) => fn(a, b), key: ({ a, b }) => fn.key(a, b) };
  },
  'two arguments in another order'(store) {
    const fn = cache(60, { key: 'k:{b}:{a}', store })((a: unknown, _x: unknown, b: unknown): object => ({ a, b }));
    return { call: ({ a, b }) => fn(a, {}, b), key: ({ a, b }) => fn.key(a, {}, b) };
  },
  'two properties'(store) {
    const fn = cache(60, { key: 'k:{b}:{a}', store })(({ a: _a, b: _b }: Values): object => ({}));
    return { call: fn, key: (values) => fn.key(values) };
  },
  'a property and an argument'(store) {
    const fn = cache(60, { key: 'k:{a}:{b}', store })(({ a }: { a: unknown }, b: unknown): object => ({ a, b }));
    return { call: ({ a, b }) => fn({ a }, b), key: ({ a, b }) => fn.key({ a }, b) };
  },
};

const value = fc.constantFrom(...VALUES);
const steps = fc.array(fc.record({ what: fc.constantFrom('call', 'call', 'call', 'call', 'delete', 'set', 'clear'), a: value, b: value }), {
  maxLength: 400,
});

for (const [name, way] of Object.entries(ways)) {
  test(`whatever is called, set, deleted and cleared, in whatever spelling: ${name}`, (t) => {
    fc.assert(
      fc.property(steps, fc.constantFrom(2, 10, Infinity), (all, maxEntries) => {
        const store = new InMemCache({ maxEntries });
        const { call, key } = way(store);
        for (const { what, ...values } of all) {
          const at = key(values);
          if (what === 'delete') store.delete(at);
          else if (what === 'set') store.set(at, {}, 60);
          else if (what === 'clear' && values.a === 'a') store.clear();
          const before = store.get(at);
          const answer = call(values);
          if (before !== undefined && answer !== before) return false;
          if (store.get(at) !== answer || call(values) !== answer) return false;
        }
        return true;
      }),
      { numRuns: 200 },
    );
    t.pass();
  });
}

test('an object that its function changes is remembered as what it was', (t) => {
  const load = cache(60, { key: 'k:{id}' })(({ id, touch }: { id: string; touch: () => void }) => {
    touch();
    return id;
  });
  const changing = (id: string): { id: string; touch: () => void } => {
    const user = { id, touch: () => void (user.id = 'other') };
    return user;
  };
  for (let i = 0; i < 3; i++) t.is(load(changing('a')), 'a');
  t.is(load(changing('other')), 'other');
});

test('a getter that answers something else each time, or throws, confuses nobody', async (t) => {
  const store = new InMemCache();
  const load = cache(60, { key: 'k:{id}', store })(({ id }: { id: string }): object => ({ id }));
  let reads = 0;
  const fickle = {
    get id() {
      return `v${(reads++ * 7) % 5}`;
    },
  };
  for (let i = 0; i < 50; i++) load(fickle);
  t.true(store.size > 1);
  for (let i = 0; i < 5; i++) t.true(load({ id: `v${i}` }) === store.get(`k:v${i}`));
  const failing = {
    get id(): string {
      throw new Error('no id');
    },
  };
  t.throws(() => load(failing), { message: 'no id' });
  const later = cache(60, { key: 'k:{id}' })(async ({ id }: { id: string }) => id);
  await t.throwsAsync(later(failing), { message: 'no id' });
});
