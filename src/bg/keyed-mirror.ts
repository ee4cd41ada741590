import type { Duration } from '../core/duration.js';
import { MirrorClosedError } from '../core/errors.js';
import { refuse } from '../core/options.js';
import { ChangeFeed, type KeyedChange } from '../keyed/feed.js';
import { checkText } from '../keyed/key.js';
import type { KeyedLookups } from '../keyed/lookups.js';
import type { KeyedFigures, KeyedReader } from '../keyed/reader.js';
import { emptyView } from '../keyed/view.js';
import { createMirror, type Mirror, type MirrorOptions, type MirrorStatus } from './mirror.js';
import type { Source } from './source.js';

/** Plain data. `decodes` and `reads` count records. */
export interface KeyedMirrorStatus extends MirrorStatus, KeyedFigures {}

/**
 * The reader's side of records. Lookups are synchronous, touch no lock, network or disk, and never wait; before the first version there are no
 * records. A snapshot that can't be read is told of through `onError` and `status()`, and is not thrown.
 */
export interface KeyedMirror<V> extends KeyedLookups<V> {
  readonly key: string;
  /**
   * Resolves with this mirror when its first version is there (at once when it is); holds the process while it waits.
   *
   * @param timeout default 30 s; then it rejects with a TimeoutError
   */
  ready(timeout?: Duration): Promise<KeyedMirror<V>>;
  /** The number of the version; never decreases. 0 before the first. */
  readonly version: number;
  /** Unix time in seconds at which the version was loaded, or found to be unchanged. */
  readonly createdAt: number | undefined;
  /** Seconds since then, on a clock that doesn't jump. */
  readonly age: number | undefined;
  /** The version is older than `ttl` (default: than the writer's `ttl`), or from before this process started and not confirmed since. */
  readonly isStale: boolean;
  /**
   * Calls back after each version that has other records than the one told of before, with exactly the keys that differ. Versions that
   * follow one another fast are told of together. Doesn't keep the process alive. Answers its off.
   */
  onChange(listener: (change: KeyedChange) => void): () => void;
  /** Calls back with the value of one key when that is another one, and with `undefined` when the key is gone. Answers its off. */
  onKey(key: string, listener: (value: V | undefined) => void): () => void;
  status(): KeyedMirrorStatus;
  /** Stops following; idempotent. Lookups go on in the memory that there is. */
  close(): void;
  [Symbol.dispose](): void;
}

export function createKeyedMirror<V>(source: Source<KeyedLookups<V>>, reader: KeyedReader<V>, options: MirrorOptions): KeyedMirror<V> {
  const { key, ttl, onStale, onError } = options;
  const feed = new ChangeFeed<V>({ key, reader, watch: (onWake) => source.watch(onWake), onError });
  const whole: Mirror<KeyedLookups<V>> = createMirror(source, options);
  let closed = false;

  function refuseClosed(): void {
    if (closed) throw new MirrorClosedError(`The mirror of '${key}' is closed`);
  }

  const mirror: Omit<KeyedMirror<V>, keyof KeyedLookups<V> | 'version' | 'createdAt' | 'age' | 'isStale'> = {
    key,
    ready: (timeout) => whole.ready(timeout).then(() => mirror as KeyedMirror<V>),
    onChange(listener) {
      if (typeof listener !== 'function') refuse('listener', 'a function', listener);
      refuseClosed();
      return feed.onChange(listener);
    },
    onKey(wanted, listener) {
      checkText(wanted);
      if (typeof listener !== 'function') refuse('listener', 'a function', listener);
      refuseClosed();
      return feed.onKey(wanted, listener);
    },
    status: () => ({ ...whole.status(), ...reader.figures() }),
    close,
    [Symbol.dispose]: close,
  };

  function close(): void {
    closed = true;
    feed.close();
    whole.close();
  }

  // Without a `ttl` that counts, a lookup is the reader's own, and nothing stands between.
  const lookups = ttl === undefined || onStale === 'serve' ? reader.lookups : bounded(whole);
  return Object.defineProperties(mirror, {
    ...Object.getOwnPropertyDescriptors(lookups),
    version: { get: () => whole.version, enumerable: true },
    createdAt: { get: () => whole.createdAt, enumerable: true },
    age: { get: () => whole.age, enumerable: true },
    isStale: { get: () => whole.isStale, enumerable: true },
  }) as KeyedMirror<V>;
}

/** Lookups in a version that may have grown too old: then there are no records, or a `StaleError`, as `onStale` says. */
function bounded<V>(whole: () => KeyedLookups<V> | undefined): KeyedLookups<V> {
  const none = emptyView<V>();
  return {
    get: (key) => whole()?.get(key),
    has: (key) => whole()?.has(key) ?? false,
    get size() {
      return whole()?.size ?? 0;
    },
    keys: () => (whole() ?? none).keys(),
    entries: () => (whole() ?? none).entries(),
    getMany: (keys) => (whole() ?? none).getMany(keys),
    view: () => whole()?.view() ?? none,
  };
}
