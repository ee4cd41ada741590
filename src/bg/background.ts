import { systemClock } from '../core/clock.js';
import type { Duration } from '../core/duration.js';
import { StoppedError } from '../core/errors.js';
import { checkOptions, refuse } from '../core/options.js';
import { report } from '../core/report.js';
import { isCacheStorage, type CacheStorage } from '../core/store.js';
import { endTrace, recordRefresh } from '../metrics/refresh.js';
import { runLoader } from '../scheduler/loader.js';
import { Repeater } from '../scheduler/repeater.js';
import { fleetPlan } from './fleet-options.js';
import { checkRefreshOptions, freshFor, intervalOf, type RefreshOptions } from './options.js';
import { backgrounds } from './registry.js';
import { entryKeeper } from './store-keeper.js';
import { write } from './write.js';
import type { WriterStatus } from './writer.js';

export interface BackgroundOptions extends RefreshOptions {
  /** Also kept there after each refresh, as an entry that is fresh for `ttl`. A store that fails is reported, and stops nothing. */
  readonly store?: CacheStorage | undefined;
}

/** A function whose result is refreshed in the background. */
export interface Background<R> {
  /**
   * The last result. Before the first one, the call waits for (or, for a synchronous function, makes) the one initial load,
   * and gets its error. A synchronous function stays synchronous.
   */
  (): R;
  readonly key: string;
  /** Runs the function now, or joins the run under way. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
  status(): WriterStatus;
  readonly store: CacheStorage | undefined;
  /** The function itself. */
  readonly wrapped: () => R;
}

const KNOWN = ['key', 'ttl', 'name', 'metrics', 'onError', 'runImmediately', 'scope', 'store', 'lease'];

export interface BackgroundFactory {
  (interval: Duration, options: BackgroundOptions): <R>(fn: () => R) => Background<R>;
  <R>(interval: Duration, options: BackgroundOptions, fn: () => R): Background<R>;
}

export const background: BackgroundFactory = ((interval: Duration, options: BackgroundOptions, fn?: () => unknown) => {
  checkOptions('bg', options, KNOWN);
  checkRefreshOptions(options);
  intervalOf(interval);
  fleetPlan(options);
  if (options.store !== undefined && !isCacheStorage(options.store)) refuse('store', 'a store', options.store);
  return fn === undefined ? (later: () => unknown) => start(interval, options, later) : start(interval, options, fn);
}) as BackgroundFactory;

function start<R>(interval: Duration, options: BackgroundOptions, fn: () => R): Background<R> {
  if (typeof fn !== 'function') refuse('fn', 'a function', fn);
  return (options.scope ?? 'process') === 'process' ? inThread(interval, options, fn) : overHost(interval, options, fn);
}

/** With a scope beyond this process the values travel: a writer, and its own reading of it. */
function overHost<R>(interval: Duration, options: BackgroundOptions, fn: () => R): Background<R> {
  const writer = write<unknown>(interval, { ...options, ref: false }, () => fn());
  const read = (): R => (writer.status().version === 0 ? writer.ready() : Promise.resolve(writer())) as R;
  const { key, refresh, stop, status } = writer;
  return Object.assign(read, { key, refresh, stop, status, store: options.store, wrapped: fn });
}

/** In this thread the value is the function's own result: nothing is serialized. */
function inThread<R>(interval: Duration, options: BackgroundOptions, fn: () => R): Background<R> {
  const { key, store, onError, runImmediately = true } = options;
  const metrics = checkRefreshOptions(options);
  const every = intervalOf(interval);
  const fresh = freshFor(options.ttl, every);
  const name = options.name ?? (fn.name === '' ? key : fn.name);
  const since = systemClock.wall();
  let version = 0;
  /** What callers get: a Promise exactly when the function gives one. Made once for each refresh. */
  let answer: R | undefined;
  /** What that is, or resolves to. */
  let newest: unknown;
  let madeAt = { wall: 0, monotonic: 0 };
  const keeper = store && entryKeeper(store, { key, name, metrics, onError, read: () => newest });
  let stopped = false;
  /** What the last run threw before it could give a Promise. */
  let thrown: { readonly error: unknown } | undefined;

  function adopt(value: unknown, isPromise: boolean): void {
    version++;
    madeAt = { wall: systemClock.wall(), monotonic: systemClock.monotonic() };
    answer = (isPromise ? Promise.resolve(value) : value) as R;
    newest = value;
    keeper?.keep({ createdAt: madeAt.wall, freshFor: fresh });
  }

  async function run(signal: AbortSignal): Promise<void> {
    const startedAt = systemClock.monotonic();
    const trace = metrics?.traceLoad?.(name);
    const record = (failure?: { readonly error: unknown }): void => {
      const durationSeconds = (systemClock.monotonic() - startedAt) / 1000;
      endTrace(trace, failure);
      recordRefresh(metrics, { name, key, durationSeconds, failure });
    };
    thrown = undefined;
    try {
      let result: R;
      try {
        result = trace ? trace.run(fn) : fn();
      } catch (error) {
        thrown = { error };
        throw error;
      }
      // Before the first `await`, so that a synchronous function's value is there when this call returns.
      if (!isThenable(result)) adopt(result, false);
      else {
        const value = await runLoader(() => Promise.resolve(result), {
          timeout: undefined,
          previous: () => undefined,
          clock: systemClock,
          signal,
        });
        adopt(value, true);
      }
      record();
    } catch (error) {
      record({ error });
      throw error;
    }
  }

  const repeater = new Repeater({
    name: `bg '${key}'`,
    interval: every > 0 ? every : Number.MAX_SAFE_INTEGER,
    run,
    clock: systemClock,
    runImmediately,
    ref: false,
    onError: (error) => report(error, onError, `the refresh of '${key}'`),
  });

  function current(): R {
    if (every === 0) return fn();
    if (version > 0) return answer as R;
    if (stopped) throw new StoppedError(`'${key}' was stopped before its first value`);
    const initial = repeater.trigger();
    // A synchronous function is done by now.
    if (thrown) throw thrown.error;
    if (version > 0) return answer as R;
    return initial.then(() => answer) as R;
  }

  const refresh = (): Promise<void> => (every > 0 ? repeater.trigger() : Promise.resolve());
  const registered = { stop, status, refresh, read: () => answer };
  async function stop(how: { abort: boolean } = { abort: false }): Promise<void> {
    stopped = true;
    if (how.abort) void keeper?.stop(how);
    await repeater.stop(how);
    await keeper?.stop(how);
    backgrounds.delete(registered);
  }

  function status(): WriterStatus {
    const schedule = repeater.status();
    const error = schedule.lastError;
    // Without a schedule there is no value to wait for.
    const hasValue = version > 0 || every === 0;
    const state = stopped ? 'closed' : !hasValue ? 'initializing' : schedule.consecutiveFailures > 0 ? 'interrupted' : 'live';
    return {
      key,
      name,
      scope: 'process',
      state,
      since: since / 1000,
      epoch: 0,
      version,
      createdAt: version === 0 ? undefined : madeAt.wall / 1000,
      age: version === 0 ? undefined : (systemClock.monotonic() - madeAt.monotonic) / 1000,
      refreshes: schedule.runs - schedule.failures,
      failures: schedule.failures,
      consecutiveFailures: schedule.consecutiveFailures,
      late: schedule.late,
      lastDuration: schedule.lastDurationMs === undefined ? undefined : schedule.lastDurationMs / 1000,
      nextAt: schedule.nextAt === undefined ? undefined : schedule.nextAt / 1000,
      lastError: error && { ...error, time: (schedule.lastStartedAt ?? 0) / 1000 },
    };
  }

  backgrounds.add(registered);
  if (every > 0) repeater.start();
  const controls = {
    key,
    refresh,
    stop: () => stop(),
    status,
    store,
    wrapped: fn,
  };
  return Object.defineProperty(Object.assign(current, controls), 'name', { value: name });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
