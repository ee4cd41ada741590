import { systemClock } from '../core/clock.js';
import type { Duration } from '../core/duration.js';
import { checkBoolean, checkCount, checkFunction, checkOptions, refuse } from '../core/options.js';
import { DEFAULT_MAX_BYTES } from '../core/snapshot.js';
import { isCacheStorage, type CacheStorage } from '../core/store.js';
import type { Serializer } from '../core/serializer.js';
import type { KeyedSource } from '../keyed/builder.js';
import type { KeyedLookups, Lookups } from '../keyed/lookups.js';
import { tracerOfRuns } from '../metrics/refresh.js';
import type { Loader, LoaderContext } from '../scheduler/loader.js';
import { isSerializerName, resolveSerializer, type SerializerName, type SerializerOption } from '../serializers/resolve.js';
import { fleetPlan, fleetSerializer } from './fleet-options.js';
import { LoaderEngine } from './loader-engine.js';
import { checkRefreshOptions, freshFor, intervalOf, milliseconds, type RefreshOptions } from './options.js';
import { dedicatedThread } from './registry.js';
import type { Validate, Work } from './plan.js';
import { RingWriter, type WriterEvents } from './ring-writer.js';
import { createWriter, type Writer } from './writer.js';
import type { Ring } from '../mirror/layout.js';

export interface WriteOptions<T = unknown> extends RefreshOptions {
  /**
   * Also kept there after each publication, as an entry that is fresh for `ttl`. A store that fails is reported, and stops nothing.
   * With scope `'fleet'` it is the way to the other hosts: a RedisCache, whose serializer is the writer's.
   */
  readonly store?: CacheStorage | undefined;
  /** Default `'json'`. With a module as the loader: a name, or the module exports its `serializer`. */
  readonly serializer?: SerializerOption | undefined;
  /**
   * Where the loader runs. A URL of a module (default export, or the one that its hash names): in the dedicated worker
   * thread, with its schedule. `piscinaLoader(…)` or another function: called in this thread.
   */
  readonly loader?: URL | Loader<T> | undefined;
  /** A run that takes longer is a failed refresh, and its `signal` is aborted. Default: no limit. */
  readonly timeout?: Duration | undefined;
  /** A larger snapshot is refused. Default 64 MiB. */
  readonly maxBytes?: number | undefined;
  /** Refuses a loaded value by throwing or answering `false`; may be async. With a module as the loader: the module exports its `validate`. */
  readonly validate?: Validate<T> | undefined;
  /** Whether the writer keeps the process alive; default `true`. */
  readonly ref?: boolean | undefined;
  /**
   * `true`: the loader gives records (a `Map`, a plain object, an (async) iterable of `[key, value]`), which readers look up one by one
   * with `bg.read.keyed`. `serializer` is that of each value; `previous`, and both arguments of `validate`, are lookups. Not with `store`.
   */
  readonly keyed?: boolean | undefined;
}

/** The options of a writer of records. */
export interface KeyedWriteOptions<V = unknown> extends WriteOptions<Lookups<V>> {
  readonly keyed: true;
}

/** What a writer of records loads with. */
export type KeyedLoader<V> = (context: LoaderContext<Lookups<V>>) => KeyedSource<V> | Promise<KeyedSource<V>>;

const KNOWN = [
  'key',
  'ttl',
  'name',
  'metrics',
  'onError',
  'runImmediately',
  'scope',
  'lease',
  'store',
  'serializer',
  'loader',
  'timeout',
  'maxBytes',
  'validate',
  'ref',
  'keyed',
];

type KeyedOptions<V> = Omit<KeyedWriteOptions<V>, 'loader'>;

/** `bg.write` with the loader among the options answers the writer; without, a function that takes the loader. */
export interface Write {
  <V>(interval: Duration, options: KeyedOptions<V> & { readonly loader: URL | KeyedLoader<V> }): Writer<KeyedLookups<V>>;
  <V = unknown>(
    interval: Duration,
    options: KeyedOptions<V> & { readonly loader?: undefined },
  ): <L extends V>(loader: KeyedLoader<L>) => Writer<KeyedLookups<L>>;
  <V>(interval: Duration, options: KeyedOptions<V> & { readonly loader?: undefined }, loader: KeyedLoader<V>): Writer<KeyedLookups<V>>;
  <T>(interval: Duration, options: WriteOptions<T> & { readonly loader: URL | Loader<T> }): Writer<T>;
  <T = unknown>(
    interval: Duration,
    options: WriteOptions<T> & { readonly loader?: undefined },
  ): <L extends T>(loader: Loader<L>) => Writer<L>;
  <T>(interval: Duration, options: WriteOptions<T> & { readonly loader?: undefined }, loader: Loader<T>): Writer<T>;
}

export const write: Write = ((interval: Duration, options: WriteOptions<unknown>, fn?: Loader<unknown>) => {
  checkOptions('bg.write', options, KNOWN);
  if (options.loader !== undefined) return register(interval, options, options.loader);
  // Checked now, so that a wrong option is the fault of the line that has it.
  prepare(interval, options);
  return fn === undefined ? (loader: Loader<unknown>) => register(interval, options, loader) : register(interval, options, fn);
}) as Write;

/** Checks every option. */
function prepare(interval: Duration, options: WriteOptions<unknown>) {
  const metrics = checkRefreshOptions(options);
  const { key, store, serializer, timeout, maxBytes = DEFAULT_MAX_BYTES, validate, ref = true } = options;
  const every = intervalOf(interval);
  if (store !== undefined && !isCacheStorage(store)) refuse('store', 'a store', store);
  const fleet = fleetPlan(options);
  const format = fleet ? fleetSerializer(fleet, serializer) : resolveSerializer(serializer);
  checkCount('maxBytes', maxBytes);
  checkFunction('validate', validate);
  checkBoolean('ref', options.ref);
  checkBoolean('keyed', options.keyed);
  if (options.keyed && store !== undefined && !fleet)
    refuse('store', "absent where `keyed` is true and `scope` isn't 'fleet': records travel by shared memory and the host", store);
  const plan = {
    key,
    interval: every,
    timeout: timeout === undefined ? undefined : milliseconds(timeout, 'timeout'),
    freshFor: freshFor(options.ttl, every),
    maxBytes,
    runImmediately: options.runImmediately ?? true,
    keyed: options.keyed ?? false,
  };
  return { plan, metrics, ref, fleet, format };
}

function register(interval: Duration, options: WriteOptions<unknown>, loader: URL | Loader<unknown>): Writer<unknown> {
  const { plan, metrics, ref, fleet, format } = prepare(interval, options);
  const { key, name, scope = 'process', store, onError } = options;
  const isModule = loader instanceof URL;
  if (!isModule && typeof loader !== 'function')
    refuse('loader', "a function, or the URL of a module as in new URL('./refresh.js', import.meta.url)", loader);
  const called = name ?? (isModule || loader.name === '' ? key : loader.name);
  const makeEngine = isModule
    ? moduleEngine(loader, options, plan, fleet && format)
    : functionEngine({ loader, serializer: format, validate: options.validate, trace: tracerOfRuns(metrics, called) }, plan);
  return createWriter({
    plan,
    name: called,
    scope,
    store,
    metrics,
    onError,
    ref,
    serializer: isSerializerName(format.name) ? undefined : format,
    fleet,
    isElsewhere: isModule,
    makeEngine,
  });
}

type Plan = ReturnType<typeof prepare>['plan'];

function functionEngine(work: Work<unknown>, plan: Plan) {
  return (ring: Ring, events: WriterEvents) => new RingWriter<unknown>(ring, plan, () => work, events, systemClock);
}

/** @param stored what readers of a fleet's store decode with: the module has to use it too */
function moduleEngine(url: URL, { serializer: own, validate }: WriteOptions<unknown>, plan: Plan, stored: Serializer | undefined) {
  const serializer = own ?? (isSerializerName(stored?.name) ? stored.name : undefined);
  if (validate !== undefined) refuse('validate', 'exported by the module of `loader` (a function can not be sent to its thread)', validate);
  if (serializer !== undefined && !isSerializerName(serializer)) {
    refuse('serializer', 'a name, or exported by the module of `loader` (an object can not be sent to its thread)', serializer);
  }
  const module: { href: string; serializer: SerializerName | undefined } = { href: url.href, serializer };
  return (ring: Ring, events: WriterEvents) => new LoaderEngine(dedicatedThread(), ring, plan, module, events, systemClock);
}
