import { systemClock } from '../core/clock.js';
import type { CacheEntry } from '../core/entry.js';
import { type OnError, report, toError } from '../core/report.js';
import type { SnapshotMeta } from '../core/snapshot.js';
import type { CacheStorage } from '../core/store.js';
import { deepFreeze } from '../mirror/freeze.js';
import type { ReaderCounts } from '../mirror/reader.js';
import { Repeater } from '../scheduler/repeater.js';
import type { MirrorState, Source } from './source.js';

export interface StoreSourceOptions {
  readonly key: string;
  readonly store: CacheStorage;
  /** Milliseconds between two looks into the store; 0: only the first. */
  readonly interval: number;
  readonly runImmediately: boolean;
  readonly freeze: boolean;
  readonly onError: OnError | undefined;
  readonly onPolled: (success: boolean, durationMs: number) => void;
}

/** Reads a store's entry every `interval`, and answers the last one in between. A store that is empty or down changes nothing. */
export class StoreSource<T> implements Source<T> {
  readonly #options: StoreSourceOptions;
  readonly #poll: Repeater;
  readonly #wakers = new Set<() => void>();
  readonly #counts: ReaderCounts = { reads: 0, decodes: 0, fallbacks: 0, refused: 0, regressed: 0 };
  #value: T | undefined;
  #meta: SnapshotMeta | undefined;
  #problem: { error: Error; at: number } | undefined;
  #state: MirrorState = 'initializing';
  #since: number = systemClock.monotonic();

  constructor(options: StoreSourceOptions) {
    this.#options = options;
    const { key, interval, runImmediately, onError } = options;
    this.#poll = new Repeater({
      name: `the mirror of '${key}'`,
      interval: interval > 0 ? interval : Number.MAX_SAFE_INTEGER,
      run: () => this.#look(),
      clock: systemClock,
      runImmediately,
      ref: false,
      onError: (error) => {
        this.#problem = { error, at: systemClock.wall() };
        if (this.#meta) this.#setState('interrupted');
        report(error, onError, `the mirror of '${key}'`);
      },
    });
    this.#poll.start();
  }

  readonly read = (): T | undefined => {
    this.#counts.reads++;
    return this.#value;
  };

  meta(): SnapshotMeta | undefined {
    return this.#meta;
  }

  version(): number {
    return this.#meta?.version ?? 0;
  }

  health(): ReturnType<Source<T>['health']> {
    const via = this.#meta && 'store';
    return { state: this.#state, since: this.#since, failures: this.#poll.status().consecutiveFailures, via, cold: false };
  }

  counts(): ReaderCounts {
    return { ...this.#counts };
  }

  lastProblem(): { error: Error; at: number } | undefined {
    return this.#problem;
  }

  watch(onWake: () => void): () => void {
    this.#wakers.add(onWake);
    return () => {
      this.#wakers.delete(onWake);
    };
  }

  close(): void {
    this.#setState('closed');
    this.#wakers.clear();
    void this.#poll.stop();
  }

  async #look(): Promise<void> {
    const { key, store, onPolled } = this.#options;
    const startedAt = systemClock.monotonic();
    try {
      // The entry, not the value: an entry past its time is still the last good value.
      const entry = await store.getEntry(key);
      if (this.#state === 'closed') return;
      if (entry) this.#adopt(entry);
      onPolled(true, systemClock.monotonic() - startedAt);
    } catch (thrown) {
      onPolled(false, systemClock.monotonic() - startedAt);
      throw toError(thrown);
    }
  }

  #adopt(entry: CacheEntry): void {
    this.#setState('live');
    const createdAt = entry.createdAt * 1000;
    // The same entry again: readers keep the object they have.
    if (this.#meta && createdAt <= this.#meta.createdAt) {
      if (createdAt < this.#meta.createdAt) this.#counts.regressed++;
      return;
    }
    this.#counts.decodes++;
    this.#value = (this.#options.freeze ? deepFreeze(entry.value) : entry.value) as T;
    this.#meta = {
      epoch: 0,
      version: (this.#meta?.version ?? 0) + 1,
      createdAt,
      // The store's moment is another machine's wall time: never in the future of this one.
      createdAtMonotonic: systemClock.monotonic() - Math.max(0, systemClock.wall() - createdAt),
      freshFor: (entry.freshUntil - entry.createdAt) * 1000,
      codec: '',
    };
    for (const onWake of Array.from(this.#wakers)) onWake();
  }

  #setState(state: MirrorState): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.#since = systemClock.monotonic();
  }
}
