import test from 'ava';
import fc from 'fast-check';
import { KeyTemplateError, cache } from '../../dist/index.js';
import { type KeyOption, compileKey } from '../../dist/keys/compile.js';

type Fn = (...args: never[]) => unknown;

function keyOf(key: KeyOption, fn: Fn, args: readonly unknown[], params?: readonly string[]): string {
  return compileKey(key, fn, params).keyOf(args);
}

const nothing = (): void => {};

test('static, positional, named, and a function', (t) => {
  t.is(keyOf('flags', nothing, [1, 2]), 'flags');
  t.is(
    keyOf('user:{}', (_a: number) => 0, [42]),
    'user:42',
  );
  t.is(
    keyOf('x:{}:{}', (_a: number, _b: number) => 0, [1, 2]),
    'x:1:2',
  );
  t.is(
    keyOf('order:{userId}:{orderId}', (userId: number, orderId: number) => [userId, orderId], [1, 99]),
    'order:1:99',
  );
  t.is(
    keyOf('order:{orderId}:{userId}', (userId: number, orderId: number) => [userId, orderId], [1, 99]),
    'order:99:1',
  );
  t.is(
    keyOf('{a}/{}/{b}/{a}', (a: number, b: number) => [a, b], [1, 2]),
    '1/1/2/1',
  );
  t.is(
    keyOf((a: number, b: number) => `${a}-${b}`, nothing, [1, 2]),
    '1-2',
  );
});

test('names come from params, then a destructured first argument, then the source', (t) => {
  t.is(keyOf('u:{id}', Math.max, [7], ['id']), 'u:7');
  t.is(keyOf('u:{b}', ((...all: number[]) => all) as Fn, [7, 8], ['a', 'b']), 'u:8');
  t.is(
    keyOf('u:{id}', ({ id }: { id: number }) => id, [{ id: 5 }]),
    'u:5',
  );
  t.is(
    keyOf('u:{id}', ({ id: own }: { id: number }) => own, [{ id: 5 }]),
    'u:5',
  );
  t.is(
    keyOf('u:{own}', ({ id: own }: { id: number }) => own, [{ id: 5 }]),
    'u:5',
  );
  t.is(
    keyOf('u:{id}:{lang}', ({ id }: { id: number }, lang: string) => [id, lang], [{ id: 5 }, 'en']),
    'u:5:en',
  );
  t.is(
    keyOf('u:{id}', ({ id }: { id: number }) => id, ['first'], ['id']),
    'u:first',
    'params stand before the pattern',
  );
});

test('defaults written in the parameter list count, where they are literals', (t) => {
  t.is(
    keyOf('i18n:{lang}', (lang = 'en') => lang, []),
    'i18n:en',
  );
  t.is(
    keyOf('i18n:{lang}', (lang = 'en') => lang, [undefined]),
    'i18n:en',
  );
  t.is(
    keyOf('i18n:{lang}', (lang = 'en') => lang, ['fr']),
    'i18n:fr',
  );
  t.is(
    keyOf('i18n:{}', (lang = 'en') => lang, []),
    'i18n:en',
  );
  t.is(
    keyOf('{a}:{b}:{c}:{d}', (a = -1.5, b = true, c = 10n, d = `x`) => [a, b, c, d], []),
    '-1.5:true:10:x',
  );
  t.is(
    keyOf('i:{lang}', ({ lang = 'en' }: { lang?: string } = {}) => lang, []),
    'i:en',
  );
  t.is(
    keyOf('i:{lang}', ({ lang: own = 'en' }: { lang?: string }) => own, [{}]),
    'i:en',
  );
  t.throws(() => keyOf('i:{at}', (at = Date.now()) => at, []), { instanceOf: KeyTemplateError, message: /default is an expression/ });
  t.throws(() => keyOf('i:{lang}', ({ lang = 'en' }: { lang?: string }) => lang, []), { instanceOf: KeyTemplateError });
});

// Written as text, so that no compiler tidies them up before they are read.
const SOURCES: readonly (readonly [source: string, name: string, args: readonly unknown[], expected: string])[] = [
  ['async function f(id) {}', 'id', [1], '1'],
  ['function* f(id) {}', 'id', [1], '1'],
  ['async function* f(a, id) {}', 'id', [0, 1], '1'],
  ['id => id', 'id', [1], '1'],
  ['async id => id', 'id', [1], '1'],
  ['async (a, id) => id', 'id', [0, 1], '1'],
  ['async => async', 'async', [1], '1'],
  ['$id => $id', '$id', [1], '1'],
  ['(名前) => 1', '名前', [1], '1'],
  ['({ get(id) {} }).get', 'id', [1], '1'],
  ['({ set(id) {} }).set', 'id', [1], '1'],
  ['({ async(id) {} }).async', 'id', [1], '1'],
  ['({ async async(id) {} }).async', 'id', [1], '1'],
  ['({ *gen(id) {} }).gen', 'id', [1], '1'],
  ['({ async *gen(id) {} }).gen', 'id', [1], '1'],
  ['({ function(id) {} }).function', 'id', [1], '1'],
  ['({ class(id) {} }).class', 'id', [1], '1'],
  ['({ "a(b, c) =>"(id) {} })["a(b, c) =>"]', 'id', [1], '1'],
  ['({ [`x${"("}`](id) {} })["x("]', 'id', [1], '1'],
  ['class A { #p(id) {} static p() { return new A().#p; } }; A.p()', 'id', [1], '1'],
  ['class A { static async static(id) {} }; A.static', 'id', [1], '1'],
  ['(a = ",", id) => 1', 'id', [0, 1], '1'],
  ['(a = ")", id) => 1', 'id', [0, 1], '1'],
  ["(a = '\\')', id) => 1", 'id', [0, 1], '1'],
  ['(a = `,${`)${"`"}`})`, id) => 1', 'id', [0, 1], '1'],
  ['(a = /[/),]\\/,/g, id) => 1', 'id', [0, 1], '1'],
  ['(a = 4 / 2 / 1, id) => 1', 'id', [0, 1], '1'],
  ['(a = (1, 2), id) => 1', 'id', [0, 1], '1'],
  ['(a = [1, ",", (3)], id) => 1', 'id', [0, 1], '1'],
  ['(a = { x: 1, y: "}" }, id) => 1', 'id', [0, 1], '1'],
  ['(a = (b, c) => ({ b, c }), id) => 1', 'id', [0, 1], '1'],
  ['(a = function (x, y) { return x / y; }, id) => 1', 'id', [0, 1], '1'],
  ['(a = b => b === "=" ? /=/ : 1, id) => 1', 'id', [0, 1], '1'],
  ['function f(/* a, ( */ a, // id, )\n id /* = 5 */) {}', 'id', [0, 1], '1'],
  ['(/* (x) => */ id) => 1', 'id', [1], '1'],
  ['/* a */ function /* b( */ f /* c( */ (id) {}', 'id', [1], '1'],
  ['({ id, other = "}" }, more) => 1', 'id', [{ id: 1 }], '1'],
  ['({ other: { id: no }, id }) => 1', 'id', [{ id: 1 }], '1'],
  ['({ other: [no], "id": own = 3 }) => 1', 'id', [{}], '3'],
  ['({ [`computed`]: x, id, ...rest }) => 1', 'id', [{ id: 1 }], '1'],
  ['([first], id) => 1', 'id', [[], 1], '1'],
  ['(a, id, ...rest) => 1', 'id', [0, 1], '1'],
  ['(id = "a=b") => 1', 'id', [], 'a=b'],
  ['(id = !0) => 1', 'id', [], 'true'],
  ['(a,\n\tid\n,\n) => 1', 'id', [0, 1], '1'],
];

for (const [source, name, args, expected] of SOURCES) {
  test(`reads ${JSON.stringify(source)}`, (t) => {
    const fn = (0, eval)(source.includes('; ') ? source : `(${source})`) as Fn;
    t.is(keyOf(`{${name}}`, fn, args), expected);
  });
}

test('what the source does not show is an error that says what to do, when the wrapper is made', (t) => {
  class Thing {
    readonly id: number;
    constructor(id: number) {
      this.id = id;
    }
  }
  const bound = ((id: number) => id).bind(null);
  for (const fn of [
    Math.max,
    bound,
    Thing,
    (other: number) => other,
    () => 0,
    (...id: number[]) => id,
    ({ user: { id } }: { user: { id: number } }) => id,
  ]) {
    const error = t.throws(() => cache(60, { key: 'user:{id}' })(fn as Fn), { instanceOf: KeyTemplateError, code: 'ERR_KEY_TEMPLATE' });
    t.regex(error?.message ?? '', /params: \['id'\]|Give a function/);
  }
});

test('braces that are no placeholder are an error', (t) => {
  for (const key of ['{', '}', 'a{b', 'a}b', '{{a}}', '{a{b}}', '{a:.2f}', '{a.b}', '{0}', '{ a }', '}{']) {
    t.throws(() => cache(60, { key }), { instanceOf: KeyTemplateError, message: /function/ }, key);
  }
});

test('what has no text of its own throws at the call', (t) => {
  const missing: readonly unknown[] = [undefined, null];
  const wrong: readonly unknown[] = [
    {},
    { id: 1 },
    Object.create(null),
    new Map(),
    Symbol('x'),
    () => 1,
    [{}],
    Promise.resolve(),
    new Date(NaN),
  ];
  for (const value of [...missing, ...wrong]) {
    for (const key of ['user:{}', 'user:{id}', '{id}:{id}']) {
      t.throws(() => keyOf(key, (id: unknown) => id, [value]), { instanceOf: KeyTemplateError });
    }
    t.throws(() => keyOf('user:{id}', ({ id }: { id: unknown }) => id, [{ id: value }]), { instanceOf: KeyTemplateError });
  }
  t.throws(() => keyOf('user:{}', (id: unknown) => id, []), { instanceOf: KeyTemplateError });
  t.throws(() => keyOf('user:{id}', ({ id }: { id: unknown }) => id, [null]), { instanceOf: KeyTemplateError });
});

test('what has a text of its own is taken', (t) => {
  class Id {
    toString(): string {
      return 'own';
    }
  }
  t.is(
    keyOf('{}', (id: unknown) => id, [new Id()]),
    'own',
  );
  t.is(
    keyOf('{}', (id: unknown) => id, [new URL('https://a.test/b')]),
    'https://a.test/b',
  );
  t.is(
    keyOf('{}', (id: unknown) => id, [10n]),
    '10',
  );
  t.is(
    keyOf('{}', (id: unknown) => id, [false]),
    'false',
  );
  t.is(
    keyOf('{}', (id: unknown) => id, [-0]),
    '0',
  );
  t.is(
    keyOf('{}', (id: unknown) => id, [new Date(5)]),
    '1970-01-01T00:00:00.005Z',
  );
  t.is(
    keyOf('user:{}', (id: unknown) => id, ['']),
    'user:',
  );
});

test('a key function must answer a key', (t) => {
  for (const made of [42, undefined, null, Promise.resolve('a')]) {
    t.throws(() => keyOf((() => made) as unknown as KeyOption, nothing, []), { instanceOf: KeyTemplateError });
  }
  t.throws(() => keyOf(() => '', nothing, []), { instanceOf: RangeError });
  t.throws(() => keyOf(() => '\ud800', nothing, []), { instanceOf: TypeError });
  t.throws(() => keyOf('{}', (id: string) => id, ['x'.repeat(70_000)]), { instanceOf: RangeError });
});

test('values that hold the separator are percent-encoded, where there are two placeholders or more', (t) => {
  const fn = (a: unknown, b: unknown): unknown => [a, b];
  t.is(keyOf('o:{a}:{b}', fn, ['a:b', 'c']), 'o:a%3Ab:c');
  t.is(keyOf('o:{a}:{b}', fn, ['a', 'b:c']), 'o:a:b%3Ac');
  t.is(keyOf('o:{a}:{b}', fn, ['50%', 'c']), 'o:50%25:c');
  t.is(keyOf('o:{a}', fn, ['50%:a']), 'o:50%:a');
  t.is(keyOf('u:{a}:post:{b}', fn, ['a:b', 'c']), 'u:a:b:post:c', 'only the whole separator counts');
  t.not(keyOf('{a}--{b}', fn, ['x-', 'y']), keyOf('{a}--{b}', fn, ['x', '-y']));
});

test('two placeholders with nothing, or nothing but digits, between them are an error', (t) => {
  const fn = (a: unknown, b: unknown): unknown => [a, b];
  for (const key of ['{a}{b}', '{}{}', '{a}1{b}', '{a}%{b}', '{a}25{b}']) {
    t.throws(() => compileKey(key, fn), { instanceOf: KeyTemplateError, message: /separator/ }, key);
  }
});

const SEPARATORS = [':', '/', '-', '--', ':post:', '%:', 'x%2', 'aab', 'é', '😀', ' and ', '.', '::', 'a%3A'];
// Few characters, those of the separators and of the escapes among them: collisions are where they can be.
const text = fc.string({
  unit: fc.constantFrom('a', 'b', 'x', ':', '/', '-', '%', '2', '3', '5', 'A', 'D', '.', ' ', 'é', '😀', 'post'),
  maxLength: 6,
});
const value = fc.oneof(
  { weight: 5, arbitrary: text },
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.bigInt({ min: -20n, max: 20n }),
);

test('keys are injective over the text of two arguments', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...SEPARATORS), value, value, value, value, (separator, a, b, c, d) => {
      // esbuild renames a parameter that shadows a name outside, so these have names of their own.
      const plan = compileKey(`k${separator}{one}${separator}{two}`, (one: unknown, two: unknown) => [one, two]);
      const same = String(a) === String(c) && String(b) === String(d);
      return (plan.keyOf([a, b]) === plan.keyOf([c, d])) === same;
    }),
    { numRuns: 100_000 },
  );
  t.pass();
});

test('keys are injective over three arguments and two different separators', (t) => {
  const args = fc.tuple(text, text, text);
  fc.assert(
    fc.property(fc.constantFrom(...SEPARATORS), fc.constantFrom(...SEPARATORS), args, args, (one, other, first, second) => {
      const plan = compileKey(`{a}${one}{b}${other}{c}`, (a: unknown, b: unknown, c: unknown) => [a, b, c]);
      const same = first.every((part, i) => part === second[i]);
      return (plan.keyOf(first) === plan.keyOf(second)) === same;
    }),
    { numRuns: 50_000 },
  );
  t.pass();
});

test('a key can be taken apart again: no two pairs meet, near ones least of all', (t) => {
  for (const separator of SEPARATORS) {
    const plan = compileKey(`{a}${separator}{b}`, (a: unknown, b: unknown) => [a, b]);
    const alphabet = [...new Set([...Array.from(separator), '%', '2', '5', 'z'])];
    const texts = ['', ...alphabet, ...alphabet.flatMap((x) => alphabet.map((y) => x + y)), separator, `${separator}${separator}`];
    const seen = new Map<string, string>();
    for (const a of new Set(texts)) {
      for (const b of new Set(texts)) {
        const key = plan.join([a, b]);
        const pair = JSON.stringify([a, b]);
        t.is(seen.get(key) ?? pair, pair);
        seen.set(key, pair);
      }
    }
  }
});

test('reading a hostile source takes time in proportion to its length', (t) => {
  for (const part of ['(', '/', '`${', '"', '[', '/*', '//', "'\\", '=', '=>']) {
    const fn = (0, eval)(`(a, id) => 1`) as Fn;
    const source = `(a = ${JSON.stringify(part.repeat(50_000))}, id) => 1`;
    const big = (0, eval)(source) as Fn;
    t.is(keyOf('{id}', fn, [0, 1]), '1');
    t.is(keyOf('{id}', big, [0, 1]), '1');
  }
});
