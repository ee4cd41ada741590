/** Where a writer also keeps its value, beside its ring. */
import { systemClock } from '../core/clock.js';
import type { MetricsCollector } from '../core/metrics.js';
import { type OnError, report } from '../core/report.js';
import type { SnapshotMeta } from '../core/snapshot.js';
import type { CacheStorage } from '../core/store.js';
import type { News } from '../link/ports.js';
import { confirmUnfenced, publishUnfenced } from '../link/redis/unfenced.js';
import type { Ring } from '../mirror/layout.js';
import { emitError, errorTypeOf } from '../metrics/events.js';
import { take } from '../mirror/protocol.js';
import { backoffDelay } from '../scheduler/backoff.js';
import type { RedisCache } from '../stores/redis/redis-cache.js';
import { isFleetStore } from './fleet-options.js';

export interface EntryKeeperOptions {
  readonly key: string;
  /** For metrics. */
  readonly name: string;
  readonly metrics: MetricsCollector | undefined;
  readonly onError: OnError | undefined;
  /** The newest value. */
  read(): unknown;
}

export interface StoreKeeperOptions extends EntryKeeperOptions {
  /** That has the bytes of what was published last. */
  ring(): Ring;
}

/** When a value was made, and for how long it is fresh (milliseconds). */
export type Times = Pick<SnapshotMeta, 'createdAt' | 'freshFor'>;

export interface StoreKeeper<M = SnapshotMeta> {
  /** Called after each publication and confirmation. Never throws. */
  keep(meta: M): void;
  /** Resolves when what was published last is kept, or that failed; with `abort` at once, also for those who wait already. Never rejects. */
  stop(how: { abort: boolean }): Promise<void>;
}

type Put<M> = (meta: M) => Promise<void>;

/** For a writer of a ring. */
export function storeKeeper(store: CacheStorage, options: StoreKeeperOptions): StoreKeeper {
  // Numbers are given by a script, which can't seal them: readers find what a sealed store keeps when they look.
  return isFleetStore(store) && !store.isSealed ? new NewestKeeper(redisPut(store, options), options) : entryKeeper(store, options);
}

/** As entries, as `cache()` keeps them. */
export function entryKeeper(store: CacheStorage, options: EntryKeeperOptions): StoreKeeper<Times> {
  return new NewestKeeper(entryPut(store, options), options);
}

const RETRY = { base: 500, max: 5000 };

/** One put at a time, of the newest value only, again until it succeeds or a newer one comes. */
class NewestKeeper<M> implements StoreKeeper<M> {
  readonly #put: Put<M>;
  readonly #options: EntryKeeperOptions;
  #wanted: M | undefined;
  #running: Promise<void> | undefined;
  #failures = 0;
  /** The message of the last failure that was told. */
  #told: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #letGo: () => void = () => undefined;
  readonly #aborted: Promise<void>;

  constructor(put: Put<M>, options: EntryKeeperOptions) {
    this.#put = put;
    this.#options = options;
    this.#aborted = new Promise((resolve) => (this.#letGo = resolve));
  }

  keep(meta: M): void {
    this.#wanted = meta;
    clearTimeout(this.#timer);
    this.#begin();
  }

  async stop({ abort }: { abort: boolean }): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (abort) this.#letGo();
    await Promise.race([this.#running, this.#aborted]);
  }

  #begin(): void {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      while (this.#wanted) {
        const meta = this.#wanted;
        await this.#put(meta);
        if (this.#wanted === meta) this.#wanted = undefined;
      }
      this.#failures = 0;
      this.#told = undefined;
    } catch (error) {
      const { key, name, metrics, onError } = this.#options;
      metrics?.recordError(name, { operation: 'set', errorType: errorTypeOf(error) });
      emitError(name, 'set', error);
      const message = error instanceof Error ? error.message : '';
      if (this.#told !== message) report(error, onError, `the store of '${key}'`);
      this.#told = message;
      if (!this.#stopped) this.#timer = setTimeout(() => this.#begin(), backoffDelay(this.#failures++, RETRY)).unref();
    }
  }
}

function entryPut(store: CacheStorage, { key, read }: EntryKeeperOptions): Put<Times> {
  return async (meta) => {
    await store.setEntry(key, {
      value: read(),
      createdAt: meta.createdAt / 1000,
      freshUntil: (meta.createdAt + meta.freshFor) / 1000,
    });
  };
}

/** In Redis with numbers, and announced: who follows the store elsewhere is told. */
function redisPut(store: RedisCache, { key, read, ring }: StoreKeeperOptions): Put<SnapshotMeta> {
  const where = { store, key, clock: systemClock };
  /** What this writer stored last, by its own number, and the numbers that it has in Redis. */
  let kept: { readonly meta: SnapshotMeta; readonly news: News } | undefined;

  /** As the store's serializer makes them: where that is the writer's too, they are there already. */
  const bytesAs = (codec: string): Uint8Array => {
    const taken = take(ring(), Number.POSITIVE_INFINITY);
    return 'bytes' in taken && codec !== '' && taken.meta.codec === codec ? taken.bytes : store.serializer.dumps(read());
  };
  return async (meta) => {
    const same = kept?.meta.epoch === meta.epoch && kept.meta.version === meta.version ? kept : undefined;
    if (same && (await confirmUnfenced(where, same.news, meta))) return;
    const codec = store.serializer.name ?? '';
    const news = await publishUnfenced({ ...where, maxBytes: Number.MAX_SAFE_INTEGER }, { ...meta, codec, bytes: bytesAs(codec) });
    kept = { meta, news };
  };
}
