import { coarseTick, exactNow, lastTick, NEVER } from '../core/coarse-clock.js';
import { systemClock } from '../core/clock.js';
import { type Duration, toSeconds } from '../core/duration.js';
import { MirrorClosedError, StaleError, TimeoutError } from '../core/errors.js';
import { refuse } from '../core/options.js';
import { type ErrorSummary, summarize } from '../core/packed-error.js';
import { type OnError, report } from '../core/report.js';
import type { SyncCacheStorage } from '../core/store.js';
import { InMemCache } from '../stores/in-mem.js';
import type { MirrorState, Source, Via } from './source.js';

/** What becomes of reads once the value is older than the mirror's `ttl`. */
export type OnStale = 'undefined' | 'throw' | 'serve';

/** What `onChange` is told beside the value. */
export interface Change {
  readonly version: number;
  readonly epoch: number;
  /** Unix time in seconds (fractional). */
  readonly createdAt: number;
}

/** Plain data. Moments are Unix time in seconds, spans are seconds. */
export interface MirrorStatus {
  readonly key: string;
  readonly state: MirrorState;
  readonly since: number | undefined;
  readonly via: Via | undefined;
  readonly epoch: number;
  readonly version: number;
  readonly createdAt: number | undefined;
  readonly age: number | undefined;
  readonly isStale: boolean;
  /** How long the value took from its load to this process; `undefined` where it was there before. */
  readonly lag: number | undefined;
  /** Of a fleet's value: the id of who writes it, as far as this thread knows; `''` for somebody without a lease. */
  readonly writer: string | undefined;
  /** Failed refreshes of the writer in a row, where that is known. */
  readonly consecutiveFailures: number;
  readonly reads: number;
  readonly decodes: number;
  /** Times a faster writer won four tries, and the value before was served. */
  readonly fallbacks: number;
  /** Snapshots that were refused: corrupt, too large, of an unknown format. */
  readonly refused: number;
  /** Snapshots older than the value, which were ignored. */
  readonly regressed: number;
  readonly lastError: ErrorSummary | undefined;
}

/** The reader's side of a value: a function that answers it, and what can be asked of it. */
export interface Mirror<T> {
  /**
   * The value, or `undefined` before the first one. Synchronous; it touches no lock, network or disk, and never waits. Two
   * reads without a publish between them answer the identical object.
   *
   * @throws StaleError only where `onStale` is `'throw'` and the value is older than `ttl`
   */
  (): T | undefined;
  readonly key: string;
  /**
   * Resolves with the first value (at once when it is there); holds the process while it waits.
   *
   * @param timeout default 30 s; then it rejects with a TimeoutError
   */
  ready(timeout?: Duration): Promise<T>;
  /** The number of the publication; never decreases. 0 before the first. */
  readonly version: number;
  /** Unix time in seconds at which the value was loaded. */
  readonly createdAt: number | undefined;
  /** Seconds since then, on a clock that doesn't jump. */
  readonly age: number | undefined;
  /** The value is older than `ttl` (default: than the writer's `ttl`), or from before this process started and not confirmed since. */
  readonly isStale: boolean;
  /** Calls back after each change, newest value only. Doesn't keep the process alive. Answers its off. */
  onChange(listener: (value: T, change: Change) => void): () => void;
  status(): MirrorStatus;
  /** A private store with the value under the mirror's key. */
  readonly store: SyncCacheStorage;
  /** Stops following; idempotent. Reads go on answering the last value. */
  close(): void;
  [Symbol.dispose](): void;
}

export interface MirrorOptions {
  readonly key: string;
  /** Milliseconds; `undefined`: values never grow too old. */
  readonly ttl: number | undefined;
  readonly onStale: OnStale;
  readonly onError: OnError | undefined;
  readonly onClose: () => void;
}

const READY_TIMEOUT = 30;

export function createMirror<T>(source: Source<T>, options: MirrorOptions): Mirror<T> {
  const { key, ttl, onStale, onError } = options;
  const listeners = new Set<(value: T, change: Change) => void>();
  const waiting = new Set<(error: Error) => void>();
  let closed = false;
  let told = 0;
  let unwatch: (() => void) | undefined;
  let store: InMemCache | undefined;

  const read = ttl === undefined || onStale === 'serve' ? source.read : bounded(ttl);

  /** With a `ttl`, a read costs a look at the clock: the coarse one, and near the deadline the exact one. */
  function bounded(limit: number): () => T | undefined {
    // Of the version that was looked at last: until then it isn't stale. Confirmations put it off: they are asked for once it has come.
    let until = NEVER;
    let version = 0;
    return function read() {
      const value = source.read();
      if ((coarseTick[0] as number) < until && source.version() === version) return value;
      const meta = source.meta();
      if (meta === undefined) return value;
      version = source.version();
      const deadline = (meta.createdAtMonotonic + limit) / 1000;
      until = lastTick(deadline);
      if ((coarseTick[0] as number) < until || exactNow() < deadline) return value;
      if (onStale === 'undefined') return undefined;
      throw new StaleError(`The value of '${key}' is older than its \`ttl\` of ${limit / 1000} s`);
    };
  }

  const age = (): number | undefined => {
    source.read();
    const meta = source.meta();
    return meta && Math.max(0, systemClock.monotonic() - meta.createdAtMonotonic) / 1000;
  };
  const isStale = (): boolean => {
    const years = age();
    const meta = source.meta();
    if (years === undefined || meta === undefined) return false;
    return source.health().cold || years * 1000 > (ttl ?? meta.freshFor);
  };
  const createdAt = (): number | undefined => {
    source.read();
    const meta = source.meta();
    return meta && meta.createdAt / 1000;
  };

  function tell(): void {
    const value = source.read();
    const meta = source.meta();
    const version = source.version();
    if (meta === undefined || version === told) return;
    told = version;
    for (const listener of Array.from(listeners)) {
      try {
        listener(value as T, { version, epoch: meta.epoch, createdAt: meta.createdAt / 1000 });
      } catch (error) {
        report(error, onError, `an \`onChange\` of '${key}'`);
      }
    }
  }

  function onChange(listener: (value: T, change: Change) => void): () => void {
    if (typeof listener !== 'function') refuse('listener', 'a function', listener);
    if (closed) throw new MirrorClosedError(`The mirror of '${key}' is closed`);
    if (listeners.size === 0) {
      // Watched before it is read: a publish between the two would be told by nobody.
      unwatch = source.watch(tell);
      source.read();
      told = source.version();
    }
    listeners.add(listener);
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) unwatch?.();
    };
  }

  function ready(timeout: Duration = READY_TIMEOUT): Promise<T> {
    const limit = toSeconds(timeout, 'timeout') * 1000;
    return new Promise<T>((resolve, reject) => {
      if (closed) {
        reject(new MirrorClosedError(`The mirror of '${key}' is closed`));
        return;
      }
      // A wake-up alone neither keeps the process alive nor is sure to come on every engine: the timer does both.
      const timer = systemClock.setTimer(() => end(new TimeoutError(`No value of '${key}' within ${limit / 1000} s`)), limit);
      const off = source.watch(look);
      waiting.add(end);
      look();

      function look(): void {
        const value = source.read();
        if (source.meta() === undefined) return;
        end(undefined);
        resolve(value as T);
      }
      function end(error: Error | undefined): void {
        timer.cancel();
        off();
        waiting.delete(end);
        if (error) reject(error);
      }
    });
  }

  function close(): void {
    if (closed) return;
    // The newest value that is there is the one to go on with.
    source.read();
    closed = true;
    unwatch?.();
    listeners.clear();
    source.close();
    for (const end of waiting) end(new MirrorClosedError(`The mirror of '${key}' was closed while it was waited for`));
    options.onClose();
  }

  function status(): MirrorStatus {
    // First, so that all below speaks of the newest value.
    source.read();
    const health = source.health();
    const counts = source.counts();
    const problem = source.lastProblem();
    const now = systemClock.monotonic();
    return {
      key,
      state: health.state,
      since: health.since === 0 ? undefined : (systemClock.wall() - (now - health.since)) / 1000,
      via: health.via,
      epoch: source.meta()?.epoch ?? 0,
      version: source.version(),
      createdAt: createdAt(),
      age: age(),
      isStale: isStale(),
      lag: health.lag === undefined ? undefined : health.lag / 1000,
      writer: health.writer,
      consecutiveFailures: health.failures,
      ...counts,
      lastError: problem && summarize(problem.error, problem.at, problem.kind),
    };
  }

  /** The store is made for who asks, and holds the value of that moment. */
  function localStore(): SyncCacheStorage {
    store ??= new InMemCache();
    const value = source.read();
    const meta = source.meta();
    if (meta) store.setEntry(key, { value, createdAt: meta.createdAt / 1000, freshUntil: Number.POSITIVE_INFINITY });
    return store;
  }

  const getters: PropertyDescriptorMap = {
    version: {
      get: () => {
        source.read();
        return source.version();
      },
    },
    createdAt: { get: createdAt },
    age: { get: age },
    isStale: { get: isStale },
    store: { get: localStore },
    name: { value: `mirror of ${key}` },
  };
  return Object.defineProperties(
    Object.assign(read, { key, ready, onChange, status, close, [Symbol.dispose]: close }),
    getters,
  ) as Mirror<T>;
}
