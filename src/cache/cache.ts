/**
 * `cache(ttl, options)(fn)`: what a call does, by what the store holds for its key.
 *
 * | case   | the store holds               | the caller gets     | and                                       | counts as |
 * |--------|-------------------------------|---------------------|-------------------------------------------|-----------|
 * | bypass | (`ttl` is 0: it isn't asked)  | `fn`'s result       | nothing is stored                         | nothing   |
 * | hit    | a fresh value                 | it                  |                                           | a hit     |
 * | stale  | a value in its stale window   | it, at once         | one refresh runs later, in the background | a hit     |
 * | dead   | a value past its stale window | `fn`'s result       | it is stored                              | a miss    |
 * | miss   | nothing, or the lookup failed | `fn`'s result       | it is stored                              | a miss    |
 * | joined | as dead or miss               | another's result    | `fn` isn't run again                      | a miss    |
 *
 * A load that fails stores nothing, and all who joined get its error. A load whose key was invalidated since it began stores
 * nothing and is joined no more. A store that fails is reported, counted, and otherwise as if it were empty.
 *
 * The table is carried out by `sync.ts` (synchronous stores), `async.ts` (all others) and, for hits on an `InMemCache`, `fast.ts`.
 */
import { type Clock, systemClock } from '../core/clock.js';
import type { Duration } from '../core/duration.js';
import { type CacheStorage, isSyncCacheStorage } from '../core/store.js';
import { compileKey } from '../keys/compile.js';
import type { CountingMetrics } from '../metrics/counting.js';
import { InMemCache, tableOf } from '../stores/in-mem.js';
import { resolveStore } from '../stores/resolve.js';
import { forgetAllLoads, forgetLoads } from './airborne.js';
import { Answers } from './answers.js';
import { asyncCall } from './async.js';
import { type Wrapper, fastWrapper } from './fast.js';
import { counted, list } from './listing.js';
import { checkCacheOptions, checkTarget } from './options.js';
import { Recorder } from './recorder.js';
import type { Args, Setup } from './setup.js';
import { syncCall } from './sync.js';
import type { AnyFunction, CacheDecorator, CacheOptions, Cached } from './types.js';

/**
 * Caches a function's results: fresh for `ttl`, answered stale for `stale` more while one refresh runs, loaded once however many
 * callers wait. `ttl` 0 turns caching off.
 *
 * As a decorator it caches a method for all instances together: `this` is passed on to the method and is not part of the key.
 *
 * @param ttl seconds, or `'250ms' '30s' '5m' '1h' '1d'`
 * @throws RangeError, TypeError or KeyTemplateError at once, for options that can't be meant
 * @example
 * const getUser = cache('1m', { key: 'user:{id}', stale: '30s' })(async (id: number) => db.users.find(id));
 * await getUser(42);
 * getUser.invalidate(42);
 */
export function cache<S extends CacheStorage = InMemCache>(ttl: Duration, options: CacheOptions<S>): CacheDecorator<S>;
export function cache<F extends AnyFunction, S extends CacheStorage = InMemCache>(
  ttl: Duration,
  options: CacheOptions<S>,
  fn: F,
): Cached<F, S>;
export function cache(ttl: Duration, options: CacheOptions<CacheStorage>, ...rest: [] | [fn: unknown]): unknown {
  return cacheOn(systemClock, ttl, options, ...rest);
}

/** `cache` with the time as an argument, for stores that have no clock of their own. */
export function cacheOn(clock: Clock, ttl: Duration, options: CacheOptions<CacheStorage>, ...rest: [] | [fn: unknown]): unknown {
  const durations = checkCacheOptions(ttl, options);
  const wrap = (fn: unknown, context?: unknown): unknown => {
    checkTarget(fn, context);
    const store = resolveStore(options.store ?? InMemCache);
    const name = options.name ?? (fn.name === '' ? 'anonymous' : fn.name);
    const { metrics, counts } = counted(options.metrics);
    const recorder = new Recorder(metrics, name, options.onError);
    const setup: Setup = { fn, name, ...durations, key: compileKey(options.key, fn, options.params), store, clock, recorder };
    return withControls(wrapperOf(setup), setup, options, counts);
  };
  return rest.length === 0 ? wrap : wrap(rest[0]);
}

function wrapperOf(setup: Setup): Wrapper {
  const { fn, ttl, key, store, recorder } = setup;
  if (!isSyncCacheStorage(store)) {
    const call = ttl === 0 ? (self: unknown, args: Args) => Reflect.apply(fn, self, args) as unknown : asyncCall(setup);
    return async function (...args) {
      return call(this, args, ttl === 0 ? '' : key.keyOf(args));
    };
  }
  if (ttl === 0) {
    return function (...args) {
      return Reflect.apply(fn, this, args) as unknown;
    };
  }
  const answers = new Answers(fn);
  const table = tableOf(store);
  const call = syncCall({ ...setup, store }, answers, table);
  if (table && (!recorder.isOn || recorder.tally)) return fastWrapper(key, answers, table, recorder.tally, call);
  return function (...args) {
    let built: string;
    try {
      built = key.keyOf(args);
    } catch (error) {
      return answers.failed(error);
    }
    return call(this, args, built);
  };
}

/** The controls of a cached function, and the name and length of the function it stands for. */
function withControls(wrapper: Wrapper, setup: Setup, options: CacheOptions<CacheStorage>, counts: CountingMetrics | undefined): unknown {
  const { fn, key, store, recorder } = setup;
  const remove = (built: string): unknown => {
    const writes = forgetLoads(store, built);
    recorder.deleted(built);
    // A write that has begun would put the value back after the delete.
    return writes.length === 0 ? store.delete(built) : Promise.allSettled(writes).then(() => store.delete(built));
  };
  const clear = (): unknown => {
    forgetAllLoads(store);
    return store.clear();
  };
  const { name, ttl, stale } = setup;
  const template = typeof options.key === 'string' ? options.key : undefined;
  const listing = { name, template, ttl, stale, store, counts, remove, clear };
  list(listing);
  const controls = {
    // Through the listing: who holds the function holds its listing.
    invalidate: (...args: unknown[]): unknown => listing.remove(key.keyOf(args)),
    clear: (): unknown => listing.clear(),
    key: (...args: unknown[]): string => key.keyOf(args),
    store,
    wrapped: fn,
  };
  for (const [property, value] of Object.entries({ ...controls, name: fn.name, length: fn.length })) {
    Object.defineProperty(wrapper, property, { value, configurable: true });
  }
  return wrapper;
}
