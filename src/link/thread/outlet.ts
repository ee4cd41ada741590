import { StoreError } from '../../core/errors.js';
import { toError } from '../../core/report.js';
import { type Confirmation, isNewer, type Snapshot } from '../../core/snapshot.js';
import type { Ring } from '../../mirror/layout.js';
import { newestConfirmation, newestMeta, take, type Taken } from '../../mirror/protocol.js';
import { watch } from '../../mirror/watch.js';
import { type Backoff, backoffDelay } from '../../scheduler/backoff.js';
import { NO_NEWS, newsOf, type News } from '../ports.js';

const RETRY: Backoff = { base: 500, max: 500 };

/** Where the snapshots go: the publishing part of a candidate. */
export interface OutletTarget {
  publish(snapshot: Snapshot): Promise<void>;
  confirm(confirmation: Confirmation): Promise<void>;
}

export interface OutletOptions {
  /** In messages. */
  readonly name: string;
  readonly ring: Ring;
  readonly target: OutletTarget;
  /** Only snapshots of this epoch are sent; default all. */
  readonly epoch?: number;
  /** What is there already. */
  readonly since?: News;
  /** A failed attempt, after which it is tried again. */
  onProblem(error: Error): void;
  /** Of attempts after failures. Default 250 to 500 ms. */
  readonly retry?: Backoff;
}

/** Sends on what appears in a ring: the newest only, one after another, again and again until it has gone out. */
export class Outlet {
  readonly #options: OutletOptions;
  #unwatch: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #sent: News;
  /** When that was last confirmed: monotonic milliseconds. */
  #confirmedAt = 0;
  /** What is under way. Never rejects. */
  #sending: Promise<void> | undefined;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.#sent = options.since ?? NO_NEWS;
    this.#unwatch = watch(options.ring, () => this.#next());
    this.#next();
  }

  /** Nothing begins any more. */
  stop(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    clearTimeout(this.#retry);
  }

  /** `stop`, and one last attempt to send what is there. Never rejects. */
  async finish(): Promise<void> {
    this.stop();
    await this.#sending;
    await this.#sendNewest()?.catch((error: unknown) => this.#options.onProblem(toError(error)));
  }

  /**
   * Sends what is there now, or joins the sending.
   *
   * @throws what makes the attempt fail
   */
  async flush(): Promise<void> {
    while (this.#sending) await this.#sending;
    if (!this.#unwatch) return;
    await this.#begin();
  }

  #next(): void {
    void this.#begin()?.catch(() => undefined);
  }

  /** Those that were overtaken meanwhile are skipped. */
  #begin(): Promise<void> | undefined {
    if (!this.#unwatch || this.#sending) return undefined;
    const sending = this.#sendConfirmation() ?? this.#sendNewest();
    if (!sending) return undefined;
    clearTimeout(this.#retry);
    this.#sending = sending.then(
      () => {
        this.#sending = undefined;
        this.#failures = 0;
        this.#next();
      },
      (error: unknown) => {
        this.#sending = undefined;
        if (!this.#unwatch) return;
        this.#options.onProblem(toError(error));
        this.#retryLater();
      },
    );
    return sending;
  }

  #retryLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#next(), backoffDelay(this.#failures++, this.#options.retry ?? RETRY)).unref();
  }

  /** Of what was sent already: nothing but the news goes out. */
  #sendConfirmation(): Promise<void> | undefined {
    const confirmation = newestConfirmation(this.#options.ring);
    if (confirmation?.epoch !== this.#sent.epoch || confirmation.version !== this.#sent.version) return undefined;
    if (confirmation.createdAtMonotonic <= this.#confirmedAt) return undefined;
    this.#confirmedAt = confirmation.createdAtMonotonic;
    return this.#options.target.confirm(confirmation);
  }

  #sendNewest(): Promise<void> | undefined {
    const taken = this.#takeNewest();
    return taken && this.#send(taken);
  }

  #takeNewest(): Taken | undefined {
    const { name, ring, onProblem } = this.#options;
    // Before its bytes are copied.
    const newest = newestMeta(ring);
    if (newest && !this.#isDue(newest)) return undefined;
    const taken = take(ring, Number.POSITIVE_INFINITY);
    if ('bytes' in taken) return this.#isDue(taken.meta) ? taken : undefined;
    if (taken.why === 'busy') this.#retryLater();
    if (taken.why === 'corrupt') onProblem(new StoreError(`A snapshot of '${name}' in shared memory is corrupt, and is not sent on`));
    return undefined;
  }

  #isDue(news: News): boolean {
    const { epoch = news.epoch } = this.#options;
    return news.epoch === epoch && isNewer(news, this.#sent);
  }

  async #send({ meta, bytes }: Taken): Promise<void> {
    await this.#options.target.publish({ ...meta, bytes });
    if (isNewer(meta, this.#sent)) this.#sent = newsOf(meta);
  }
}
