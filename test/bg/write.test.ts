import { Piscina } from 'piscina';
import test from 'ava';
import {
  bg,
  DuplicateWriterError,
  InMemCache,
  InMemoryMetrics,
  type Loader,
  piscinaLoader,
  SerializationError,
  SnapshotTooLargeError,
  StoppedError,
  TimeoutError,
  ValidationError,
  type WriteOptions,
} from '../../dist/index.js';
import { until } from '../support/process.js';
import { collect, deferred, endAfterwards, fixture, newKey, reaches, warningsOf } from './support.js';

endAfterwards();

/** A writer that runs only when told. */
function idle<T>(loader: Loader<T>, options: Partial<Omit<WriteOptions<T>, 'loader'>> = {}) {
  const { errors, onError } = collect();
  const key = newKey();
  const writer = bg.write<T>(3600, { key, runImmediately: false, onError, ref: false, ...options }, loader);
  return { key, writer, errors };
}

test('the returned function gives the current value', async (t) => {
  let runs = 0;
  const { key, writer } = idle(async () => ({ rate: ++runs }));
  t.is(writer(), undefined);
  t.like(writer.status(), { key, version: 0, state: 'initializing', scope: 'process', createdAt: undefined, age: undefined });
  await writer.refresh();
  t.deepEqual(writer(), { rate: 1 });
  t.is(writer(), writer());
  await writer.refresh();
  t.deepEqual(writer(), { rate: 2 });
  const status = writer.status();
  t.like(status, { version: 2, state: 'live', refreshes: 2, failures: 0 });
  t.true((status.age ?? -1) >= 0);
  t.true((status.nextAt ?? 0) > Date.now() / 1000 + 3000);
  await writer.stop();
  await writer.stop();
  t.is(writer.status().state, 'closed');
  t.deepEqual(writer(), { rate: 2 });
  await t.throwsAsync(writer.refresh(), { instanceOf: StoppedError });
});

test('all three ways to give the loader', async (t) => {
  const a = bg.write(60, { key: newKey() })(async () => 'curried');
  const b = bg.write(60, { key: newKey() }, () => 'third argument');
  const c = bg.write(60, { key: newKey(), loader: () => 'an option' });
  t.is(await a.ready(), 'curried');
  t.is(await b.ready(), 'third argument');
  t.is(await c.ready(), 'an option');
  for (const writer of [a, b, c]) await writer.stop();
});

test('the loader gets the signal and the previous value', async (t) => {
  const seen: unknown[] = [];
  const { writer } = idle<number>(({ signal, previous }) => {
    seen.push(signal.aborted, previous);
    return seen.length;
  });
  await writer.refresh();
  await writer.refresh();
  t.deepEqual(seen, [false, undefined, false, 2]);
  await writer.stop();
});

test('a loader that hangs is ended by its timeout, its signal aborted, and the next one runs', async (t) => {
  let given: AbortSignal | undefined;
  let hangs = true;
  const { writer, errors } = idle<string>(
    ({ signal }) => {
      given = signal;
      return hangs ? new Promise(() => {}) : 'good';
    },
    { timeout: '400ms' },
  );
  await t.throwsAsync(writer.refresh(), { instanceOf: TimeoutError });
  t.true(given?.aborted);
  t.true(given?.reason instanceof TimeoutError);
  t.like(writer.status(), { state: 'initializing', failures: 1, consecutiveFailures: 1 });
  t.is(errors.length, 1);
  hangs = false;
  await writer.refresh();
  t.is(writer(), 'good');
  t.like(writer.status(), { state: 'live', failures: 1, consecutiveFailures: 0 });
  await writer.stop();
});

test('a validate that hangs is ended by the timeout too', async (t) => {
  let hangs = false;
  const { writer } = idle(() => 'value', { timeout: '400ms', validate: () => (hangs ? new Promise<boolean>(() => {}) : true) });
  await writer.refresh();
  hangs = true;
  await t.throwsAsync(writer.refresh(), { instanceOf: TimeoutError });
  hangs = false;
  await writer.refresh();
  t.like(writer.status(), { refreshes: 2, failures: 1, consecutiveFailures: 0 });
  await writer.stop();
});

test('what comes after the timeout is dropped', async (t) => {
  const gate = deferred<string>();
  const { writer } = idle(() => gate.promise, { timeout: '20ms' });
  await t.throwsAsync(writer.refresh(), { instanceOf: TimeoutError });
  gate.resolve('too late');
  await new Promise((resolve) => setImmediate(resolve));
  t.is(writer(), undefined);
  await writer.stop();
});

const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;
const secret = 'a canary that no message may hold';

for (const [what, bad, error] of [
  ['throws', () => Promise.reject(new RangeError('down')), RangeError],
  [
    'throws before it gives a Promise',
    () => {
      throw new RangeError('down');
    },
    RangeError,
  ],
  ['returns undefined', () => undefined, ValidationError],
  ['returns a function', () => () => secret, SerializationError],
  ['returns a bigint', () => ({ [secret]: 5n }), SerializationError],
  ['returns a cycle', () => cycle, SerializationError],
  ['returns a symbol', () => Symbol(secret), SerializationError],
  ['returns what is too large', () => secret.repeat(1000), SnapshotTooLargeError],
] as const) {
  test(`a loader that ${what}: the old version stays, the error is reported once`, async (t) => {
    let next: () => unknown = () => ({ good: true });
    const { writer, errors, key } = idle<unknown>(() => next(), { maxBytes: 10_000 });
    const mirror = bg.read(key);
    await writer.refresh();
    const before = mirror();
    next = bad as () => unknown;
    const thrown = await t.throwsAsync(writer.refresh(), { instanceOf: error });
    t.notRegex(`${thrown?.message} ${JSON.stringify(writer.status())}`, new RegExp(secret));
    t.is(errors.length, 1);
    t.is(errors[0], thrown);
    t.is(mirror(), before);
    t.is(mirror.version, 1);
    t.like(writer.status(), { version: 1, state: 'interrupted', consecutiveFailures: 1 });
    t.like(mirror.status(), { state: 'interrupted', consecutiveFailures: 1 });
    next = () => 'good again';
    await writer.refresh();
    t.is(mirror(), 'good again');
    t.like(mirror.status(), { state: 'live', consecutiveFailures: 0, version: 2 });
    mirror.close();
    await writer.stop();
  });
}

test('null, 0, false and the empty string are published', async (t) => {
  let value: unknown;
  const { writer, key } = idle<unknown>(() => value);
  const mirror = bg.read(key);
  for (value of [null, 0, false, '']) {
    await writer.refresh();
    t.is(mirror(), value);
  }
  t.is(mirror.version, 4);
  mirror.close();
  await writer.stop();
});

test('a failing writer without a value stays initializing', async (t) => {
  const { writer, key } = idle(() => Promise.reject(new Error('down')));
  const mirror = bg.read(key);
  await t.throwsAsync(writer.refresh());
  t.is(writer.status().state, 'initializing');
  t.is(mirror.status().state, 'initializing');
  mirror.close();
  await writer.stop();
});

test.serial('the default onError is a warning, one that throws is contained', async (t) => {
  const warnings = await warningsOf(async () => {
    const down = (): never => {
      throw new Error('down');
    };
    const plain = bg.write(3600, { key: 'warned of', runImmediately: false }, down);
    await t.throwsAsync(plain.refresh());
    await plain.stop();
    const throwing = bg.write(3600, { key: newKey(), runImmediately: false, onError: down }, down);
    await t.throwsAsync(throwing.refresh());
    await throwing.stop();
  });
  t.is(warnings.length, 3);
  t.regex(warnings[0]?.message ?? '', /the writer of 'warned of': Error: down/);
});

test('validate: true, undefined and their Promises accept; false and errors refuse', async (t) => {
  let verdict: () => unknown = () => true;
  const { writer, errors } = idle<number>(() => 1, { validate: () => verdict() as boolean });
  for (verdict of [() => true, () => undefined, async () => true, async () => {}]) await writer.refresh();
  t.is(writer.status().refreshes, 4);
  for (verdict of [() => false, async () => false]) await t.throwsAsync(writer.refresh(), { instanceOf: ValidationError });
  verdict = () => {
    throw new Error('no good');
  };
  await t.throwsAsync(writer.refresh(), { message: 'no good' });
  verdict = () => Promise.reject(new Error('no good either'));
  await t.throwsAsync(writer.refresh(), { message: 'no good either' });
  t.is(writer.status().refreshes, 4);
  t.is(errors.length, 4);
  await writer.stop();
});

test('validate gets the value that readers see as the previous one, even when the loader gives one object again and again', async (t) => {
  const list: number[] = [];
  const seen: [number, number | undefined][] = [];
  const { writer } = idle<number[]>(
    () => {
      list.push(0);
      return list;
    },
    {
      validate(next, previous) {
        seen.push([next.length, previous?.length]);
        return next.length > (previous?.length ?? 0);
      },
    },
  );
  for (let round = 0; round < 3; round++) await writer.refresh();
  t.deepEqual(seen, [
    [1, undefined],
    [2, 1],
    [3, 2],
  ]);
  await writer.stop();
});

test('maxBytes is exact', async (t) => {
  let text = 'x'.repeat(98);
  const { writer, key } = idle(() => text, { maxBytes: 100 });
  const mirror = bg.read<string>(key);
  await writer.refresh();
  t.is(mirror(), text);
  text = 'y'.repeat(99);
  await t.throwsAsync(writer.refresh(), { instanceOf: SnapshotTooLargeError, message: /at most 100 bytes, got 101/ });
  t.is(mirror(), 'x'.repeat(98));
  mirror.close();
  await writer.stop();
});

test('a value larger than the default 64 MiB is refused', async (t) => {
  const huge = Buffer.alloc(64 * 1024 * 1024 + 1);
  let value = Buffer.from('small');
  const { writer } = idle<Buffer>(() => value, {
    serializer: { name: 'raw', dumps: (it) => it as Buffer, loads: (bytes) => Buffer.from(bytes) },
  });
  await writer.refresh();
  value = huge;
  await t.throwsAsync(writer.refresh(), { instanceOf: SnapshotTooLargeError });
  t.deepEqual(writer(), Buffer.from('small'));
  await writer.stop();
});

test('a second registration of a key is refused, until the first has stopped', async (t) => {
  const { writer, key } = idle(() => 'first');
  await writer.refresh();
  const again = (): unknown => bg.write(60, { key, ref: false }, () => 'second');
  t.throws(again, { instanceOf: DuplicateWriterError, code: 'ERR_DUPLICATE_WRITER' });
  t.throws(() => bg.write(60, { key, loader: fixture('loaders.js') }), { instanceOf: DuplicateWriterError });
  const mirror = bg.read(key);
  t.is(mirror(), 'first');
  const epoch = writer.status().epoch;
  await writer.stop();
  t.is(mirror.status().state, 'closed');
  const second = bg.write(60, { key, ref: false }, () => 'second');
  await reaches(second, 2);
  t.is(mirror(), 'second');
  t.is(mirror.version, 2);
  t.true(second.status().epoch > epoch);
  await second.stop();
  // With more room than its ring has: readers follow to another one.
  const third = bg.write(60, { key, ref: false, maxBytes: 100_000_000 }, () => 'third');
  await until(() => mirror() === 'third', { what: 'the third writer' });
  t.is(mirror.version, 3);
  mirror.close();
  await third.stop();
});

test('a store is kept in step', async (t) => {
  const store = new InMemCache();
  const metrics = new InMemoryMetrics();
  let value = 1;
  const { writer, key, errors } = idle(() => ({ value }), { store, metrics, name: 'rates', ttl: 7 });
  await writer.refresh();
  value = 2;
  await writer.refresh();
  t.deepEqual(store.get(key), { value: 2 });
  const entry = store.getEntry(key);
  t.is(Math.round((entry?.freshUntil ?? 0) - (entry?.createdAt ?? 0)), 7);
  t.is(writer.status().name, 'rates');
  store.setEntry = () => {
    throw new Error('full');
  };
  await writer.refresh();
  t.deepEqual(
    errors.map(({ message }) => message),
    ['full'],
  );
  t.like(writer.status(), { state: 'live', refreshes: 3, failures: 0 });
  await writer.stop();
});

/** A store that keeps an entry when it is told to. */
function slowStore() {
  const store = new InMemCache();
  const setEntry = store.setEntry.bind(store);
  const gates: { value: unknown; open: ReturnType<typeof deferred<boolean>> }[] = [];
  store.setEntry = (async (key: string, entry: Parameters<typeof setEntry>[1]) => {
    const open = deferred<boolean>();
    gates.push({ value: entry.value, open });
    if (!(await open.promise)) throw new Error('not now');
    setEntry(key, entry);
  }) as unknown as typeof setEntry;
  return { store, gates };
}

test('a slow store gets one value at a time, of several only the newest, and stop waits for it', async (t) => {
  const { store, gates } = slowStore();
  let value = 0;
  const { writer, key } = idle(() => ++value, { store });
  await writer.refresh();
  await writer.refresh();
  await writer.refresh();
  t.deepEqual(
    gates.map((gate) => gate.value),
    [1],
  );
  gates[0]?.open.resolve(true);
  await until(() => gates.length === 2, { what: 'the next value' });
  t.is(store.get(key), 1);
  const stopped = writer.stop();
  gates[1]?.open.resolve(true);
  await stopped;
  t.is(store.get(key), 3);
  t.is(gates.length, 2);
});

test('what a store failed to keep is kept later, told once', async (t) => {
  const { store, gates } = slowStore();
  const { writer, key, errors } = idle(() => 'value', { store });
  await writer.refresh();
  gates[0]?.open.resolve(false);
  await until(() => gates.length === 2, { what: 'the second try' });
  gates[1]?.open.resolve(false);
  await until(() => gates.length === 3, { what: 'the third try' });
  gates[2]?.open.resolve(true);
  await until(() => store.get(key) === 'value', { what: 'the value' });
  t.deepEqual(
    errors.map(({ message }) => message),
    ['not now'],
  );
  await writer.stop();
});

test('v8 and custom serializers', async (t) => {
  const value = new Map([['a', new Date(0)]]);
  const structured = idle(() => value, { serializer: 'v8' });
  await structured.writer.refresh();
  const mirror = bg.read(structured.key);
  t.deepEqual(mirror(), value);
  const shout = {
    name: 'shout',
    dumps: (it: unknown) => Buffer.from(String(it).toUpperCase()),
    loads: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
  };
  const custom = idle(() => 'quiet', { serializer: shout });
  await custom.writer.refresh();
  t.is(custom.writer(), 'QUIET');
  const { errors, onError } = collect();
  const deaf = bg.read(custom.key, { onError });
  t.is(deaf(), undefined);
  t.is(deaf(), undefined);
  t.is(errors.length, 1, 'tried once');
  t.is(deaf.status().refused, 1);
  const hearing = bg.read(custom.key, { serializer: shout });
  t.is(hearing(), 'QUIET');
  const broken = idle(() => 'x', { serializer: { dumps: () => 'text' as never, loads: () => 'x' } });
  await t.throwsAsync(broken.writer.refresh(), { instanceOf: ValidationError });
  for (const each of [mirror, deaf, hearing]) each.close();
  for (const { writer } of [structured, custom, broken]) await writer.stop();
});

test('interval 0: no schedule, one first run, then only refresh', async (t) => {
  let runs = 0;
  const writer = bg.write(0, { key: newKey() }, () => ++runs);
  t.is(await writer.ready(), 1);
  t.is(writer.status().nextAt, undefined);
  await writer.refresh();
  t.is(writer(), 2);
  t.is(runs, 2);
  await writer.stop();
});

test('refreshes never overlap, and calls of refresh join the one under way', async (t) => {
  let under = 0;
  let most = 0;
  let runs = 0;
  const { writer } = idle(async () => {
    most = Math.max(most, ++under);
    runs++;
    await new Promise((resolve) => setTimeout(resolve, 20));
    under--;
    return runs;
  });
  await Promise.all(Array.from({ length: 1000 }, () => writer.refresh()));
  t.is(runs, 1);
  t.is(most, 1);
  await writer.stop();
});

test('a refresh that outlasts its interval delays the next and is counted', async (t) => {
  const writer = bg.write('10ms', { key: newKey() }, () => new Promise((resolve) => setTimeout(resolve, 40, Math.random())));
  await reaches(writer, 3);
  t.true(writer.status().late >= 6, `late ${writer.status().late}`);
  await writer.stop();
});

test('stop waits for the refresh under way, whose value is published', async (t) => {
  const gate = deferred<string>();
  const { writer, key } = idle(() => gate.promise);
  const mirror = bg.read(key);
  const refreshed = writer.refresh();
  const stopped = writer.stop();
  gate.resolve('last');
  await Promise.all([refreshed, stopped]);
  t.is(mirror(), 'last');
  mirror.close();
});

test('an event loop that was blocked is made up for by one run', async (t) => {
  let runs = 0;
  const writer = bg.write('20ms', { key: newKey() }, () => ++runs);
  await reaches(writer, 2);
  const before = runs;
  const end = performance.now() + 1000;
  while (performance.now() < end);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  t.true(runs - before <= 2, `${runs - before} runs for 50 missed starts`);
  t.true((writer.status().age ?? -1) >= 0);
  await writer.stop();
});

test('a loader on a Piscina pool', async (t) => {
  const pool = new Piscina({ maxThreads: 1, idleTimeout: 1000 });
  const filename = fixture('pool.js');
  const { writer, errors } = idle<{ thread: number; previous: unknown }>(
    piscinaLoader(pool, { filename, name: 'load', passPrevious: true }),
  );
  await writer.refresh();
  t.is(writer()?.previous, undefined);
  t.not(writer()?.thread, 0);
  await writer.refresh();
  t.like(writer()?.previous, { thread: writer()?.thread });
  const hanging = idle(piscinaLoader(pool, { filename, name: 'hang' }), { timeout: '200ms' });
  await t.throwsAsync(hanging.writer.refresh(), { instanceOf: TimeoutError });
  await writer.refresh();
  t.is(writer.status().version, 3, 'the pool works on');
  const exiting = idle(piscinaLoader(pool, { filename, name: 'exit' }), { timeout: '10s' });
  await t.throwsAsync(exiting.writer.refresh());
  await writer.refresh();
  t.is(writer.status().version, 4);
  t.deepEqual(errors, []);
  for (const each of [writer, hanging.writer, exiting.writer]) await each.stop();
  await pool.destroy();
});
