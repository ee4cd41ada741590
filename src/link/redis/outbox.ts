/**
 * What the writer wants Redis to have, and the way there: one step at a time, repeated with back-off until it is so. Of several snapshots that
 * wait only the newest is stored.
 *
 * It is no queue of commands but a difference between two states, so every failure has the same cure: look at the difference again.
 * Whether a step that failed happened after all is never assumed; it is repeated, which the scripts allow.
 */
import { crc32 } from 'node:zlib';
import type { Clock, Timer } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { type Confirmation, isNewer, type Snapshot } from '../../core/snapshot.js';
import { backoffDelay } from '../../scheduler/backoff.js';
import { NO_NEWS } from '../ports.js';

const BACKOFF = { base: 250, max: 2000 };

/** A snapshot with the CRC32 of its bytes. */
export interface Wanted extends Snapshot {
  readonly checksum: number;
}

/** The two steps. Each rejects where it failed. */
export interface Delivery {
  /** Stores the snapshot and announces it. */
  publish(snapshot: Wanted): Promise<void>;
  /** Gives what is stored a new time. Answers `false` where Redis has something else. */
  confirm(snapshot: Wanted): Promise<boolean>;
  onFailure(error: unknown): void;
}

interface Waiter {
  readonly for: Confirmation;
  resolve(): void;
  reject(error: unknown): void;
}

export class Outbox {
  readonly #delivery: Delivery;
  readonly #clock: Clock;
  #wanted: Wanted | undefined;
  /** What Redis has, as far as is known. */
  #stored: Confirmation | undefined;
  /** A publish that failed: it may have happened all the same. */
  #unsure: Wanted | undefined;
  #waiters: Waiter[] = [];
  #isRunning = false;
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  /** Why nothing more is taken, and whether what was taken is still delivered. */
  #over: Error | undefined;
  #isAbandoned = false;

  /** @param clock whose timers don't keep a process alive */
  constructor(delivery: Delivery, clock: Clock) {
    this.#delivery = delivery;
    this.#clock = clock;
  }

  /** What is stored or shall be; `undefined` before the first. */
  get wanted(): Snapshot | undefined {
    return this.#wanted;
  }

  /** The version that is known to be stored; 0 for none. */
  get storedVersion(): number {
    return this.#stored?.version ?? 0;
  }

  /** @throws StoreError for what isn't newer than the last, unless it is the very same */
  publish(snapshot: Snapshot): Promise<void> {
    if (this.#over) return Promise.reject(this.#over);
    const checksum = crc32(snapshot.bytes);
    const last = this.#wanted ?? NO_NEWS;
    if (isNewer(snapshot, last)) {
      this.#wanted = { ...snapshot, checksum };
      this.#retry?.cancel();
      this.#retry = undefined;
    } else if (isNewer(last, snapshot) || checksum !== this.#wanted?.checksum) {
      const text = `Expected a snapshot newer than epoch ${last.epoch}, version ${last.version}, got ${snapshot.epoch}, ${snapshot.version}`;
      return Promise.reject(new StoreError(text));
    }
    return this.#wait(this.#wanted as Wanted);
  }

  /** @throws StoreError unless it is of what was published last */
  confirm(confirmation: Confirmation): Promise<void> {
    if (this.#over) return Promise.reject(this.#over);
    const wanted = this.#wanted;
    if (wanted?.epoch !== confirmation.epoch || wanted.version !== confirmation.version) {
      return Promise.reject(new StoreError("Can't confirm a snapshot other than the one that was published last"));
    }
    if (confirmation.createdAtMonotonic > wanted.createdAtMonotonic) {
      const { createdAt, createdAtMonotonic } = confirmation;
      this.#wanted = { ...wanted, createdAt, createdAtMonotonic };
    }
    return this.#wait(this.#wanted as Wanted);
  }

  /** Redis doesn't have what was stored: it was emptied, failed over, or somebody wrote over it. */
  restore(): void {
    if (!this.#stored || this.#isRunning) return;
    this.#stored = undefined;
    this.#go();
  }

  /** Redis can be asked again: a retry that is due later is made now. */
  hurry(): void {
    if (!this.#retry) return;
    this.#retry.cancel();
    this.#retry = undefined;
    this.#go();
  }

  /** Takes no more; resolves when what it had taken is stored, or failed. */
  async finish(error: Error): Promise<void> {
    this.#over = error;
    await this.#running;
    this.abandon(error);
  }

  /** Takes no more, and gives up what is not stored. */
  abandon(error: Error): void {
    this.#over = error;
    this.#isAbandoned = true;
    this.#retry?.cancel();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
  }

  #wait(wanted: Confirmation): Promise<void> {
    const done = new Promise<void>((resolve, reject) => this.#waiters.push({ for: wanted, resolve, reject }));
    // While a retry is due, one that wants the same waits for it too.
    if (!this.#retry) this.#go();
    return done;
  }

  #go(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (!this.#isAbandoned) {
      const target = this.#wanted;
      if (!target || (this.#stored && !isLater(target, this.#stored))) {
        this.#settle(target);
        break;
      }
      try {
        if (await this.#step(target)) {
          this.#stored = target;
          this.#settle(target);
        }
        this.#failures = 0;
      } catch (error) {
        this.#settle(target, error);
        // A newer one that came meanwhile has its own attempt.
        if (this.#isAbandoned || this.#wanted !== target) continue;
        this.#delivery.onFailure(error);
        this.#retryLater();
        break;
      }
    }
    // In the same turn as the last check: what is wanted from now on begins anew.
    this.#isRunning = false;
  }

  /** Answers whether Redis has it now. */
  async #step(target: Wanted): Promise<boolean> {
    const maybe = this.#stored ?? this.#unsure;
    if (maybe?.epoch === target.epoch && maybe.version === target.version) {
      this.#unsure = undefined;
      if (await this.#delivery.confirm(target)) return true;
      this.#stored = undefined;
      return false;
    }
    try {
      await this.#delivery.publish(target);
      return true;
    } catch (error) {
      this.#unsure = target;
      throw error;
    }
  }

  #retryLater(): void {
    this.#retry = this.#clock.setTimer(
      () => {
        this.#retry = undefined;
        this.#go();
      },
      backoffDelay(this.#failures++, BACKOFF),
    );
  }

  /** Answers those who waited for this or an older one. */
  #settle(target: Confirmation | undefined, error?: unknown): void {
    const [settled, waiting] = [[], []] as [Waiter[], Waiter[]];
    for (const waiter of this.#waiters) (target && isLater(waiter.for, target) ? waiting : settled).push(waiter);
    this.#waiters = waiting;
    for (const { resolve, reject } of settled) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}

function isLater(a: Confirmation, b: Confirmation): boolean {
  return isNewer(a, b) || (!isNewer(b, a) && a.createdAtMonotonic > b.createdAtMonotonic);
}
