import type { Clock } from '../../core/clock.js';
import type { Folder } from './folder.js';
import { type Life, decodeLife } from './layout.js';

/** A sweep of one shard comes with every so many writes, so that each of the 256 is swept every 8,192 writes. */
const WRITES = 32;
/** So many entries of the shard are looked at then: more than come to it in that time. */
const LOOKS = 200;

/** Deletes what nobody reads any more: in small portions as it goes, with the writes; there is no timer. */
export class Sweeper {
  readonly #folder: Folder;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  #writes = Math.floor(Math.random() * WRITES);
  #isRunning = false;

  constructor(folder: Folder, clock: Clock, onError: (error: unknown) => void) {
    this.#folder = folder;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** Now and then sweeps a bit, in the background. */
  wrote(): void {
    if (++this.#writes < WRITES || this.#isRunning) return;
    this.#writes = 0;
    this.#isRunning = true;
    this.#sweepOne()
      .catch(this.#onError)
      .finally(() => (this.#isRunning = false));
  }

  /** Everything; answers how many entries were deleted. */
  async sweep(): Promise<number> {
    let deleted = 0;
    for (const shard of await this.#folder.shards()) deleted += await this.#sweep(await this.#folder.entries(shard));
    return deleted;
  }

  /** Deletes every file that begins as one of ours, fresh or not. */
  async clear(): Promise<void> {
    for (const shard of await this.#folder.shards()) {
      for (const path of await this.#folder.entries(shard)) {
        if (await this.#head(path)) await this.#folder.delete(path);
      }
    }
  }

  async #sweepOne(): Promise<void> {
    const shards = await this.#folder.shards();
    const shard = shards[Math.floor(Math.random() * shards.length)];
    if (shard === undefined) return;
    const entries = await this.#folder.entries(shard);
    // From anywhere: the first ones of a directory may be fresh for ever.
    const from = Math.floor(Math.random() * entries.length);
    await this.#sweep([...entries.slice(from), ...entries.slice(0, from)].slice(0, LOOKS));
  }

  async #sweep(paths: readonly string[]): Promise<number> {
    let deleted = 0;
    for (const path of paths) {
      const head = await this.#head(path);
      if (!head || this.#clock.wall() / 1000 < head.life.heldUntil) continue;
      if (await this.#folder.remove(path, head.identity)) deleted += 1;
    }
    return deleted;
  }

  async #head(path: string): Promise<{ readonly life: Life; readonly identity: string } | undefined> {
    const head = await this.#folder.head(path);
    try {
      return head && { life: decodeLife(head.bytes), identity: head.identity };
    } catch {
      // Nothing of ours, or nothing whole: whoever reads it reports it.
      return undefined;
    }
  }
}
