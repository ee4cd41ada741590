import test from 'ava';
import { Redis } from 'ioredis';
import { bg, configure, DuplicateWriterError, InMemCache, piscinaLoader, RedisCache } from '../../dist/index.js';
import { endAfterwards, newKey } from './support.js';

endAfterwards();

/** What is wrong on purpose has no type. */
type Loose = (...args: unknown[]) => unknown;
const make = bg as unknown as Loose;
const write = bg.write as unknown as Loose;
const read = bg.read as unknown as Loose;
const load = (): number => 1;
const redis = new RedisCache(new Redis({ lazyConnect: true }));
const lone = `a${String.fromCharCode(0xd800)}`;

type Case = readonly [what: string, call: () => unknown, error: typeof TypeError | typeof RangeError, message: RegExp];

/** What `bg` and `bg.write` have in common. */
const refreshing = (name: string, call: Loose): Case[] => [
  [`${name}: no options`, () => call(1), TypeError, /options.* to be an object, got undefined/],
  [`${name}: null for options`, () => call(1, null), TypeError, /to be an object, got null/],
  [`${name}: a misspelt option`, () => call(1, { key: 'k', intervall: 2 }), TypeError, /to be among key, .*, got 'intervall'/],
  [`${name}: no key`, () => call(1, {}), TypeError, /`key` to be a string, got undefined/],
  [`${name}: an empty key`, () => call(1, { key: '' }), RangeError, /`key` to be a non-empty string, got ''/],
  [`${name}: a number for a key`, () => call(1, { key: 7 }), TypeError, /`key` to be a string, got 7/],
  [`${name}: a long key`, () => call(1, { key: 'ä'.repeat(5000) }), RangeError, /at most 8192 bytes of UTF-8, got 10000/],
  [`${name}: a lone surrogate`, () => call(1, { key: lone }), TypeError, /well-formed Unicode/],
  [`${name}: a template`, () => call(1, { key: 'user:{}' }), TypeError, /without placeholders.*got 'user:\{\}'/],
  [`${name}: a named placeholder`, () => call(1, { key: 'user:{id}' }), TypeError, /without placeholders/],
  [`${name}: a negative interval`, () => call(-1, { key: 'k' }), RangeError, /`interval` to be a duration of 0 or more .*, got -1/],
  [`${name}: NaN`, () => call(Number.NaN, { key: 'k' }), RangeError, /`interval` .*got NaN/],
  [`${name}: an endless interval`, () => call(Infinity, { key: 'k' }), RangeError, /`interval` to be finite, got Infinity/],
  [`${name}: an unknown unit`, () => call('5 weeks', { key: 'k' }), RangeError, /`interval` .*got '5 weeks'/],
  [`${name}: no interval`, () => call(undefined, { key: 'k' }), RangeError, /`interval` .*got undefined/],
  [`${name}: a negative ttl`, () => call(1, { key: newKey(), ttl: -1 }, load), RangeError, /`ttl` .*got -1/],
  [`${name}: a string for a store`, () => call(1, { key: 'k', store: 'redis' }), TypeError, /`store` to be a store, got 'redis'/],
  [`${name}: half a store`, () => call(1, { key: 'k', store: { get() {} } }), TypeError, /`store` to be a store, got an object/],
  [`${name}: a class for a store`, () => call(1, { key: 'k', store: InMemCache }), TypeError, /`store`/],
  [`${name}: onError`, () => call(1, { key: 'k', onError: 'log' }), TypeError, /`onError` to be a function, got 'log'/],
  [`${name}: runImmediately`, () => call(1, { key: 'k', runImmediately: 1 }), TypeError, /`runImmediately` to be a boolean, got 1/],
  [
    `${name}: an unknown scope`,
    () => call(1, { key: 'k', scope: 'galaxy' }),
    TypeError,
    /`scope` to be one of 'process', 'host', 'fleet', got 'galaxy'/,
  ],
  [`${name}: a fleet without a store`, () => call(1, { key: 'k', scope: 'fleet' }), TypeError, /`store` to be a RedisCache.*got undefined/],
  [
    `${name}: a fleet with another store`,
    () => call(1, { key: 'k', scope: 'fleet', store: new InMemCache() }),
    TypeError,
    /`store` to be a RedisCache.*got an instance of InMemCache/,
  ],
  [`${name}: a lease without a fleet`, () => call(1, { key: 'k', lease: 5 }), TypeError, /`lease` together with scope 'fleet' only/],
  [`${name}: no lease`, () => call(1, { key: 'k', scope: 'fleet', store: redis, lease: 0 }), RangeError, /`lease` .*100 ms or more, got 0/],
  [
    `${name}: an endless lease`,
    () => call(1, { key: 'k', scope: 'fleet', store: redis, lease: Infinity }),
    RangeError,
    /`lease` to be finite/,
  ],
  [`${name}: a name`, () => call(1, { key: 'k', name: 5 }), TypeError, /`name` to be a string, got 5/],
  [`${name}: metrics`, () => call(1, { key: 'k', metrics: {} }), TypeError, /`metrics`/],
];

const cases: Case[] = [
  ...refreshing('bg', make),
  ...refreshing('bg.write', write),
  ['bg: what isn’t a function', () => make(1, { key: 'k' }, 5), TypeError, /`fn` to be a function, got 5/],
  ['bg: applied to nothing', () => (make(1, { key: 'k' }) as Loose)(undefined), TypeError, /`fn` to be a function, got undefined/],
  [
    'bg.write: a path as the loader',
    () => write(1, { key: 'k', loader: './x.js' }),
    TypeError,
    /`loader` to be a function, or the URL .*got '.\/x.js'/,
  ],
  ['bg.write: applied to nothing', () => (write(1, { key: 'k' }) as Loose)(undefined), TypeError, /`loader` .*got undefined/],
  ['bg.write: timeout', () => write(1, { key: 'k', timeout: -5 }), RangeError, /`timeout` .*got -5/],
  [
    'bg.write: no bytes at all',
    () => write(1, { key: 'k', maxBytes: 0 }),
    RangeError,
    /`maxBytes` to be a whole number of 1 or more, got 0/,
  ],
  ['bg.write: half a byte', () => write(1, { key: 'k', maxBytes: 1.5 }), RangeError, /`maxBytes` .*got 1.5/],
  [
    'bg.write: more than fits',
    () => write(1, { key: newKey(), maxBytes: 2 ** 40 }, load),
    RangeError,
    /`maxBytes` to be at most \d+, got 1099511627776/,
  ],
  ['bg.write: validate', () => write(1, { key: 'k', validate: true }), TypeError, /`validate` to be a function, got true/],
  ['bg.write: ref', () => write(1, { key: 'k', ref: 'no' }), TypeError, /`ref` to be a boolean, got 'no'/],
  [
    'bg.write: an unknown serializer',
    () => write(1, { key: 'k', serializer: 'xml' }),
    TypeError,
    /`serializer` to be one of 'json', 'v8', .*got 'xml'/,
  ],
  ['bg.write: half a serializer', () => write(1, { key: 'k', serializer: { dumps() {} } }), TypeError, /`serializer`/],
  [
    'bg.write: validate beside a module',
    () => write(1, { key: newKey(), loader: new URL('file:///x.js'), validate: () => true }),
    TypeError,
    /`validate` to be exported by the module/,
  ],
  [
    'bg.write: a serializer object beside a module',
    () => write(1, { key: newKey(), loader: new URL('file:///x.js'), serializer: { dumps() {}, loads() {} } }),
    TypeError,
    /`serializer` to be a name, or exported by the module/,
  ],
  [
    "bg.write: another serializer than the fleet's store",
    () => write(1, { key: 'k', scope: 'fleet', store: redis, serializer: 'v8' }),
    TypeError,
    /`serializer` to be that of the store \('json'\).*got 'v8'/,
  ],
  ['bg.read: via', () => read('k', { via: 'pigeon' }), TypeError, /`via` to be one of 'host', 'direct', got 'pigeon'/],
  ['bg.read: no key', () => read(), TypeError, /`key` to be a string, got undefined/],
  ['bg.read: a template', () => read('a:{}'), TypeError, /without placeholders/],
  ['bg.read: null', () => read('k', null), TypeError, /to be an object, got null/],
  ['bg.read: a misspelt option', () => read('k', { Ttl: 5 }), TypeError, /to be among interval, .*got 'Ttl'/],
  ['bg.read: a store', () => read('k', { store: {} }), TypeError, /`store` to be a store, got an object/],
  ['bg.read: interval', () => read('k', { interval: 'soon' }), RangeError, /`interval` .*got 'soon'/],
  ['bg.read: ttl', () => read('k', { ttl: Number.NaN }), RangeError, /`ttl` .*got NaN/],
  [
    'bg.read: onStale',
    () => read('k', { onStale: 'ignore' }),
    TypeError,
    /`onStale` to be one of 'undefined', 'throw', 'serve', got 'ignore'/,
  ],
  ['bg.read: onError', () => read('k', { onError: {} }), TypeError, /`onError` to be a function, got an object/],
  ['bg.read: freeze', () => read('k', { freeze: 0 }), TypeError, /`freeze` to be a boolean, got 0/],
  ['bg.read: runImmediately', () => read('k', { runImmediately: 'yes' }), TypeError, /`runImmediately` to be a boolean/],
  ['bg.read: maxBytes', () => read('k', { maxBytes: -1 }), RangeError, /`maxBytes` .*got -1/],
  ['bg.read: metrics', () => read('k', { metrics: 5 }), TypeError, /`metrics`/],
  ['bg.read: serializer', () => read('k', { serializer: 'xml' }), TypeError, /`serializer`/],
  ['bg.shutdown: an unknown option', () => (bg.shutdown as Loose)({ now: true }), TypeError, /to be among wait, timeout, got 'now'/],
  ['bg.shutdown: wait', () => (bg.shutdown as Loose)({ wait: 'yes' }), TypeError, /`wait` to be a boolean, got 'yes'/],
  ['bg.shutdown: timeout', () => (bg.shutdown as Loose)({ timeout: -1 }), RangeError, /`timeout` .*got -1/],
  [
    'configure: an unknown setting',
    () => (configure as Loose)({ namespce: 'x' }),
    TypeError,
    /to be among namespace, directory, got 'namespce'/,
  ],
  ['configure: an empty namespace', () => configure({ namespace: '' }), TypeError, /`namespace` to be a non-empty string, got ''/],
  ['configure: a number', () => (configure as Loose)({ directory: 5 }), TypeError, /`directory` to be a non-empty string, got 5/],
  ['piscinaLoader: no pool', () => (piscinaLoader as Loose)({}), TypeError, /`pool` to be a Piscina pool/],
];

for (const [what, call, error, message] of cases) {
  test(what, (t) => {
    t.throws(call, { instanceOf: error, message });
  });
}

test('a call that was refused leaves nothing behind', (t) => {
  t.deepEqual(bg.status().writers, []);
  t.deepEqual(bg.status().mirrors, []);
});

test('every way to spell a duration is taken', async (t) => {
  for (const interval of [0, 0.5, 60, '250ms', '30s', '5m', '1h', '30d'] as const) {
    const value = bg(interval, { key: newKey(), ttl: interval }, load);
    t.is(value(), 1);
    await value.stop();
  }
});

test('a brace alone is no placeholder', async (t) => {
  const writer = bg.write(60, { key: `a{ ${newKey()}` }, load);
  t.is(await writer.ready(), 1);
  await t.throwsAsync(async () => bg.write(60, { key: writer.key }, load), { instanceOf: DuplicateWriterError });
  await writer.stop();
});
