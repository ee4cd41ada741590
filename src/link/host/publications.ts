/** Publishes one after another. Of those that wait, only the newest is made. */
import { StoreError } from '../../core/errors.js';
import { isNewer, type Snapshot } from '../../core/snapshot.js';
import { newsOf, type News } from '../ports.js';

interface Waiting {
  snapshot: Snapshot;
  readonly done: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

export class Publications {
  readonly #write: (snapshot: Snapshot) => Promise<void>;
  /** The newest that was stored. */
  #stored: News;
  #current: Snapshot | undefined;
  #waiting: Waiting | undefined;
  #idle: Promise<void> = Promise.resolve();
  #over: Error | undefined;

  constructor(last: News, write: (snapshot: Snapshot) => Promise<void>) {
    this.#stored = newsOf(last);
    this.#write = write;
  }

  /** The newest that a reader can have of this writer. */
  get newest(): News {
    return this.#waiting?.snapshot ?? this.#current ?? this.#stored;
  }

  /** Resolves when the publish under way is made, or failed. */
  get settled(): Promise<void> {
    return this.#idle;
  }

  add(snapshot: Snapshot): Promise<void> {
    if (this.#over) return Promise.reject(this.#over);
    const last = this.newest;
    if (!isNewer(snapshot, last)) {
      return Promise.reject(
        new StoreError(
          `Expected a snapshot newer than epoch ${last.epoch}, version ${last.version}, got ${snapshot.epoch}, ${snapshot.version}`,
        ),
      );
    }
    if (!this.#current) return this.#begin(snapshot);
    if (this.#waiting) this.#waiting.snapshot = snapshot;
    else this.#waiting = waiting(snapshot);
    return this.#waiting.done;
  }

  /** Takes no more; resolves when what it had taken is made. */
  async finish(error: Error): Promise<void> {
    this.#over = error;
    while (this.#current) await this.#idle;
  }

  /** Takes no more, and refuses what has not begun. */
  abandon(error: Error): void {
    this.#over = error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  #begin(snapshot: Snapshot): Promise<void> {
    this.#current = snapshot;
    const written = this.#write(snapshot).then(
      () => {
        this.#stored = newsOf(snapshot);
        this.#next();
      },
      (error: unknown) => {
        this.#next();
        throw error;
      },
    );
    this.#idle = written.catch(() => undefined);
    return written;
  }

  #next(): void {
    this.#current = undefined;
    const next = this.#waiting;
    this.#waiting = undefined;
    if (next) this.#begin(next.snapshot).then(next.resolve, next.reject);
  }
}

function waiting(snapshot: Snapshot): Waiting {
  let resolve = (): void => undefined;
  let reject = (_error: unknown): void => undefined;
  const done = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { snapshot, done, resolve, reject };
}
