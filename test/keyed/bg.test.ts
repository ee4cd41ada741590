/** `bg.write` with `keyed: true`, and `bg.read.keyed`, in one thread. */
import test from 'ava';
import {
  bg,
  health,
  InMemCache,
  type KeyedChange,
  type KeyedReadOptions,
  type KeyedSource,
  MirrorClosedError,
  SerializationError,
  SnapshotTooLargeError,
  StaleError,
  TimeoutError,
  ValidationError,
  ViewExpiredError,
  WireFormatError,
  type WriteOptions,
} from '../../dist/index.js';
import { collect, deferred, endAfterwards, newKey, reaches } from '../bg/support.js';
import { until } from '../support/process.js';

endAfterwards();

/** A writer of records that publishes what it is told. */
function publisher<V = unknown>(options: Partial<Omit<WriteOptions, 'loader' | 'keyed' | 'validate'>> = {}) {
  const key = newKey();
  let next: KeyedSource<V> | (() => never);
  const { errors, onError } = collect();
  const writer = bg.write<V>(3600, { key, keyed: true, runImmediately: false, ref: false, onError, ...options }, () =>
    typeof next === 'function' ? (next as () => never)() : next,
  );
  const publish = async (records: KeyedSource<V> | (() => never)): Promise<void> => {
    next = records;
    await writer.refresh();
  };
  return { key, writer, publish, errors };
}

test('empty before the first version; then the records, the same objects until their bytes change', async (t) => {
  const { key, writer, publish } = publisher<{ n: number }>();
  const mirror = bg.read.keyed<{ n: number }>(key);
  t.deepEqual(
    [mirror.key, mirror.version, mirror.size, mirror.createdAt, mirror.age, mirror.isStale],
    [key, 0, 0, undefined, undefined, false],
  );
  t.deepEqual([mirror.get('a'), mirror.has('a'), [...mirror.keys()], [...mirror.entries()]], [undefined, false, [], []]);
  t.like(mirror.status(), { state: 'initializing', records: 0, bytes: 0, indexLoad: 0 });
  t.is(mirror.view().get('a'), undefined);
  await publish(
    new Map([
      ['a', { n: 1 }],
      ['b', { n: 2 }],
    ]),
  );
  const a = mirror.get('a');
  t.deepEqual(a, { n: 1 });
  t.is(mirror.get('a'), a);
  t.true(Object.isFrozen(a));
  t.deepEqual(mirror.get('b'), { n: 2 });
  t.deepEqual([mirror.size, mirror.version, [...mirror.keys()]], [2, 1, ['a', 'b']]);
  await publish(
    new Map([
      ['b', { n: 3 }],
      ['a', { n: 1 }],
      ['c', { n: 4 }],
    ]),
  );
  t.is(mirror.get('a'), a, 'a publication that left it alone');
  t.deepEqual(
    mirror.getMany(['a', 'x', 'b']),
    new Map([
      ['a', { n: 1 }],
      ['b', { n: 3 }],
    ]),
  );
  t.deepEqual(
    [...mirror.entries()].map(([name]) => name),
    ['b', 'a', 'c'],
  );
  t.like(mirror.status(), { state: 'live', via: 'process', version: 2, records: 3, refused: 0, fallbacks: 0, lastError: undefined });
  t.true(mirror.status().bytes > 300 && mirror.status().indexLoad > 0 && mirror.status().indexLoad < 0.67);
  t.true((mirror.age ?? -1) >= 0 && (mirror.age ?? 99) < 60 && !mirror.isStale);
  await writer.stop();
  t.is(mirror.get('a'), a);
});

test('a Map, a plain object, an array, a generator and an async generator give the same', async (t) => {
  const records: [string, number][] = [
    ['x', 1],
    ['__proto__', 2],
    ['', 3],
  ];
  const object = Object.create(null) as Record<string, number>;
  for (const [name, value] of records) object[name] = value;
  const sources: (() => KeyedSource<number>)[] = [
    () => new Map(records),
    () => object,
    () => JSON.parse('{"x":1,"__proto__":2,"":3}') as Record<string, number>,
    () => records,
    () =>
      (function* () {
        yield* records;
      })(),
    () =>
      (async function* () {
        for (const record of records) yield await Promise.resolve(record);
      })(),
  ];
  for (const source of sources) {
    const { key, writer, publish } = publisher<number>();
    await publish(source());
    const mirror = bg.read.keyed<number>(key);
    t.deepEqual(new Map(mirror.entries()), new Map(records));
    t.is(mirror.get('toString'), undefined);
    await writer.stop();
  }
  t.is(({} as { x?: number }).x, undefined);
});

test('duplicates: the last one wins, and they are counted', async (t) => {
  const { key, publish } = publisher<number>();
  await publish([
    ['a', 1],
    ['b', 1],
    ['a', 2],
    ['a', 3],
    ['c', 1],
  ]);
  const mirror = bg.read.keyed<number>(key);
  t.deepEqual(
    [...mirror.entries()],
    [
      ['b', 1],
      ['a', 3],
      ['c', 1],
    ],
  );
  t.like(mirror.status(), { records: 3, duplicates: 2 });
});

test('what is no set of records is a failed refresh, and the records stay', async (t) => {
  const { key, writer, publish, errors } = publisher<unknown>();
  await publish({ a: 1 });
  const mirror = bg.read.keyed(key);
  const bad: [unknown, typeof ValidationError | typeof SerializationError | typeof RangeError, RegExp][] = [
    [undefined, ValidationError, /returned undefined/],
    [null, ValidationError, /Expected a keyed value to be a Map.*got null/],
    ['text', ValidationError, /Expected a keyed value/],
    [new Date(), ValidationError, /got an instance of Date/],
    [['a', 'b'], ValidationError, /Expected the records of a keyed value to be \[key, value\], got 'a'/],
    [new Map([[1, 1]]), ValidationError, /key of a record to be a string, got a value of type number/],
    [new Map([['\ud800', 1]]), ValidationError, /lone surrogate/],
    [
      new Map([['secret \udfff', 1]]),
      ValidationError,
      /^Expected the key of a record to be well-formed Unicode, got one of 8 characters with a lone surrogate$/,
    ],
    [new Map([['k'.repeat(65_536), 1]]), ValidationError, /at most 65535 bytes of UTF-8, got 65536/],
    [new Map([['\u20ac'.repeat(30_000), 1]]), ValidationError, /at most 65535 bytes of UTF-8, got 90000/],
    [new Map([['f', () => 1]]), SerializationError, /JSON can't hold/],
    [
      (function* () {
        yield ['a', 2];
        throw new RangeError('half-way');
      })(),
      RangeError,
      /half-way/,
    ],
    [
      (async function* () {
        yield await Promise.resolve(['a', 2]);
        throw new RangeError('half-way there');
      })(),
      RangeError,
      /half-way there/,
    ],
  ];
  for (const [source, instanceOf, message] of bad) await t.throwsAsync(publish(source as KeyedSource<unknown>), { instanceOf, message });
  t.is(errors.length, bad.length);
  t.like(writer.status(), { version: 1, failures: bad.length, state: 'interrupted' });
  t.is(mirror.get('a'), 1);
  t.is(mirror.version, 1);
  await publish({ a: 2 });
  t.is(mirror.get('a'), 2);
});

test('keys of any length and any Unicode', async (t) => {
  const keys = [
    '',
    'k'.repeat(10_000),
    'k'.repeat(65_535),
    '\u00e9',
    'e\u0301',
    '\u{1f469}\u200d\u{1f680}',
    '\0',
    '\uffff',
    'a\u0000b',
    '__proto__',
    'constructor',
    'CON',
    '..',
  ];
  const { key, publish } = publisher<number>();
  await publish(keys.map((name, at) => [name, at] as const));
  const mirror = bg.read.keyed<number>(key);
  t.is(mirror.size, keys.length);
  for (const [at, name] of keys.entries()) t.is(mirror.get(name), at, `${name.length}: ${name.slice(0, 10)}`);
  t.deepEqual([...mirror.keys()], keys);
  for (const none of ['\ud800', 'k'.repeat(65_536), 'k'.repeat(9_999), '\u20ac'.repeat(65_535), 'b']) {
    t.is(mirror.get(none), undefined);
    t.false(mirror.has(none));
  }
  // @ts-expect-error a key is a string
  t.throws(() => mirror.get(1), { instanceOf: TypeError, message: 'Expected `key` to be a string, got 1' });
  // @ts-expect-error a key is a string
  t.throws(() => mirror.has(undefined), { instanceOf: TypeError });
});

test('a refresh that changes nothing is a heartbeat, not a version', async (t) => {
  const { key, writer, publish } = publisher<number>();
  const mirror = bg.read.keyed<number>(key);
  const changes: KeyedChange[] = [];
  mirror.onChange((change) => changes.push(change));
  await publish({ a: 1, b: 2 });
  await until(() => changes.length === 1, { what: 'the first version' });
  const createdAt = mirror.createdAt ?? 0;
  await until(() => Date.now() / 1000 > createdAt + 0.02, { what: 'time goes by' });
  await publish(
    new Map([
      ['b', 2],
      ['a', 1],
    ]),
  );
  t.is(mirror.version, 1);
  t.true((mirror.createdAt ?? 0) >= createdAt + 0.015);
  t.like(writer.status(), { version: 1, refreshes: 2 });
  await publish({ a: 1, b: 3 });
  t.is(mirror.version, 2);
  await until(() => changes.length === 2, { what: 'the change' });
  t.like(changes[1], { version: 2, from: 1, added: [], changed: ['b'], removed: [] });
});

test('exactly what was added, changed and removed, and each key to those who ask for it', async (t) => {
  const { key, publish } = publisher<number>();
  const mirror = bg.read.keyed<number>(key);
  const changes: KeyedChange[] = [];
  const ofA: unknown[] = [];
  const off = mirror.onChange((change) => changes.push(change));
  const offKey = mirror.onKey('a', (value) => ofA.push(value));
  mirror.onKey('\ud800', () => t.fail('no record has that key'));
  const steps: [Record<string, number>, Partial<KeyedChange>][] = [
    [
      { a: 1, b: 1 },
      { from: 0, added: ['a', 'b'], changed: [], removed: [] },
    ],
    [
      { a: 1, b: 2, c: 1 },
      { from: 1, added: ['c'], changed: ['b'], removed: [] },
    ],
    [{ c: 1 }, { from: 2, added: [], changed: [], removed: ['a', 'b'] }],
    [
      { a: 5, c: 1 },
      { from: 3, added: ['a'], changed: [], removed: [] },
    ],
  ];
  for (const [at, [records, expected]] of steps.entries()) {
    await publish(records);
    await until(() => changes.length === at + 1, { what: `change ${at}` });
    t.like(changes[at], { ...expected, version: at + 1 });
    t.true((changes[at]?.createdAt ?? 0) > 1e9);
  }
  t.deepEqual(ofA, [1, undefined, 5]);
  // Several at once: nothing came back, so that what changed and changed back has not changed.
  const { publish: again } = { publish };
  off();
  const late: KeyedChange[] = [];
  mirror.onChange((change) => late.push(change));
  void again({ a: 6, c: 2, d: 1 });
  await again({ a: 6, c: 2, d: 1 });
  await again({ a: 5, c: 2 });
  await until(() => late.at(-1)?.version === mirror.version, { what: 'the last change' });
  t.deepEqual(new Set(late.flatMap(({ changed }) => changed)).has('c'), true);
  t.is(changes.length, 4);
  offKey();
});

test('a listener that comes late is told from there on, and one that throws hurts nobody', async (t) => {
  const { key, publish } = publisher<number>();
  await publish({ a: 1 });
  const { errors, onError } = collect();
  const mirror = bg.read.keyed<number>(key, { onError });
  const changes: KeyedChange[] = [];
  mirror.onChange(() => {
    throw new RangeError('mine');
  });
  mirror.onKey('a', () => {
    throw new RangeError('mine too');
  });
  mirror.onChange((change) => changes.push(change));
  await publish({ a: 2, b: 1 });
  await until(() => changes.length > 0, { what: 'the change' });
  t.like(changes[0], { from: 1, version: 2, added: ['b'], changed: ['a'] });
  await until(() => errors.length === 2, { what: 'both errors' });
  t.deepEqual(errors.map(({ message }) => message).sort(), ['mine', 'mine too']);
  // @ts-expect-error no listener
  t.throws(() => mirror.onChange(), { instanceOf: TypeError, message: /Expected `listener` to be a function/ });
  // @ts-expect-error no listener
  t.throws(() => mirror.onKey('a', 1), { instanceOf: TypeError });
  // @ts-expect-error no key
  t.throws(() => mirror.onKey(1, () => {}), { instanceOf: TypeError });
});

test('many records, and a publication while the first version is still looked through', async (t) => {
  const { key, publish } = publisher<number>();
  const records = new Map(Array.from({ length: 60_000 }, (_, i) => [`key ${i}`, i]));
  await publish(records);
  const mirror = bg.read.keyed<number>(key);
  const changes: KeyedChange[] = [];
  const ofKey: unknown[] = [];
  mirror.onChange((change) => changes.push(change));
  mirror.onKey('key 7', (value) => ofKey.push(value));
  await publish(new Map(records).set('key 7', -1));
  await until(() => changes.length === 1 && ofKey.length === 1, { what: 'the change' });
  t.like(changes[0], { from: 1, version: 2, added: [], changed: ['key 7'], removed: [] });
  t.deepEqual(ofKey, [-1]);
  // All of them at once: more than a snapshot lists, so that the versions are compared.
  const others = new Map(Array.from(records, ([name, value]) => [name, value + 1]));
  others.delete('key 1');
  await publish(others.set('new', 1));
  await until(() => changes.length === 2, { what: 'the large change' });
  t.deepEqual([changes[1]?.from, changes[1]?.changed.length, changes[1]?.added, changes[1]?.removed], [2, 59_999, ['new'], ['key 1']]);
  mirror.close();
});

test('a view answers from its version, and expires with its bytes', async (t) => {
  const { key, publish } = publisher<number>({ maxBytes: 2 * 1024 * 1024 });
  const mirror = bg.read.keyed<number>(key);
  await publish({ a: 1, gone: 1 });
  const view = mirror.view();
  t.is(view.version, 1);
  t.true((view.createdAt ?? 0) > 1e9);
  await publish({ a: 2 });
  t.deepEqual([view.get('a'), view.get('gone'), view.has('b'), view.size], [1, 1, false, 2]);
  t.deepEqual(
    [...view.entries()],
    [
      ['a', 1],
      ['gone', 1],
    ],
  );
  t.deepEqual(view.getMany(['a', 'b']), new Map([['a', 1]]));
  t.deepEqual([mirror.get('a'), mirror.get('gone')], [2, undefined]);
  await publish({ a: 3 });
  t.throws(() => view.get('a'), { instanceOf: ViewExpiredError, code: 'ERR_VIEW_EXPIRED', message: /^Version 1 is overwritten/ });
  t.throws(() => view.size, { instanceOf: ViewExpiredError });
  t.is(mirror.view().get('a'), 3);
});

test('the memo is bounded by count and by bytes, and the hit rate is told', async (t) => {
  const { key, publish } = publisher<{ text: string }>();
  await publish(new Map(Array.from({ length: 500 }, (_, i) => [`k${i}`, { text: 'x'.repeat(100) }])));
  for (const memo of [{ maxEntries: 64 }, { maxEntries: 10_000, maxBytes: 10_000 }, { maxEntries: 0 }, { maxBytes: 0 }] as const) {
    const mirror = bg.read.keyed<{ text: string }>(key, { memo });
    for (let round = 0; round < 3; round++) for (let i = 0; i < 500; i++) t.is(mirror.get(`k${i}`)?.text.length, 100);
    const { entries, bytes } = mirror.status().memo;
    t.true(entries <= (memo.maxEntries ?? Infinity), JSON.stringify(memo));
    t.true(bytes <= ('maxBytes' in memo ? memo.maxBytes : Infinity), JSON.stringify(memo));
    mirror.close();
  }
  const mirror = bg.read.keyed(key);
  mirror.get('absent');
  t.is(mirror.status().memo.hitRate, undefined);
  for (let i = 0; i < 4; i++) mirror.get('k1');
  t.deepEqual(mirror.status().memo, { entries: 1, bytes: mirror.status().memo.bytes, hits: 3, misses: 1, hitRate: 0.75 });
});

test('what is asked for all the time stays in a small memo, whatever the seed of the hash is', async (t) => {
  for (let seed = 0; seed < 25; seed++) {
    const { key, publish } = publisher<number>();
    await publish(new Map(Array.from({ length: 500 }, (_, i) => [`k${i}`, i])));
    const mirror = bg.read.keyed<number>(key, { memo: { maxEntries: 64 } });
    for (let i = 0; i < 500; i++) mirror.get(`k${i}`);
    for (let round = 0; round < 20; round++) for (let i = 0; i < 10; i++) mirror.get(`k${i}`);
    const before = mirror.status().decodes;
    for (let i = 0; i < 10; i++) mirror.get(`k${i}`);
    t.is(mirror.status().decodes, before);
    mirror.close();
  }
});

test('frozen to its depth, unless freeze is false', async (t) => {
  const { key, publish } = publisher<{ list: { n: number }[] }>();
  await publish({ a: { list: [{ n: 1 }] } });
  const frozen = bg.read.keyed<{ list: { n: number }[] }>(key).get('a');
  t.throws(() => frozen?.list.push({ n: 2 }), { instanceOf: TypeError });
  t.true(Object.isFrozen(frozen?.list[0]));
  const open = bg.read.keyed<{ list: { n: number }[] }>(key, { freeze: false }).get('a');
  open?.list.push({ n: 2 });
  t.is(open?.list.length, 2);
});

test('any serializer for the values', async (t) => {
  for (const serializer of ['json', 'v8', 'msgpack'] as const) {
    const { key, publish } = publisher<unknown>({ serializer });
    const many = Object.fromEntries(
      Array.from({ length: 3 }, (_, i) => [`bytes ${i}`, serializer === 'json' ? [i] : new Uint8Array(50).fill(i)]),
    );
    const value = serializer === 'json' ? { a: [1, 'ä'] } : { a: new Uint8Array([1, 2, 3]), b: 'ä'.repeat(70_000) };
    await publish({ short: 1, value, ...many });
    const mirror = bg.read.keyed(key);
    t.deepEqual(mirror.get('value'), value, serializer);
    t.is(mirror.get('short'), 1);
    // Other lookups leave a value alone: it is no view of memory that is used again.
    for (let i = 0; i < 3; i++) mirror.get(`bytes ${i}`);
    const bytes = (mirror.get('value') as { a?: Uint8Array }).a;
    if (bytes instanceof Uint8Array) t.true(bytes.buffer instanceof ArrayBuffer);
    t.deepEqual(mirror.get('value'), value);
    for (const [name, one] of Object.entries(many)) t.deepEqual([...(mirror.get(name) as Uint8Array)], [...one]);
  }
  const own = {
    name: 'half',
    dumps: (value: unknown) => new Uint8Array([(value as number) / 2]),
    loads: ([half]: Uint8Array) => (half ?? 0) * 2,
  };
  const { key, publish } = publisher<number>({ serializer: own });
  await publish({ a: 10, b: 20 });
  t.is(bg.read.keyed(key, { serializer: own }).get('b'), 20);
  const { errors, onError } = collect();
  t.is(bg.read.keyed(key, { onError }).get('b'), undefined);
  t.regex(errors[0]?.message ?? '', /custom format: pass its `serializer`/);
});

test('the writer, `previous` and `validate` see lookups', async (t) => {
  const key = newKey();
  const seen: (number | undefined)[] = [];
  const writer = bg.write<number>(
    3600,
    {
      key,
      keyed: true,
      runImmediately: false,
      ref: false,
      onError: () => {},
      validate: (next, previous) => next.size >= (previous?.size ?? 0) / 2 && !next.has('bad') && [...next.entries()].length === next.size,
    },
    ({ previous }) => {
      const count = previous?.get('count');
      seen.push(count);
      const records: Record<string, number> = { count: (count ?? 0) + 1 };
      if (count === 1) for (let i = 0; i < 9; i++) records[`r${i}`] = i;
      if (count === 2 && seen.length < 5) records['bad'] = 1;
      return records;
    },
  );
  t.is(writer(), undefined);
  await writer.refresh();
  t.is(writer()?.get('count'), 1);
  await writer.refresh();
  t.is(writer()?.size, 10);
  for (const why of ['bad', 'bad', 'too few']) await t.throwsAsync(writer.refresh(), { instanceOf: ValidationError }, why);
  t.is((await writer.ready()).size, 10);
  t.deepEqual(seen, [undefined, 1, 2, 2, 2]);
  t.is(writer.status().version, 2);
});

test('a snapshot past maxBytes is refused while it is built', async (t) => {
  const { key, publish } = publisher<string>({ maxBytes: 10_000 });
  await publish({ a: 'x' });
  let taken = 0;
  function* endless(): Generator<[string, string]> {
    for (;;) yield [`k${taken++}`, 'x'.repeat(100)];
  }
  await t.throwsAsync(publish(endless()), { instanceOf: SnapshotTooLargeError, message: /at most 10000 bytes.*maxBytes/ });
  t.true(taken < 100);
  t.is(bg.read.keyed(key).get('a'), 'x');
});

test('a loader that outlasts its timeout while it streams is aborted, and its records are dropped', async (t) => {
  const { key, writer, publish } = publisher<number>({ timeout: '2s' });
  await publish({ a: 1 });
  const gate = deferred<void>();
  let returned = false;
  async function* slow(): AsyncGenerator<[string, number]> {
    try {
      yield ['a', 2];
      await gate.promise;
      yield ['b', 2];
      yield ['c', 2];
    } finally {
      returned = true;
    }
  }
  // A timeout keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  await t.throwsAsync(publish(slow()), { instanceOf: TimeoutError });
  clearInterval(alive);
  await publish({ a: 3 });
  gate.resolve();
  await until(() => returned, { what: 'the end of the stream' });
  const mirror = bg.read.keyed<number>(key);
  t.deepEqual([...mirror.entries()], [['a', 3]]);
  t.is(writer.status().version, 2);
});

test('a key has one kind: what reads the other one is told so', async (t) => {
  const keyed = publisher<number>();
  await keyed.publish({ a: 1 });
  const { errors, onError } = collect();
  const plain = bg.read(keyed.key, { onError });
  t.is(plain(), undefined);
  t.true(errors[0] instanceof WireFormatError);
  t.regex(errors[0]?.message ?? '', /written with `keyed: true`: read it with bg\.read\.keyed/);
  t.is(plain.status().lastError?.code, 'ERR_WIRE_FORMAT');
  const key = newKey();
  const writer = bg.write(3600, { key, ref: false }, () => ({ a: 1 }));
  await writer.ready();
  const other = collect();
  const mirror = bg.read.keyed(key, { onError: other.onError });
  t.deepEqual([mirror.get('a'), mirror.size, mirror.has('a')], [undefined, 0, false]);
  t.regex(other.errors[0]?.message ?? '', /not written with `keyed: true`: read it with bg\.read/);
  t.is(other.errors.length, 1, 'told once');
  t.like(mirror.status(), { refused: 1, state: 'initializing' });
  await writer.stop();
});

test('onStale decides past the ttl', async (t) => {
  const { key, publish } = publisher<number>();
  await publish({ a: 1 });
  const none = bg.read.keyed<number>(key, { ttl: 0 });
  const throwing = bg.read.keyed<number>(key, { ttl: 0, onStale: 'throw' });
  const serving = bg.read.keyed<number>(key, { ttl: 0, onStale: 'serve' });
  const lasting = bg.read.keyed<number>(key, { ttl: 1000 });
  await until(() => serving.isStale, { what: 'a moment' });
  t.deepEqual(
    [none.get('a'), none.has('a'), none.size, [...none.keys()], [...none.entries()], none.getMany(['a']).size],
    [undefined, false, 0, [], [], 0],
  );
  t.is(none.view().size, 0);
  for (const look of [() => throwing.get('a'), () => throwing.has('a'), () => throwing.size, () => throwing.keys(), () => throwing.view()])
    t.throws(look, { instanceOf: StaleError });
  t.is(serving.get('a'), 1);
  t.deepEqual(
    [lasting.get('a'), lasting.has('a'), lasting.size, [...lasting.entries()], lasting.view().get('a')],
    [1, true, 1, [['a', 1]], 1],
  );
});

test('ready, close and dispose', async (t) => {
  const { key, writer, publish } = publisher<number>();
  const mirror = bg.read.keyed<number>(key);
  await t.throwsAsync(mirror.ready('10ms'), { instanceOf: TimeoutError });
  const ready = mirror.ready(10);
  await publish({ a: 1 });
  t.is((await ready).get('a'), 1);
  t.is(await mirror.ready(), mirror);
  const closing = bg.read.keyed(newKey());
  const never = closing.ready(10);
  closing[Symbol.dispose]();
  await t.throwsAsync(never, { instanceOf: MirrorClosedError });
  const changes: KeyedChange[] = [];
  mirror.onChange((change) => changes.push(change));
  t.true(bg.status().mirrors.some((status) => status.key === key && 'records' in status));
  t.true(health().live);
  mirror.close();
  mirror.close();
  t.false(bg.status().mirrors.some((status) => status.key === key && 'records' in status));
  t.throws(() => mirror.onChange(() => {}), { instanceOf: MirrorClosedError });
  t.throws(() => mirror.onKey('a', () => {}), { instanceOf: MirrorClosedError });
  t.is(mirror.get('a'), 1, 'lookups go on');
  t.is(mirror.status().state, 'closed');
  await publish({ a: 2 });
  t.deepEqual(changes, []);
  await writer.stop();
});

test('wrong options throw where they are given', (t) => {
  const key = newKey();
  const wrong: [object, RegExp][] = [
    [{ memo: { maxEntries: -1 } }, /Expected `memo.maxEntries` to be a whole number of 0 or more, got -1/],
    [{ memo: { maxBytes: 1.5 } }, /memo.maxBytes/],
    [{ memo: { max: 1 } }, /among maxEntries, maxBytes, got 'max'/],
    [{ memo: 5 }, /an object/],
    [{ store: new InMemCache() }, /`store` to be a RedisCache/],
    [{ onStale: 'never' }, /onStale/],
    [{ maxBytes: 0 }, /maxBytes/],
  ];
  for (const [options, message] of wrong)
    t.throws(() => bg.read.keyed(key, options as KeyedReadOptions), { message }, JSON.stringify(options));
  t.throws(() => bg.read.keyed('a {b}'), { instanceOf: TypeError });
  const write = (options: object) => () => bg.write(60, { key, ...options } as never, () => ({}));
  t.throws(write({ keyed: 'yes' }), { instanceOf: TypeError, message: /Expected `keyed` to be a boolean/ });
  t.throws(write({ keyed: true, store: new InMemCache() }), {
    instanceOf: TypeError,
    message: /`store` to be absent where `keyed` is true/,
  });
});

test('a writer with an interval goes on publishing, and a thousand records stay themselves', async (t) => {
  const key = newKey();
  let round = 0;
  const writer = bg.write(0.005, { key, keyed: true, ref: false }, async () => {
    round++;
    return new Map(Array.from({ length: 1000 }, (_, i) => [`k${i}`, { i, round: i % 10 === 0 ? round : 0 }]));
  });
  const mirror = bg.read.keyed<{ i: number; round: number }>(key);
  await mirror.ready();
  const one = mirror.get('k1');
  const ten = mirror.get('k10');
  await reaches(mirror, 10);
  t.is(mirror.get('k1'), one);
  t.not(mirror.get('k10'), ten);
  await writer.stop();
});
