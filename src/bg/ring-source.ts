import { systemClock } from '../core/clock.js';
import { SnapshotTooLargeError, WireFormatError } from '../core/errors.js';
import { type OnError, report } from '../core/report.js';
import type { Serializer } from '../core/serializer.js';
import { DEFAULT_MAX_BYTES } from '../core/snapshot.js';
import { linkClient, type LinkHandle } from '../link/thread/link-client.js';
import { findRing, seekRing } from '../mirror/directory.js';
import { type Ring, type RingState, readHealth } from '../mirror/layout.js';
import { createReader, type Reader, type ReaderOptions } from '../mirror/reader.js';
import { watch } from '../mirror/watch.js';
import { coldRing, placeSettings } from './host-ring.js';
import type { Source } from './source.js';

/** How long (milliseconds) a writer in this process has to show up before one is looked for in other processes. */
const OWN_PROCESS_FIRST = 20;

export interface RingSourceOptions<T> {
  readonly key: string;
  /** A writer's ring, for which the writer speaks to the link. Default: the process's, else one with what the host's last writer left. */
  readonly ring?: Ring;
  /** Milliseconds between two looks at the host's file, should announcements be lost. */
  readonly pollInterval: number;
  readonly maxBytes: number | undefined;
  readonly freeze: boolean;
  readonly serializer: Serializer | undefined;
  readonly onError: OnError | undefined;
  /** Default: of whole values. */
  readonly makeReader?: ((options: ReaderOptions) => Reader<T>) | undefined;
}

/** Reads from a ring: one that this process has, or one that the link thread fills from another process of the host. */
export class RingSource<T> implements Source<T> {
  readonly read: () => T | undefined;
  readonly #options: RingSourceOptions<T>;
  readonly #reader: Reader<T>;
  readonly #wakers = new Set<() => void>();
  #ring: Ring;
  #unwatch: (() => void) | undefined;
  readonly #stopSeeking: () => void;
  #link: LinkHandle | undefined;
  #linkTimer: NodeJS.Timeout | undefined;
  #linkProblem: { error: Error; at: number } | undefined;
  /** Snapshots on disk that were refused when this was made. */
  #refusedAtStart = 0;
  #closed = false;

  constructor(options: RingSourceOptions<T>) {
    const { key, maxBytes, freeze, serializer, onError, makeReader = createReader<T> } = options;
    this.#options = options;
    this.#reader = makeReader({
      key,
      // What is in this process's memory is the writer's business; the limit is for what comes from outside.
      maxBytes: maxBytes ?? Number.POSITIVE_INFINITY,
      freeze,
      clock: systemClock,
      ...(serializer ? { serializer } : {}),
      ...(onError ? { onError } : {}),
    });
    this.read = this.#reader.read;
    this.#ring = options.ring ?? findRing(key) ?? this.#coldRing();
    this.#reader.attach(this.#ring);
    this.#stopSeeking = seekRing(key, (ring) => this.#attach(ring));
    if (!options.ring) this.#linkTimer = setTimeout(() => this.#follow(), OWN_PROCESS_FIRST).unref();
  }

  /** The ring that is read now. */
  get ring(): Ring {
    return this.#ring;
  }

  meta(): ReturnType<Reader<T>['meta']> {
    return this.#reader.meta();
  }

  version(): number {
    return this.#reader.version();
  }

  health(): ReturnType<Source<T>['health']> {
    const health = readHealth(this.#ring);
    return {
      state: this.#closed ? 'closed' : stateOf(health.state, this.#reader.meta() !== undefined),
      since: health.since,
      failures: health.failures,
      via: this.#reader.meta() && this.#ring.scope,
      cold: this.#ring.scope === 'host' && health.lastOk === 0,
    };
  }

  counts(): ReturnType<Reader<T>['counts']> {
    const counts = this.#reader.counts();
    return { ...counts, refused: counts.refused + Math.max(this.#refusedAtStart, this.#link?.status()?.refused ?? 0) };
  }

  lastProblem(): ReturnType<Reader<T>['lastProblem']> {
    const own = this.#reader.lastProblem();
    const link = this.#linkProblem;
    return own && link ? (own.at > link.at ? own : link) : (own ?? link);
  }

  watch(onWake: () => void): () => void {
    this.#wakers.add(onWake);
    this.#rewatch();
    return () => {
      this.#wakers.delete(onWake);
      this.#rewatch();
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#linkTimer);
    this.#stopSeeking();
    this.#link?.drop();
    this.#wakers.clear();
    this.#rewatch();
    this.#reader.attach(undefined);
  }

  #attach(ring: Ring): void {
    if (this.#closed || ring.instance === this.#ring.instance) return;
    this.#ring = ring;
    this.#reader.attach(ring);
    if (ring.scope === 'process') {
      this.#link?.drop();
      this.#link = undefined;
    }
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#rewatch();
    this.#wake();
  }

  /** From other processes, unless this one has a writer of its own: a follower's part in the link costs a socket. */
  #follow(): void {
    const { key, maxBytes = DEFAULT_MAX_BYTES, pollInterval } = this.#options;
    if (this.#closed || this.#ring.scope === 'process') return;
    this.#link = linkClient.want(
      { role: 'follow', key, maxBytes, pollInterval, ring: () => this.#ring, ...placeSettings() },
      { onProblem: (error) => this.#fail(error) },
    );
  }

  #coldRing(): Ring {
    const { key, maxBytes = DEFAULT_MAX_BYTES } = this.#options;
    return coldRing(key, maxBytes, (error) => {
      if (error instanceof WireFormatError || error instanceof SnapshotTooLargeError) this.#refusedAtStart = 1;
      this.#fail(error);
    });
  }

  /** A bad file that is met at the start is met again by the link thread: the same failure in a row is told once. */
  #fail(error: Error): void {
    const before = this.#linkProblem?.error.message;
    this.#linkProblem = { error, at: systemClock.wall() };
    if (error.message !== before) report(error, this.#options.onError, `the host link of '${this.#options.key}'`);
  }

  #rewatch(): void {
    if (this.#wakers.size === 0) {
      this.#unwatch?.();
      this.#unwatch = undefined;
    } else {
      this.#unwatch ??= watch(this.#ring, () => this.#wake());
    }
  }

  #wake(): void {
    for (const onWake of Array.from(this.#wakers)) onWake();
  }
}

/** A reader without a value is initializing, whoever was heard; one with a value never is. */
function stateOf(state: RingState, hasValue: boolean): RingState {
  if (!hasValue) return state === 'closed' ? state : 'initializing';
  return state === 'initializing' ? 'interrupted' : state;
}
