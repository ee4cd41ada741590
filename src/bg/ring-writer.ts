import { threadId } from 'node:worker_threads';
import type { Clock } from '../core/clock.js';
import { DuplicateWriterError, StoppedError } from '../core/errors.js';
import type { SnapshotMeta } from '../core/snapshot.js';
import { claim, disown, openRing, type Ring, writeHealth } from '../mirror/layout.js';
import { confirm, publish } from '../mirror/protocol.js';
import { Repeater, type RepeaterStatus } from '../scheduler/repeater.js';
import { KeyedPress } from './keyed-press.js';
import type { Work, WriterPlan } from './plan.js';
import { PlainPress, type Press, type Pressed } from './press.js';

export interface WriterEvents {
  onStarted?(): void;
  /** Also of a refresh that brought the same bytes: `meta` has the version that stays, and the new times. */
  onPublished(meta: SnapshotMeta, durationMs: number): void;
  onFailed(error: Error, durationMs: number): void;
}

/** Where the numbers of the next publications start. */
export interface Lead {
  readonly epoch: number;
  /** The last version that anyone published. */
  readonly version: number;
  /** The ring to publish into from now on; default the one before. */
  readonly buffer?: SharedArrayBuffer;
}

/** What does a plan: here, or in the dedicated thread. */
export interface Engine {
  /** Takes the ring and starts the schedule. */
  lead(lead: Lead): void;
  /** Stops the schedule and gives the ring back, without waiting for a run under way: what it brings is dropped. */
  standBy(): void;
  /** Runs the loader now, or joins the run under way; resolves when its value is published. */
  refresh(): Promise<void>;
  /** For good. Waits for a run under way, or aborts it. */
  stop(how: { abort: boolean }): Promise<void>;
  /** Of the schedule; `undefined` while standing by. */
  schedule(): RepeaterStatus | undefined;
}

/**
 * Runs a loader on a schedule and publishes what it gives into a ring, in the thread that made it. It stands by until
 * `lead` is called, and again after `standBy`.
 */
export class RingWriter<T> implements Engine {
  #ring: Ring;
  readonly #plan: WriterPlan;
  readonly #work: () => Work<T> | Promise<Work<T>>;
  readonly #events: WriterEvents;
  readonly #clock: Clock;
  readonly #press: Press<T>;
  #lead: { readonly epoch: number; version: number; published: boolean } | undefined;
  #repeater: Repeater | undefined;
  #failures = 0;
  #published = false;
  #startedAt = 0;
  #stopped = false;

  /** @param work asked before each run: what it throws is a failed refresh */
  constructor(ring: Ring, plan: WriterPlan, work: () => Work<T> | Promise<Work<T>>, events: WriterEvents, clock: Clock) {
    this.#ring = ring;
    this.#plan = plan;
    this.#work = work;
    this.#events = events;
    this.#clock = clock;
    this.#press = plan.keyed ? (new KeyedPress(ring, plan, clock) as unknown as Press<T>) : new PlainPress<T>(ring, plan, clock);
  }

  /**
   * @throws DuplicateWriterError when another thread has the ring
   */
  lead(lead: Lead): void {
    if (this.#stopped) return;
    // One schedule, however often the role is given: a link thread that was started anew gives it again.
    if (this.#lead) this.standBy();
    if (lead.buffer) {
      this.#ring = openRing(lead.buffer);
      this.#press.attach(this.#ring);
    }
    if (!claim(this.#ring, threadId)) throw new DuplicateWriterError(`'${this.#plan.key}' has a writer in another thread of this process`);
    this.#lead = { epoch: lead.epoch, version: lead.version, published: false };
    const { interval, runImmediately } = this.#plan;
    this.#repeater = new Repeater({
      name: `the loader of '${this.#plan.key}'`,
      interval: interval > 0 ? interval : Number.MAX_SAFE_INTEGER,
      run: (signal) => this.#run(signal),
      clock: this.#clock,
      runImmediately,
      ref: false,
      onError: (error) => this.#fail(error),
    });
    if (interval > 0) this.#repeater.start();
    // Its failure has gone to `onError`.
    else if (runImmediately) void this.#repeater.trigger().catch(() => {});
  }

  standBy(): void {
    const repeater = this.#repeater;
    this.#repeater = undefined;
    this.#lead = undefined;
    void repeater?.stop({ abort: true });
    disown(this.#ring, threadId);
  }

  refresh(): Promise<void> {
    if (this.#repeater) return this.#repeater.trigger();
    const why = this.#stopped
      ? 'is stopped'
      : 'stands by: another process has the writer, or it is not known yet who has it (await its `ready()`)';
    return Promise.reject(new StoppedError(`The writer of '${this.#plan.key}' ${why}`));
  }

  async stop({ abort }: { abort: boolean }): Promise<void> {
    this.#stopped = true;
    await this.#repeater?.stop({ abort });
    if (this.#lead) writeHealth(this.#ring, { state: 'closed' }, this.#clock.monotonic());
    this.#lead = undefined;
    disown(this.#ring, threadId);
  }

  schedule(): RepeaterStatus | undefined {
    return this.#repeater?.status();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { key, freshFor } = this.#plan;
    const clock = this.#clock;
    const lead = this.#lead;
    this.#startedAt = clock.monotonic();
    this.#events.onStarted?.();
    const work = await this.#work();
    const make = (): Promise<Pressed> => this.#press.make(work, signal);
    const pressed = await (work.trace ? work.trace(make) : make());
    if (lead === undefined || lead !== this.#lead) throw new StoppedError(`The writer of '${key}' stopped while its loader ran`);
    const now = clock.monotonic();
    // The same bytes again are a heartbeat, not a version: readers keep the object they have, and nothing travels.
    const unchanged = lead.published && pressed.isSame();
    const meta: SnapshotMeta = {
      epoch: lead.epoch,
      version: unchanged ? lead.version : lead.version + 1,
      createdAt: clock.wall(),
      createdAtMonotonic: now,
      freshFor,
      codec: pressed.codec,
    };
    // Before the value: whoever sees it sees who stands behind it.
    writeHealth(this.#ring, { state: 'live', failures: 0, lastOk: now }, now);
    if (unchanged) confirm(this.#ring, now);
    else publish(this.#ring, { ...meta, bytes: pressed.bytes });
    pressed.release();
    lead.version = meta.version;
    this.#failures = 0;
    lead.published = true;
    this.#published = true;
    this.#events.onPublished(meta, now - this.#startedAt);
  }

  #fail(error: Error): void {
    const now = this.#clock.monotonic();
    this.#failures++;
    if (this.#lead) {
      // A writer that never had a value is still initializing, however often it fails.
      writeHealth(this.#ring, { state: this.#published ? 'interrupted' : 'initializing', failures: this.#failures }, now);
    }
    this.#events.onFailed(error, now - this.#startedAt);
  }
}
