/** Brings what is newer from the file into the process: one read at a time, never backward, a bad file tried once. */
import { AdvancedCachingError, WireFormatError } from '../../core/errors.js';
import { isNewer, type Snapshot } from '../../core/snapshot.js';
import { NO_NEWS, newsOf, type News } from '../ports.js';
import type { SnapshotFile } from './snapshot-file.js';

export interface PullerEvents {
  onSnapshot(snapshot: Snapshot): void;
  onFailure(error: unknown): void;
  onSuccess(): void;
}

export class Puller {
  /** What was handed over last; callers compare with it. */
  have: News = NO_NEWS;
  /** Files that were refused. */
  refused = 0;
  readonly #file: SnapshotFile;
  readonly #events: PullerEvents;
  #seen: string | undefined;
  #bad: string | undefined;
  #wanted: News = NO_NEWS;
  #again = false;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(file: SnapshotFile, events: PullerEvents) {
    this.#file = file;
    this.#events = events;
  }

  /** Looks into the file; `news` says what should be in it. Asked while a read runs, it looks once more after that. Never rejects. */
  pull(news: News = NO_NEWS): Promise<void> {
    if (isNewer(news, this.#wanted)) this.#wanted = news;
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Resolves when nothing is read any more. After `close`, nothing is handed over. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#running ?? Promise.resolve();
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        await this.#look();
        if (!this.#closed) this.#events.onSuccess();
      } catch (error) {
        if (!this.#closed) this.#events.onFailure(error);
      }
    }
  }

  async #look(): Promise<void> {
    const identity = await this.#file.identity();
    if (identity === undefined || identity === this.#bad) return;
    // A file may look like the one before it (an inode is used again, the clock of the file system is coarse): news decides.
    if (identity === this.#seen && !isNewer(this.#wanted, this.have)) return;
    try {
      const loaded = await this.#file.load();
      if (!loaded) return;
      this.#seen = loaded.identity;
      this.#bad = undefined;
      if (this.#closed || !isNewer(loaded.snapshot, this.have)) return;
      this.have = newsOf(loaded.snapshot);
      this.#events.onSnapshot(loaded.snapshot);
    } catch (error) {
      if (isVerdict(error)) {
        // Reading it again would give the same: the next file is waited for.
        this.#bad = identity;
        this.refused += 1;
      }
      throw error;
    }
  }
}

/** Whether the file itself was found wanting, and not the attempt to read it (which has the system's error as its cause). */
function isVerdict(error: unknown): boolean {
  return error instanceof WireFormatError || (AdvancedCachingError.is(error) && error.cause === undefined);
}
