import { systemClock } from '../core/clock.js';
import type { OnError } from '../core/report.js';
import { report } from '../core/report.js';
import type { Serializer } from '../core/serializer.js';
import { DEFAULT_MAX_BYTES } from '../core/snapshot.js';
import { linkClient, type LinkHandle } from '../link/thread/link-client.js';
import { findRing, seekRing } from '../mirror/directory.js';
import { type Ring, readHealth } from '../mirror/layout.js';
import { createReader, type Reader } from '../mirror/reader.js';
import { watch } from '../mirror/watch.js';
import { coldRing, placeSettings } from './host-ring.js';
import type { Source } from './source.js';

/** How long (milliseconds) a writer in this process has to show up before one is looked for in other processes. */
const OWN_PROCESS_FIRST = 20;

export interface RingSourceOptions {
  readonly key: string;
  /** Milliseconds between two looks at the host's file, should announcements be lost. */
  readonly pollInterval: number;
  readonly maxBytes: number | undefined;
  readonly freeze: boolean;
  readonly serializer: Serializer | undefined;
  readonly onError: OnError | undefined;
}

/** Reads from a ring: one that this process has, or one that the link thread fills from another process of the host. */
export class RingSource<T> implements Source<T> {
  readonly read: () => T | undefined;
  readonly #options: RingSourceOptions;
  readonly #reader: Reader<T>;
  readonly #wakers = new Set<() => void>();
  #ring: Ring | undefined;
  #unwatch: (() => void) | undefined;
  readonly #stopSeeking: () => void;
  #link: LinkHandle | undefined;
  #linkTimer: NodeJS.Timeout | undefined;
  #linkProblem: { error: Error; at: number } | undefined;
  #closed = false;

  constructor(options: RingSourceOptions) {
    const { key, maxBytes, freeze, serializer, onError } = options;
    this.#options = options;
    this.#reader = createReader<T>({
      key,
      // What is in this process's memory is the writer's business; the limit is for what comes from outside.
      maxBytes: maxBytes ?? Number.POSITIVE_INFINITY,
      freeze,
      clock: systemClock,
      ...(serializer ? { serializer } : {}),
      ...(onError ? { onError } : {}),
    });
    this.read = this.#reader.read;
    if (!findRing(key)) this.#attach(coldRing(key, maxBytes ?? DEFAULT_MAX_BYTES, onError));
    this.#stopSeeking = seekRing(key, (ring) => this.#attach(ring));
    this.#linkTimer = setTimeout(() => this.#follow(), this.#ring?.scope === 'host' ? 0 : OWN_PROCESS_FIRST).unref();
  }

  meta(): ReturnType<Reader<T>['meta']> {
    return this.#reader.meta();
  }

  version(): number {
    return this.#reader.version();
  }

  health(): ReturnType<Source<T>['health']> {
    const health = this.#ring && readHealth(this.#ring);
    const state = this.#closed ? 'closed' : (health?.state ?? 'initializing');
    return {
      // Of a value that is there, nobody says that it is still to come.
      state: state === 'initializing' && this.#reader.meta() ? 'interrupted' : state,
      since: health?.since ?? 0,
      failures: health?.failures ?? 0,
      via: this.#reader.meta() && this.#ring?.scope,
      cold: this.#ring?.scope === 'host' && health?.lastOk === 0,
    };
  }

  counts(): ReturnType<Reader<T>['counts']> {
    return this.#reader.counts();
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
    if (this.#closed || ring.instance === this.#ring?.instance) return;
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
    const { key, maxBytes, pollInterval, onError } = this.#options;
    const ring = this.#ring;
    if (this.#closed || !ring || ring.scope === 'process') return;
    this.#link = linkClient.want(
      { role: 'follow', key, maxBytes: maxBytes ?? DEFAULT_MAX_BYTES, pollInterval, buffer: ring.buffer, ...placeSettings() },
      {
        onProblem: (error) => {
          this.#linkProblem = { error, at: systemClock.wall() };
          report(error, onError, `the host link of '${key}'`);
        },
      },
    );
  }

  #rewatch(): void {
    if (this.#wakers.size === 0 || !this.#ring) {
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
