import test from 'ava';
import { bg, InMemCache, InMemoryMetrics, StoppedError } from '../../dist/index.js';
import { until } from '../support/process.js';
import { collect, deferred, endAfterwards, newKey, warningsOf } from './support.js';

endAfterwards();

test('calls share the one initial load, and never run the loader again', async (t) => {
  let runs = 0;
  const gate = deferred<string>();
  const flags = bg(60, { key: newKey() })(() => {
    runs++;
    return gate.promise;
  });
  const calls = Array.from({ length: 1000 }, () => flags());
  gate.resolve('on');
  t.deepEqual(new Set(await Promise.all(calls)), new Set(['on']));
  t.is(flags(), flags(), 'the Promise is made once for each refresh');
  t.is(await flags(), 'on');
  t.is(runs, 1);
  await flags.stop();
});

test('a synchronous function stays synchronous', async (t) => {
  let runs = 0;
  const value = bg(60, { key: newKey(), runImmediately: false }, () => ++runs);
  t.is(runs, 0, 'nothing runs before the first call');
  t.is(value(), 1);
  t.is(value(), 1);
  await value.refresh();
  await value.refresh();
  t.is(value(), 2, 'of the two, the first joined the run of this turn');
  await value.stop();
  t.is(value(), 2, 'the last value outlives its schedule');
});

test('runImmediately: the first run is at once or, without it, with the first call', async (t) => {
  const key = newKey();
  let runs = 0;
  const load = async (): Promise<number> => ++runs;
  const eager = bg(60, { key }, load);
  t.is(runs, 1);
  const lazy = bg(60, { key: newKey(), runImmediately: false }, load);
  t.is(runs, 1);
  t.is(await lazy(), 2);
  t.is(await eager(), 1);
  await Promise.all([eager.stop(), lazy.stop()]);
});

test('undefined and null are values', async (t) => {
  let runs = 0;
  const nothing = bg(60, { key: newKey() }, () => void runs++);
  const nil = bg(60, { key: newKey() }, async () => (runs++, null));
  t.is(nothing(), undefined);
  t.is(nothing(), undefined);
  t.is(await nil(), null);
  t.is(await nil(), null);
  t.is(runs, 2);
  await Promise.all([nothing.stop(), nil.stop()]);
});

test('it refreshes every interval, one refresh at a time, and counts the starts that a slow one delays', async (t) => {
  let under = 0;
  let most = 0;
  let runs = 0;
  const value = bg('10ms', { key: newKey() }, async () => {
    most = Math.max(most, ++under);
    await new Promise((resolve) => setTimeout(resolve, 35));
    under--;
    return ++runs;
  });
  await until(() => runs >= 5, { what: 'five refreshes' });
  t.is(most, 1);
  t.true((await value()) >= 4);
  const { late, refreshes, state } = value.status();
  t.true(late >= 4, `late ${late}`);
  t.true(refreshes >= 4);
  t.is(state, 'live');
  await value.stop();
});

test('a failure keeps the last value, and is reported once', async (t) => {
  const { errors, onError } = collect();
  const metrics = new InMemoryMetrics();
  let fails = false;
  const value = bg(60, { key: newKey(), onError, metrics, name: 'flags' }, async () => {
    if (fails) throw new TypeError('down');
    return 'good';
  });
  t.is(await value(), 'good');
  fails = true;
  await t.throwsAsync(value.refresh(), { instanceOf: TypeError, message: 'down' });
  t.is(await value(), 'good');
  t.deepEqual(errors.map(String), ['TypeError: down']);
  const status = value.status();
  t.is(status.state, 'interrupted');
  t.is(status.consecutiveFailures, 1);
  t.is(status.version, 1);
  t.like(status.lastError, { name: 'TypeError', message: 'down' });
  t.is(typeof status.lastError?.time, 'number');
  fails = false;
  await value.refresh();
  t.like(value.status(), { state: 'live', consecutiveFailures: 0, failures: 1, refreshes: 2, version: 2, lastError: undefined });
  t.regex(JSON.stringify(metrics.getStats()), /flags/);
  await value.stop();
});

test('an initial load that fails is its callers’ error; the next call loads again', async (t) => {
  const { errors, onError } = collect();
  let fails = true;
  const load = async (): Promise<string> => {
    if (fails) throw new Error('not yet');
    return 'there';
  };
  const value = bg(3600, { key: newKey(), onError, runImmediately: false }, load);
  const calls = [value(), value(), value()];
  for (const call of calls) await t.throwsAsync(call, { message: 'not yet' });
  t.is(errors.length, 1, 'three callers, one load, one report');
  fails = false;
  t.is(await value(), 'there');
  await value.stop();

  const sync = bg(3600, { key: newKey(), onError, runImmediately: false }, (): number => {
    throw new RangeError('sync');
  });
  t.throws(() => sync(), { instanceOf: RangeError });
  t.throws(() => sync(), { instanceOf: RangeError });
  await sync.stop();
});

test('a failed refresh is retried sooner than the interval', async (t) => {
  const { errors, onError } = collect();
  const value = bg(2, { key: newKey(), onError }, () => {
    if (errors.length === 0) throw new Error('first');
    return 'second';
  });
  const { nextAt } = value.status();
  t.truthy(nextAt);
  await until(() => value.status().version === 1, { deadline: 1900, what: 'the retry before the interval is over' });
  t.is(value(), 'second');
  await value.stop();
});

test.serial('without onError a failure is a process warning', async (t) => {
  const warnings = await warningsOf(async () => {
    const value = bg(3600, { key: 'a warning' }, async () => {
      throw new Error('down again');
    });
    await t.throwsAsync(value.refresh());
    await value.stop();
  });
  t.is(warnings.length, 1);
  t.regex(warnings[0]?.message ?? '', /the refresh of 'a warning': Error: down again/);
});

test.serial('an onError that throws is contained', async (t) => {
  let runs = 0;
  const warnings = await warningsOf(async () => {
    const value = bg(
      3600,
      {
        key: newKey(),
        onError: () => {
          throw new Error('from onError');
        },
      },
      async () => {
        if (++runs > 1) throw new Error('down');
        return 'good';
      },
    );
    t.is(await value(), 'good');
    await t.throwsAsync(value.refresh(), { message: 'down' });
    t.is(await value(), 'good');
    await value.stop();
  });
  t.is(warnings.length, 2, 'of both errors');
});

test('interval 0: the loader is called each time', async (t) => {
  let runs = 0;
  const value = bg(0, { key: newKey() }, () => ++runs);
  t.is(runs, 0);
  t.deepEqual([value(), value(), value()], [1, 2, 3]);
  await value.refresh();
  await value.stop();
});

test('a store is kept in step, with the ttl', async (t) => {
  const store = new InMemCache();
  const key = newKey();
  let value = 1;
  const flags = bg(60, { key, store }, async () => value);
  await flags();
  const first = store.getEntry(key);
  t.is(first?.value, 1);
  t.is(Math.round((first?.freshUntil ?? 0) - (first?.createdAt ?? 0)), 120, 'twice the interval');
  value = 2;
  await flags.refresh();
  t.is(store.get(key), 2);
  t.is(flags.store, store);
  await flags.stop();

  const other = bg(60, { key, store, ttl: '5s' }, () => 3);
  await until(() => store.get(key) === 3, { what: 'the store' });
  const entry = store.getEntry(key);
  t.is(Math.round((entry?.freshUntil ?? 0) - (entry?.createdAt ?? 0)), 5);
  await other.stop();
});

test('a store that fails is reported, and stops nothing', async (t) => {
  const { errors, onError } = collect();
  const store = new InMemCache();
  store.setEntry = () => {
    throw new Error('full');
  };
  const value = bg(60, { key: newKey(), store, onError }, async () => 'good');
  t.is(await value(), 'good');
  await value.refresh();
  t.is(await value(), 'good');
  t.deepEqual(
    errors.map(({ message }) => message),
    ['full'],
    'the same failure is told once',
  );
  t.is(value.status().state, 'live');
  await value.stop();
});

test('what is on it', async (t) => {
  async function loadFlags(): Promise<string> {
    return 'on';
  }
  const key = newKey();
  const flags = bg(60, { key }, loadFlags);
  t.is(flags.wrapped, loadFlags);
  t.is(flags.key, key);
  t.is((flags as unknown as { name: string }).name, 'loadFlags');
  t.is(flags.status().name, 'loadFlags');
  await flags();
  const { age, createdAt, nextAt, scope, epoch } = flags.status();
  t.true((age ?? -1) >= 0);
  t.true(Math.abs((createdAt ?? 0) - Date.now() / 1000) < 60);
  t.true((nextAt ?? 0) > Date.now() / 1000 + 50);
  t.is(scope, 'process');
  t.is(epoch, 0);
  t.true(bg.status().writers.some((writer) => writer.key === key));
  await flags.stop();
  await flags.stop();
  t.is(flags.status().state, 'closed');
  t.false(bg.status().writers.some((writer) => writer.key === key));
  await t.throwsAsync(flags.refresh(), { instanceOf: StoppedError });
});

test('a stop during the initial load waits for it, and its callers get the value', async (t) => {
  const gate = deferred<string>();
  const value = bg(60, { key: newKey() }, () => gate.promise);
  const call = value();
  const stopped = value.stop();
  gate.resolve('late');
  await stopped;
  t.is(await call, 'late');
  t.is(await value(), 'late');
});

test('stopped before its first value, a call says so', async (t) => {
  const value = bg(60, { key: newKey(), runImmediately: false }, () => 1);
  await value.stop();
  t.throws(() => value(), { instanceOf: StoppedError });
});
