import type { Duration } from '../core/duration.js';
import type { MetricsCollector } from '../core/metrics.js';
import type { OnError } from '../core/report.js';
import type { CacheStorage, StoreOption, SyncCacheStorage } from '../core/store.js';
import type { InMemCache } from '../stores/in-mem.js';

/** Any function at all. */
export type AnyFunction = (...args: never[]) => unknown;

export interface CacheOptions<S extends CacheStorage = InMemCache> {
  /** A template (`'flags'`, `'user:{}'`, `'order:{userId}:{orderId}'`), or a function of the cached function's arguments. */
  readonly key: string | ((...args: never[]) => string);
  /** For how long after `ttl` the old value is still answered, while one refresh runs in the background. Default 0. */
  readonly stale?: Duration;
  /** An instance; a class or a factory makes one store a cached function. Default: a new, unbounded `InMemCache`. */
  readonly store?: StoreOption<S>;
  readonly metrics?: MetricsCollector;
  /** What metrics and messages call this cache. Default: the function's name. */
  readonly name?: string;
  /** The names of the function's parameters, for a template with names on a function whose source doesn't show them. */
  readonly params?: readonly string[];
  /** Gets what has no caller to go to: a failed background refresh, a failing store. Default: a process warning. */
  readonly onError?: OnError;
}

/** What a cached function has besides the function's own signature. */
export interface CacheControls<F extends AnyFunction, S extends CacheStorage> {
  /**
   * Removes the value of these arguments; answers what the store's `delete` answers. A load under way neither stores its
   * result nor is joined by later callers.
   */
  invalidate(...args: Parameters<F>): ReturnType<S['delete']>;
  /** Removes everything in the store, also what other functions keep in it. */
  clear(): ReturnType<S['clear']>;
  /** The key of these arguments. */
  key(...args: Parameters<F>): string;
  readonly store: S;
  /** The function that was wrapped. */
  readonly wrapped: F;
}

/**
 * The signature of the cached function. With a synchronous store, or when the function already answers a Promise, it is the
 * function's own, generics and overloads included; else (a synchronous function, an asynchronous store) its result is in a
 * Promise. `invalidate` and `key` take the arguments of the last overload.
 */
export type CachedSignature<F extends AnyFunction, S extends CacheStorage> = S extends SyncCacheStorage
  ? F
  : ReturnType<F> extends Promise<unknown>
    ? F
    : (this: ThisParameterType<F>, ...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>;

export type Cached<F extends AnyFunction, S extends CacheStorage = InMemCache> = CachedSignature<F, S> & CacheControls<F, S>;

/** What `cache(ttl, options)` answers: it wraps a function, or decorates a method. */
export interface CacheDecorator<S extends CacheStorage> {
  <F extends AnyFunction>(fn: F): Cached<F, S>;
  <This, F extends AnyFunction>(method: F, context: ClassMethodDecoratorContext<This>): Cached<F, S>;
}
