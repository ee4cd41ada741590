import test from 'ava';
import {
  bg,
  type Change,
  health,
  InMemCache,
  InMemoryMetrics,
  MirrorClosedError,
  type ReadOptions,
  SnapshotTooLargeError,
  StaleError,
  TimeoutError,
} from '../../dist/index.js';
import { until } from '../support/process.js';
import { collect, deferred, endAfterwards, newKey, warningsOf } from './support.js';

endAfterwards();

/** A writer that publishes what it is told. */
function publisher<T>(options: { ttl?: number } = {}) {
  const key = newKey();
  let next: T;
  const writer = bg.write<T>(3600, { key, runImmediately: false, ref: false, ...options }, () => next);
  const publish = async (value: T): Promise<void> => {
    next = value;
    await writer.refresh();
  };
  return { key, writer, publish };
}

test('undefined before the first snapshot; then the value, the same object until the next', async (t) => {
  const { key, writer, publish } = publisher<{ rate: number }>();
  const mirror = bg.read<{ rate: number }>(key);
  t.is(mirror(), undefined);
  t.deepEqual([mirror.key, mirror.version, mirror.createdAt, mirror.age, mirror.isStale], [key, 0, undefined, undefined, false]);
  t.like(mirror.status(), { state: 'initializing', via: undefined, epoch: 0 });
  const before = Date.now() / 1000;
  await publish({ rate: 1 });
  const first = mirror();
  t.deepEqual(first, { rate: 1 });
  t.is(mirror(), first);
  t.is(mirror.version, 1);
  t.true((mirror.createdAt ?? 0) >= before - 0.01 && (mirror.createdAt ?? Infinity) <= Date.now() / 1000 + 0.01);
  t.true((mirror.age ?? -1) >= 0 && (mirror.age ?? 99) < 60);
  await publish({ rate: 2 });
  t.deepEqual(mirror(), { rate: 2 });
  t.is(mirror.version, 2);
  t.like(mirror.status(), { state: 'live', via: 'process', version: 2, decodes: 2, refused: 0, regressed: 0 });
  await writer.stop();
});

test('the mirror may be there before the writer, in the same thread', async (t) => {
  const key = newKey();
  const mirror = bg.read(key);
  const ready = mirror.ready(10);
  const changes: unknown[] = [];
  mirror.onChange((value) => changes.push(value));
  const writer = bg.write(3600, { key, ref: false }, () => 'here');
  t.is(await ready, 'here');
  await until(() => changes.length > 0, { what: 'the change' });
  t.deepEqual(changes, ['here']);
  await writer.stop();
});

test('frozen to its depth, unless freeze is false', async (t) => {
  const { key, writer, publish } = publisher<{ list: { deep: number }[] }>();
  await publish({ list: [{ deep: 1 }] });
  const frozen = bg.read<{ list: { deep: number }[] }>(key);
  t.throws(() => ((frozen()?.list[0] ?? { deep: 0 }).deep = 2), { instanceOf: TypeError });
  t.throws(() => frozen()?.list.push({ deep: 3 }), { instanceOf: TypeError });
  const loose = bg.read<{ list: { deep: number }[] }>(key, { freeze: false });
  loose()?.list.push({ deep: 3 });
  t.is(loose()?.list.length, 2);
  t.is(frozen()?.list.length, 1, 'mirrors share nothing');
  t.is(bg.read<{ list: unknown[] }>(key)()?.list.length, 1);
  await writer.stop();
});

test('ready: at once, later, never, and a close meanwhile', async (t) => {
  const { key, writer, publish } = publisher<number>();
  const mirror = bg.read<number>(key);
  await t.throwsAsync(mirror.ready('20ms'), { instanceOf: TimeoutError, message: /within 0.02 s/ });
  t.throws(() => void mirror.ready(-1), { instanceOf: RangeError });
  const many = Array.from({ length: 100 }, () => mirror.ready());
  await publish(7);
  t.deepEqual(new Set(await Promise.all(many)), new Set([7]));
  t.is(await mirror.ready(0), 7);
  const other = bg.read(newKey());
  const waits = other.ready();
  other.close();
  await t.throwsAsync(waits, { instanceOf: MirrorClosedError });
  await t.throwsAsync(other.ready(), { instanceOf: MirrorClosedError });
  await writer.stop();
});

test('ready resolves with null and with other values that are falsy', async (t) => {
  for (const value of [null, 0, false, '']) {
    const { key, writer, publish } = publisher<unknown>();
    const ready = bg.read(key).ready(10);
    await publish(value);
    t.is(await ready, value);
    await writer.stop();
  }
});

test('without ttl the last value is served for ever', async (t) => {
  const { key, writer, publish } = publisher<string>({ ttl: 0.01 });
  const mirror = bg.read(key);
  await publish('old');
  await until(() => mirror.isStale, { what: 'the writer’s ttl' });
  t.is(mirror(), 'old');
  await publish('new');
  t.is(mirror(), 'new');
  await writer.stop();
  t.is(mirror(), 'new');
});

for (const onStale of [undefined, 'undefined', 'throw', 'serve'] as const) {
  test(`a value older than ttl, with onStale ${onStale ?? 'left out'}`, async (t) => {
    const { key, writer, publish } = publisher<string>();
    const mirror = bg.read<string>(key, { ttl: '300ms', ...(onStale ? { onStale } : {}) } as ReadOptions);
    t.is(mirror(), undefined, 'no value yet is not a stale one');
    await publish('value');
    t.is(mirror(), 'value');
    t.false(mirror.isStale);
    await until(() => mirror.isStale, { what: 'its age' });
    t.true((mirror.age ?? 0) >= 0.3);
    if (onStale === 'serve') t.is(mirror(), 'value');
    else if (onStale === 'throw')
      t.throws(() => mirror(), { instanceOf: StaleError, code: 'ERR_STALE', message: /older than its `ttl` of 0.3 s/ });
    else t.is(mirror(), undefined);
    t.true(mirror.status().isStale);
    await publish('fresh');
    t.is(mirror(), 'fresh');
    t.false(mirror.isStale);
    await writer.stop();
  });
}

test('onChange: the newest value after each change, until it is off', async (t) => {
  const { key, writer, publish } = publisher<number>();
  await publish(1);
  const mirror = bg.read<number>(key);
  const seen: [number, Change][] = [];
  const off = mirror.onChange((value, change) => seen.push([value, change]));
  for (let value = 2; value <= 4; value++) {
    await publish(value);
    await until(() => seen.at(-1)?.[0] === value, { what: `the change to ${value}` });
  }
  t.deepEqual(
    seen.map(([value]) => value),
    [2, 3, 4],
    'not of the value that was there',
  );
  t.deepEqual(
    seen.map(([, { version }]) => version),
    [2, 3, 4],
  );
  t.true(seen.every(([, { epoch, createdAt }]) => epoch > 0 && createdAt > 1.7e9));
  off();
  off();
  await publish(5);
  const marks: number[] = [];
  const again = mirror.onChange((value) => marks.push(value));
  await publish(6);
  await until(() => marks.length > 0, { what: 'the second listener' });
  t.deepEqual(marks, [6]);
  t.is(seen.length, 3);
  again();
  t.throws(() => mirror.onChange(5 as never), { instanceOf: TypeError, message: /`listener` to be a function, got 5/ });
  await writer.stop();
});

test('a burst of publishes: the last one is told, none twice, versions only rise', async (t) => {
  const { key, writer, publish } = publisher<number>();
  const mirror = bg.read<number>(key);
  const seen: number[] = [];
  mirror.onChange((value, { version }) => {
    t.is(value, version);
    seen.push(version);
  });
  for (let value = 1; value <= 2000; value++) await publish(value);
  await until(() => seen.at(-1) === 2000, { what: 'the last version' });
  t.true(seen.every((version, index) => index === 0 || version > (seen[index - 1] ?? 0)));
  await writer.stop();
});

test.serial('a listener that throws hurts no other, and is reported', async (t) => {
  const { key, writer, publish } = publisher<number>();
  const { errors, onError } = collect();
  const told: number[] = [];
  const mirror = bg.read<number>(key, { onError });
  mirror.onChange(() => {
    throw new Error('from a listener');
  });
  mirror.onChange((value) => told.push(value));
  await publish(1);
  await until(() => told.length > 0, { what: 'the other listener' });
  t.deepEqual(
    errors.map(({ message }) => message),
    ['from a listener'],
  );
  mirror.close();

  const loud = bg.read<number>(key, {
    onError: () => {
      throw new Error('from onError');
    },
  });
  const warnings = await warningsOf(async () => {
    const heard = deferred<void>();
    loud.onChange(() => {
      heard.resolve();
      throw new Error('from a listener');
    });
    await publish(2);
    await heard.promise;
  });
  t.is(warnings.length, 2);
  await writer.stop();
});

test('listeners may take themselves and others away while they are told', async (t) => {
  const { key, writer, publish } = publisher<number>();
  const mirror = bg.read<number>(key);
  const told: string[] = [];
  const off = mirror.onChange(() => {
    told.push('a');
    off();
  });
  mirror.onChange((value) => told.push(`b${value}`));
  await publish(1);
  await until(() => told.includes('b1'), { what: 'the first' });
  await publish(2);
  await until(() => told.includes('b2'), { what: 'the second' });
  t.deepEqual(told, ['a', 'b1', 'b2']);
  await writer.stop();
});

test('close: reads go on, nothing else; idempotent; using', async (t) => {
  const { key, writer, publish } = publisher<string>();
  const mirror = bg.read<string>(key);
  const told: string[] = [];
  mirror.onChange((value) => told.push(value));
  await publish('one');
  await until(() => told.length === 1, { what: 'the change' });
  mirror.close();
  mirror.close();
  await publish('two');
  t.is(mirror(), 'one');
  t.is(mirror.version, 1);
  t.is(mirror.status().state, 'closed');
  t.deepEqual(told, ['one']);
  t.throws(() => mirror.onChange(() => {}), { instanceOf: MirrorClosedError });
  let inside: unknown;
  {
    using scoped = bg.read<string>(key);
    t.is(scoped(), 'two');
    inside = scoped;
  }
  t.is((inside as typeof mirror).status().state, 'closed');
  t.false(bg.status().mirrors.some((it) => it.key === key));
  await writer.stop();
});

test('mirrors of one key are independent', async (t) => {
  const { key, writer, publish } = publisher<{ n: number }>();
  const a = bg.read<{ n: number }>(key);
  const b = bg.read<{ n: number }>(key);
  await publish({ n: 1 });
  t.not(a(), b());
  t.deepEqual(a(), b());
  a.close();
  await publish({ n: 2 });
  t.deepEqual([a()?.n, b()?.n], [1, 2]);
  await writer.stop();
});

test('store: a private one, with the value', async (t) => {
  const { key, writer, publish } = publisher<string>();
  const mirror = bg.read<string>(key);
  t.is(mirror.store.get(key), undefined);
  await publish('one');
  t.is(mirror.store.get(key), 'one');
  t.not(bg.read(key).store, mirror.store);
  await publish('two');
  t.is(mirror.store.get(key), 'two');
  await writer.stop();
});

test('maxBytes refuses what is larger, once, and the value before stays', async (t) => {
  const { key, writer, publish } = publisher<string>();
  const { errors, onError } = collect();
  const mirror = bg.read<string>(key, { maxBytes: 20, onError });
  await publish('short');
  t.is(mirror(), 'short');
  await publish('x'.repeat(30));
  for (let times = 0; times < 5; times++) t.is(mirror(), 'short');
  t.is(errors.length, 1);
  t.true(errors[0] instanceof SnapshotTooLargeError);
  t.like(mirror.status(), { refused: 1, version: 1 });
  t.is(mirror.status().lastError?.code, 'ERR_SNAPSHOT_TOO_LARGE');
  await publish('short again');
  t.is(mirror(), 'short again');
  await writer.stop();
});

test('a store is polled, and answered from memory', async (t) => {
  const store = new InMemCache();
  const key = newKey();
  const metrics = new InMemoryMetrics();
  const mirror = bg.read<{ n: number }>(key, { store, interval: '10ms', metrics });
  t.is(mirror(), undefined);
  const now = Date.now() / 1000;
  store.setEntry(key, { value: { n: 1 }, createdAt: now, freshUntil: now + 0.2 }, 3600);
  t.deepEqual(await mirror.ready(10), { n: 1 });
  const first = mirror();
  t.throws(() => ((first as { n: number }).n = 2), { instanceOf: TypeError });
  await until(() => mirror.isStale, { what: 'the entry’s end' });
  t.is(mirror(), first, 'the last good value, the same object');
  const seen: number[] = [];
  mirror.onChange(({ n }) => seen.push(n));
  store.set(key, { n: 2 }, 60);
  await until(() => seen.length > 0, { what: 'the change' });
  t.deepEqual(seen, [2]);
  t.like(mirror.status(), { state: 'live', via: 'store', version: 2, isStale: false });
  store.delete(key);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.deepEqual(mirror(), { n: 2 }, 'a store that lost it changes nothing');
  mirror.close();
  mirror.close();
});

test('a store that fails: the value stays, the age grows, the error is reported, and it recovers', async (t) => {
  const store = new InMemCache();
  const key = newKey();
  const { errors, onError } = collect();
  store.set(key, 'good', 60);
  const mirror = bg.read<string>(key, { store, interval: '20ms', onError });
  await mirror.ready(10);
  const { getEntry } = store;
  store.getEntry = () => {
    throw new Error('down');
  };
  await until(() => errors.length >= 2, { what: 'two failed polls' });
  t.is(mirror(), 'good');
  t.is(mirror.status().state, 'interrupted');
  t.true(mirror.status().consecutiveFailures >= 2);
  t.like(mirror.status().lastError, { message: 'down' });
  store.getEntry = getEntry;
  await until(() => mirror.status().state === 'live', { what: 'the recovery' });
  mirror.close();
});

test('a store without runImmediately, and with interval 0', async (t) => {
  const store = new InMemCache();
  const key = newKey();
  store.set(key, 'there', 60);
  const later = bg.read(key, { store, interval: '30ms', runImmediately: false });
  t.is(later(), undefined);
  t.is(later.status().state, 'initializing');
  t.is(await later.ready(10), 'there');
  const once = bg.read(key, { store, interval: 0 });
  t.is(await once.ready(10), 'there');
  later.close();
  once.close();
});

test.serial('bg.status() and health() are plain data of every writer and mirror', async (t) => {
  const { key, writer, publish } = publisher<number>();
  const mirror = bg.read(key);
  const flags = bg(60, { key: `${key} flags`, runImmediately: false }, () => 1);
  t.false(health().ready);
  t.true(health().live);
  await publish(1);
  mirror();
  flags();
  const status = bg.status();
  t.deepEqual(JSON.parse(JSON.stringify(status)), JSON.parse(JSON.stringify(structuredClone(status))));
  t.like(
    status.writers.find((it) => it.key === key),
    { version: 1, state: 'live' },
  );
  t.like(
    status.writers.find((it) => it.key === flags.key),
    { version: 1, state: 'live' },
  );
  t.like(
    status.mirrors.find((it) => it.key === key),
    { version: 1, state: 'live' },
  );
  const { writers, mirrors } = health();
  t.is(writers.length, status.writers.length);
  t.is(mirrors.length, status.mirrors.length);
  await flags.stop();
  await writer.stop();
  mirror.close();
});
