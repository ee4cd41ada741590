import test from 'ava';
import { type CacheStorage, InMemCache, cache } from '../../dist/index.js';
import { cacheOn } from '../../dist/cache/cache.js';
import type { Cached } from '../../dist/index.js';
import { fakeClock } from '../../dist/testing/index.js';
import { AsyncStore } from '../helpers/async-store.js';
import { turn, until } from '../helpers/wait.js';

interface Gate {
  readonly promise: Promise<void>;
  open(): void;
}

function gate(): Gate {
  let open = (): void => {};
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open: () => open() };
}

const stores: Record<string, () => CacheStorage> = { InMemCache: () => new InMemCache(), 'an asynchronous store': () => new AsyncStore() };

for (const [name, store] of Object.entries(stores)) {
  test(`${name}: a thousand concurrent calls of a cold key run the function once`, async (t) => {
    let runs = 0;
    const load = cache(60, { key: 'user:{id}', store })(async (id: number) => {
      runs++;
      await turn();
      return { id };
    });
    const all = await Promise.all(Array.from({ length: 1000 }, () => load(1)));
    t.is(runs, 1);
    t.is(new Set(all).size, 1);
    await load(2);
    t.is(runs, 2);
  });

  test(`${name}: a rejection goes to all who joined; nothing is stored, and the next call runs again`, async (t) => {
    let runs = 0;
    const load = cache(60, { key: 'a', store })(async () => {
      await turn();
      if (++runs === 1) throw new Error('down');
      return runs;
    });
    const all = await Promise.allSettled(Array.from({ length: 50 }, () => load()));
    t.true(all.every((one) => one.status === 'rejected' && (one.reason as Error).message === 'down'));
    t.is(runs, 1);
    t.is(await load(), 2);
    t.is(await load(), 2);
  });

  test(`${name}: a load that began before an invalidate is neither stored nor joined`, async (t) => {
    const gates = [gate(), gate()];
    let runs = 0;
    const load = cache(60, { key: 'user:{}', store })(async (_id: number) => {
      const run = runs++;
      await gates[run]?.promise;
      return run;
    });
    const old = load(1);
    await until(() => runs === 1);
    await load.invalidate(1);
    const fresh = load(1);
    await until(() => runs === 2);
    gates[1]?.open();
    t.is(await fresh, 1);
    gates[0]?.open();
    t.is(await old, 0, 'who asked before gets what was asked for');
    t.is(await load(1), 1, 'the old result did not come back');
    t.is(runs, 2);
  });

  test(`${name}: the same for clear, and for functions that share the store`, async (t) => {
    const shared = store();
    const held = gate();
    let runs = 0;
    const one = cache(60, { key: 'a', store: shared })(async () => {
      const run = ++runs;
      if (run < 3) await held.promise;
      return run;
    });
    const other = cache(60, { key: 'a', store: shared })(async () => 0);
    const first = one();
    await until(() => runs === 1);
    await other.invalidate();
    const second = one();
    await until(() => runs === 2);
    await other.clear();
    held.open();
    t.deepEqual(await Promise.all([first, second]), [1, 2]);
    t.is(await one(), 3);
    t.is(await one(), 3);
  });

  test(`${name}: undefined and null are cached`, async (t) => {
    for (const value of [undefined, null]) {
      let runs = 0;
      const load = cache(60, { key: 'a', store })(async () => {
        runs++;
        return value;
      });
      t.is(await load(), value);
      t.is(await load(), value);
      t.is(runs, 1);
    }
  });

  test(`${name}: a missing argument rejects`, async (t) => {
    const load = cache(60, { key: 'user:{}', store })(async (id?: number) => id);
    await t.throwsAsync(async () => load(), { code: 'ERR_KEY_TEMPLATE' });
  });
}

function stale(options: {
  fn: () => unknown;
  store: CacheStorage;
  clock: ReturnType<typeof fakeClock>;
  errors?: Error[];
}): Cached<() => Promise<unknown>, CacheStorage> {
  const { fn, store, clock, errors = [] } = options;
  return cacheOn(clock, 60, { key: 'a', stale: 30, store, onError: (error: Error) => void errors.push(error) }, fn) as Cached<
    () => Promise<unknown>,
    CacheStorage
  >;
}

for (const [name, make] of [
  ['InMemCache', (clock: ReturnType<typeof fakeClock>): CacheStorage => new InMemCache({ clock })],
  ['an asynchronous store', (clock: ReturnType<typeof fakeClock>): CacheStorage => new AsyncStore(new InMemCache({ clock }))],
] as const) {
  test(`${name}: a hundred stale callers get the old value at once and start one refresh`, async (t) => {
    const clock = fakeClock();
    const held = gate();
    let runs = 0;
    const load = stale({
      clock,
      store: make(clock),
      fn: async () => {
        const run = ++runs;
        if (run === 2) await held.promise;
        return run;
      },
    });
    t.is(await load(), 1);
    clock.advance(70_000);
    t.deepEqual(new Set(await Promise.all(Array.from({ length: 100 }, () => load()))), new Set([1]));
    await until(() => runs === 2);
    t.is(await load(), 1);
    await turn();
    t.is(runs, 2, 'one refresh, however long it takes');
    held.open();
    let seen: unknown;
    await until(() => {
      void Promise.resolve(load()).then((value) => (seen = value));
      return seen === 2;
    });
    t.is(runs, 2);
  });

  test(`${name}: a dead value waits for the refresh that is under way, and starts none of its own`, async (t) => {
    const clock = fakeClock();
    const held = gate();
    let runs = 0;
    const load = stale({
      clock,
      store: make(clock),
      fn: async () => {
        const run = ++runs;
        if (run === 2) await held.promise;
        return run;
      },
    });
    await load();
    clock.advance(80_000);
    t.is(await load(), 1);
    await until(() => runs === 2);
    clock.advance(20_000);
    const waiting = load();
    await turn();
    held.open();
    t.is(await waiting, 2);
    t.is(runs, 2);
  });

  test(`${name}: a failed refresh keeps the old value, is reported once, and the next stale call tries again`, async (t) => {
    const clock = fakeClock();
    const errors: Error[] = [];
    let runs = 0;
    const load = stale({
      clock,
      errors,
      store: make(clock),
      fn: async () => {
        if (++runs === 2) throw new Error('down');
        return runs;
      },
    });
    await load();
    clock.advance(60_000);
    t.is(await load(), 1);
    await until(() => errors.length === 1);
    t.is(errors[0]?.message, 'down');
    await turn();
    t.is(await load(), 1);
    await until(() => runs === 3);
    await turn();
    t.is(await load(), 3);
    t.is(errors.length, 1);
  });

  test(`${name}: what is invalidated in a refresh does not come back`, async (t) => {
    const clock = fakeClock();
    const held = gate();
    let runs = 0;
    const load = stale({
      clock,
      store: make(clock),
      fn: async () => {
        const run = ++runs;
        if (run === 2) await held.promise;
        return run;
      },
    });
    await load();
    clock.advance(60_000);
    await load();
    await until(() => runs === 2);
    await load.invalidate();
    held.open();
    await turn();
    t.is(await load(), 3);
  });
}

test('an asynchronous store is asked once for calls of one key at one time', async (t) => {
  const store = new AsyncStore();
  const load = cache(60, { key: 'a', store })(async () => 1);
  await load();
  store.calls.length = 0;
  await Promise.all(Array.from({ length: 100 }, () => load()));
  t.deepEqual(store.calls, ['getEntry']);
});

test('with an asynchronous store a synchronous function answers Promises, also where the ttl is 0', async (t) => {
  for (const ttl of [0, 60]) {
    let runs = 0;
    const load = cache(ttl, { key: 'a', store: new AsyncStore() })(() => ++runs);
    const first = load();
    t.true(first instanceof Promise);
    t.is(await first, 1);
    t.is(await load(), ttl === 0 ? 2 : 1);
  }
  const failing = cache(60, { key: 'a', store: new AsyncStore() })((): number => {
    throw new Error('at once');
  });
  await t.throwsAsync(failing(), { message: 'at once' });
});

test('a store that is down never breaks the function', async (t) => {
  const store = new AsyncStore();
  for (const name of ['getEntry', 'setEntry']) store.failing.add(name);
  const errors: Error[] = [];
  let runs = 0;
  const load = cache(60, { key: 'a', store, onError: (error) => errors.push(error) })(async () => ++runs);
  t.is(await load(), 1);
  t.is(await load(), 2);
  t.deepEqual(
    errors.map((error) => error.message),
    ['getEntry is down', 'setEntry is down', 'getEntry is down', 'setEntry is down'],
  );
  store.failing.clear();
  t.is(await load(), 3);
  t.is(await load(), 3);
  store.failing.add('delete');
  await t.throwsAsync(load.invalidate(), { message: 'delete is down' }, 'who asks the store directly gets its error');
});

test('a synchronous store that is down never breaks the function', (t) => {
  class Broken extends InMemCache {
    override getEntry(): never {
      throw new Error('get');
    }
    override setEntry(): never {
      throw new Error('set');
    }
  }
  const errors: string[] = [];
  let runs = 0;
  const load = cache(60, { key: 'a', store: Broken, onError: (error) => errors.push(error.message) })(() => ++runs);
  t.deepEqual([load(), load()], [1, 2]);
  t.deepEqual(errors, ['get', 'set', 'get', 'set']);
});

test('an onError that throws is contained', async (t) => {
  const store = new AsyncStore();
  store.failing.add('getEntry');
  const load = cache(60, {
    key: 'a',
    store,
    onError: () => {
      throw new Error('in onError');
    },
  })(async () => 1);
  t.is(await load(), 1);
});

test('one refresh in the fleet: who does not get the lock leaves it to the other', async (t) => {
  const clock = fakeClock();
  const shared = new InMemCache({ clock });
  const held = gate();
  let runs = 0;
  const fn = async (): Promise<number> => {
    const run = ++runs;
    if (run === 2) await held.promise;
    return run;
  };
  const here = stale({ fn, clock, store: new AsyncStore(shared) });
  const thereStore = new AsyncStore(shared);
  const there = stale({ fn, clock, store: thereStore });
  await here();
  clock.advance(60_000);
  await here();
  await until(() => runs === 2);
  t.is(await there(), 1);
  await until(() => thereStore.calls.includes('setIfNotExists'));
  await turn();
  t.is(runs, 2);
  held.open();
  await until(() => (shared.get('a') as number) === 2);
  await until(() => !shared.exists('advanced-caching:refresh:a'));
  t.is(await there(), 2);
  t.is(runs, 2);
});

test('a lock that its holder never released ends by itself', async (t) => {
  const clock = fakeClock();
  const store = new AsyncStore(new InMemCache({ clock }));
  let runs = 0;
  const load = stale({ fn: async () => ++runs, clock, store });
  await load();
  clock.advance(60_000);
  store.inner.set('advanced-caching:refresh:a', 1, 10);
  await load();
  await until(() => store.calls.includes('setIfNotExists'));
  await turn();
  t.is(runs, 1);
  clock.advance(10_000);
  await load();
  await until(() => runs === 2);
});

test('a store that can not lock refreshes anyway, and says so', async (t) => {
  const clock = fakeClock();
  const store = new AsyncStore(new InMemCache({ clock }));
  const errors: Error[] = [];
  let runs = 0;
  const load = stale({ fn: async () => ++runs, clock, store, errors });
  await load();
  clock.advance(60_000);
  store.failing.add('setIfNotExists');
  await load();
  await until(() => runs === 2);
  t.is(errors[0]?.message, 'setIfNotExists is down');
});

test('an invalidate waits for a write that has begun, and deletes after it', async (t) => {
  const store = new AsyncStore();
  let runs = 0;
  const load = cache(60, { key: 'a', store })(async () => ++runs);
  store.held.add('setEntry');
  const first = load();
  await until(() => store.calls.includes('setEntry'));
  const invalidated = load.invalidate();
  await turn();
  t.false(store.calls.includes('delete'));
  store.release();
  t.true(await invalidated);
  t.is(await first, 1);
  t.is(await load(), 2);
});

test('no rejection is left unhandled, whatever fails', async (t) => {
  const unhandled: unknown[] = [];
  const listen = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', listen);
  t.teardown(() => process.off('unhandledRejection', listen));
  const clock = fakeClock();
  for (const store of [new InMemCache({ clock }), new AsyncStore(new InMemCache({ clock }))]) {
    let fails = false;
    const load = stale({
      clock,
      store,
      fn: async () => {
        if (fails) throw new Error('down');
        return 1;
      },
    });
    await load();
    fails = true;
    clock.advance(70_000);
    await load();
    await turn();
    await turn();
    clock.advance(70_000);
    await t.throwsAsync(async () => load());
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.deepEqual(unhandled, []);
});
