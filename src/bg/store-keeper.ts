/** Where a writer also keeps its value, beside its ring. */
import { systemClock } from '../core/clock.js';
import type { MetricsCollector } from '../core/metrics.js';
import { type OnError, report } from '../core/report.js';
import type { SnapshotMeta } from '../core/snapshot.js';
import type { CacheStorage } from '../core/store.js';
import type { News } from '../link/ports.js';
import { confirmUnfenced, publishUnfenced } from '../link/redis/unfenced.js';
import type { Ring } from '../mirror/layout.js';
import { emitError } from '../metrics/events.js';
import { take } from '../mirror/protocol.js';
import { backoffDelay } from '../scheduler/backoff.js';
import type { RedisCache } from '../stores/redis/redis-cache.js';
import { isFleetStore } from './fleet-options.js';

export interface StoreKeeperOptions {
  readonly key: string;
  /** For metrics. */
  readonly name: string;
  readonly metrics: MetricsCollector | undefined;
  readonly onError: OnError | undefined;
  /** What was published last, and the ring that has its bytes. */
  read(): unknown;
  ring(): Ring;
}

export interface StoreKeeper {
  /** Called after each publication and confirmation. Never throws. */
  keep(meta: SnapshotMeta): void;
  stop(): void;
}

export function storeKeeper(store: CacheStorage, options: StoreKeeperOptions): StoreKeeper {
  // Numbers are given by a script, which can't seal them: readers find what a sealed store keeps when they look.
  if (isFleetStore(store) && !store.isSealed) return new RedisKeeper(store, options);
  return {
    keep: (meta) => void keepEntry(store, meta, options),
    stop: () => undefined,
  };
}

async function keepEntry(store: CacheStorage, meta: SnapshotMeta, options: StoreKeeperOptions): Promise<void> {
  try {
    const value = options.read();
    await store.setEntry(options.key, {
      value,
      createdAt: meta.createdAt / 1000,
      freshUntil: (meta.createdAt + meta.freshFor) / 1000,
    });
  } catch (error) {
    fail(error, options);
  }
}

function fail(error: unknown, { key, name, metrics, onError }: StoreKeeperOptions): void {
  metrics?.recordError(name, { operation: 'set', errorType: error instanceof Error ? error.name : 'Error' });
  emitError(name, 'set', error);
  report(error, onError, `the store of '${key}'`);
}

const RETRY = { base: 500, max: 5000 };

/**
 * In Redis with numbers, and announced: who follows the store elsewhere is told. One publication at a time, of the newest value only, again
 * until it succeeds or a newer one comes.
 */
class RedisKeeper implements StoreKeeper {
  readonly #store: RedisCache;
  readonly #options: StoreKeeperOptions;
  #wanted: SnapshotMeta | undefined;
  /** What this writer stored last, by its own number, and the numbers that it has in Redis. */
  #kept: { readonly meta: SnapshotMeta; readonly news: News } | undefined;
  #isRunning = false;
  #failures = 0;
  /** The message of the last failure that was told. */
  #told: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(store: RedisCache, options: StoreKeeperOptions) {
    this.#store = store;
    this.#options = options;
  }

  keep(meta: SnapshotMeta): void {
    this.#wanted = meta;
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    clearTimeout(this.#timer);
    try {
      while (this.#wanted) {
        const meta = this.#wanted;
        await this.#put(meta);
        if (this.#wanted === meta) this.#wanted = undefined;
      }
      this.#failures = 0;
      this.#told = undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : '';
      if (this.#told !== message) fail(error, this.#options);
      this.#told = message;
      if (!this.#stopped) this.#timer = setTimeout(() => void this.#run(), backoffDelay(this.#failures++, RETRY)).unref();
    } finally {
      this.#isRunning = false;
    }
  }

  async #put(meta: SnapshotMeta): Promise<void> {
    const { key } = this.#options;
    const where = { store: this.#store, key, clock: systemClock };
    const kept = this.#kept;
    const isTheSame = kept?.meta.epoch === meta.epoch && kept.meta.version === meta.version;
    if (isTheSame && (await confirmUnfenced(where, kept.news, meta))) return;
    const { serializer } = this.#store;
    const codec = serializer.name ?? '';
    const news = await publishUnfenced({ ...where, maxBytes: Number.MAX_SAFE_INTEGER }, { ...meta, codec, bytes: this.#bytes(codec) });
    this.#kept = { meta, news };
  }

  /** As the store's serializer makes them: where that is the writer's too, they are there already. */
  #bytes(codec: string): Uint8Array {
    const taken = take(this.#options.ring(), Number.POSITIVE_INFINITY);
    if ('bytes' in taken && codec !== '' && taken.meta.codec === codec) return taken.bytes;
    return this.#store.serializer.dumps(this.#options.read());
  }
}
