import type { Clock, Timer } from '../core/clock.js';
import { ProtocolError, StoppedError, TimeoutError } from '../core/errors.js';
import { unpackError } from '../core/packed-error.js';
import { disown, openRing, type Ring, writeHealth } from '../mirror/layout.js';
import { newestMeta } from '../mirror/protocol.js';
import type { RepeaterStatus } from '../scheduler/repeater.js';
import { SupervisedThread, type ThreadDown } from '../scheduler/supervised-thread.js';
import type { SerializerName } from '../serializers/resolve.js';
import type { FromLoaderThread, ToLoaderThread } from './loader-messages.js';
import type { WriterPlan } from './plan.js';
import type { Engine, Lead, WriterEvents } from './ring-writer.js';

/** What a loader that blocks its thread gets beyond its `timeout` before the thread is ended: its timer can't fire there. */
const GRACE_MS = 1000;

/** Why a thread is replaced whose modules all failed while they were evaluated. */
const FRESH_START = new StoppedError('No module of the dedicated thread could be loaded: it is started anew');

/** The dedicated thread of this thread's registrations: one for all of them, made with the first, ended with `stop`. */
export class LoaderThread {
  readonly #thread: SupervisedThread;
  readonly #engines = new Map<number, LoaderEngine>();
  readonly #calls = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  #nextCall = 1;

  constructor(clock: Clock) {
    this.#thread = new SupervisedThread({
      url: new URL('./loader-thread.js', import.meta.url),
      name: 'advanced-caching loaders',
      clock,
      ref: false,
      onMessage: (message) => this.#receive(message as FromLoaderThread),
      onUp: (worker) => {
        for (const engine of this.#engines.values()) for (const message of engine.introduction()) worker.postMessage(message);
      },
      onDown: (down) => this.#down(down),
    });
  }

  add(engine: LoaderEngine): void {
    this.#engines.set(engine.id, engine);
    // A thread that isn't up yet gets the introduction in `onUp`.
    if (this.#thread.status().state === 'up') for (const message of engine.introduction()) this.#thread.post(message);
    else this.#thread.start();
  }

  /** For a thread that is up; one that isn't learns the state in `onUp`. */
  tell(message: ToLoaderThread): void {
    if (this.#thread.status().state === 'up') this.#thread.post(message);
  }

  call(message: (call: number) => ToLoaderThread): Promise<void> {
    const call = this.#nextCall++;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      // Whoever awaits an answer means to get it: without this the process may end first.
      this.#thread.ref();
      if (!this.#thread.post(message(call))) {
        this.#settled(call);
        reject(new StoppedError('The dedicated thread is stopped'));
      }
    });
  }

  remove(id: number): void {
    this.#engines.delete(id);
  }

  restart(reason: Error): void {
    this.#thread.restart(reason);
  }

  status(): ReturnType<SupervisedThread['status']> {
    return this.#thread.status();
  }

  async stop(timeout: number): Promise<void> {
    await this.#thread.stop(timeout);
    this.#failCalls(new StoppedError('The dedicated thread is stopped'));
  }

  #receive(message: FromLoaderThread): void {
    if (message.type !== 'done') {
      this.#engines.get(message.id)?.receive(message);
      // A thread in which others run well is left to them: a restart would run all their loaders, due or not.
      if ([...this.#engines.values()].every((engine) => engine.stuck)) this.#thread.restart(FRESH_START);
      return;
    }
    const call = this.#calls.get(message.call);
    this.#settled(message.call);
    if (message.error) call?.reject(unpackError(message.error));
    else call?.resolve();
  }

  #down({ error, exitCode, threadId }: ThreadDown): void {
    const reason =
      error ?? new StoppedError(`The dedicated thread ended by itself (exit code ${exitCode}): did a loader call process.exit()?`);
    const engines = [...this.#engines.values()];
    // Whose loader ran is to blame; where none did, nobody knows. What led to a fresh start was reported when it failed.
    const isToBlame = engines.some((engine) => engine.running) ? (engine: LoaderEngine) => engine.running : () => error !== FRESH_START;
    for (const engine of engines) engine.threadDied(threadId, isToBlame(engine) ? reason : undefined);
    this.#failCalls(reason);
  }

  #failCalls(reason: Error): void {
    for (const [id, { reject }] of this.#calls) {
      this.#settled(id);
      reject(reason);
    }
  }

  #settled(call: number): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#thread.unref();
  }
}

let nextId = 1;

/** A writer whose loader is a module: the `RingWriter` is in the dedicated thread, and this is its shadow here. */
export class LoaderEngine implements Engine {
  readonly id: number = nextId++;
  readonly #thread: LoaderThread;
  #ring: Ring;
  readonly #plan: WriterPlan;
  readonly #href: string;
  readonly #serializer: SerializerName | undefined;
  readonly #events: WriterEvents;
  readonly #clock: Clock;
  #lead: Lead | undefined;
  #schedule: RepeaterStatus | undefined;
  #watchdog: Timer | undefined;
  #failures = 0;
  /** Whether the loader is running, as far as was heard. */
  running = false;
  /** Whether its module can't be loaded in the thread that is there. */
  stuck = false;

  constructor(
    thread: LoaderThread,
    ring: Ring,
    plan: WriterPlan,
    module: { href: string; serializer: SerializerName | undefined },
    events: WriterEvents,
    clock: Clock,
  ) {
    this.#thread = thread;
    this.#ring = ring;
    this.#plan = plan;
    this.#href = module.href;
    this.#serializer = module.serializer;
    this.#events = events;
    this.#clock = clock;
    thread.add(this);
  }

  /** What a thread that starts from nothing has to hear. */
  introduction(): ToLoaderThread[] {
    const add: ToLoaderThread = {
      type: 'add',
      id: this.id,
      plan: this.#plan,
      href: this.#href,
      serializer: this.#serializer,
      buffer: this.#ring.buffer,
    };
    return this.#lead ? [add, { type: 'lead', id: this.id, lead: this.#lead }] : [add];
  }

  lead(lead: Lead): void {
    if (lead.buffer) this.#ring = openRing(lead.buffer);
    this.#lead = lead;
    this.#thread.tell({ type: 'lead', id: this.id, lead });
  }

  standBy(): void {
    this.#lead = undefined;
    this.#schedule = undefined;
    this.#thread.tell({ type: 'stand-by', id: this.id });
  }

  refresh(): Promise<void> {
    return this.#thread.call((call) => ({ type: 'refresh', id: this.id, call }));
  }

  async stop({ abort }: { abort: boolean }): Promise<void> {
    this.#lead = undefined;
    // The watchdog stays: a loader that blocks its thread would not hear of the stop.
    if (this.#thread.status().state === 'up') {
      await this.#thread
        .call((call) => ({ type: 'stop', id: this.id, call, abort }))
        .catch(() => {
          // The thread died meanwhile: it is stopped all the same.
        });
    }
    this.#watchdog?.cancel();
    this.#thread.remove(this.id);
  }

  schedule(): RepeaterStatus | undefined {
    return this.#schedule;
  }

  receive(message: Exclude<FromLoaderThread, { type: 'done' }>): void {
    this.running = message.type === 'started';
    this.#watchdog?.cancel();
    this.#watchdog = undefined;
    switch (message.type) {
      case 'started':
        this.#watch();
        this.#events.onStarted?.();
        return;
      case 'published':
        this.#failures = 0;
        this.#schedule = message.schedule;
        if (this.#lead?.epoch === message.meta.epoch) this.#lead = { ...this.#lead, version: message.meta.version };
        this.#events.onPublished(message.meta, message.durationMs);
        return;
      case 'failed':
        this.#failures++;
        this.stuck = message.stuck;
        this.#schedule = message.schedule;
        this.#events.onFailed(unpackError(message.error), message.durationMs);
        return;
      default:
        throw new ProtocolError(`The dedicated thread said '${String((message as { type: unknown }).type)}'`);
    }
  }

  /** The thread's `exit` event came: it is provably dead, and its successor may go on with the ring. */
  threadDied(threadId: number | undefined, reason: Error | undefined): void {
    this.running = false;
    this.stuck = false;
    this.#watchdog?.cancel();
    if (threadId !== undefined) disown(this.#ring, threadId);
    const newest = newestMeta(this.#ring);
    if (this.#lead && newest?.epoch === this.#lead.epoch)
      this.#lead = { ...this.#lead, version: Math.max(newest.version, this.#lead.version) };
    if (!reason) return;
    this.#failures++;
    if (this.#lead) {
      writeHealth(this.#ring, { state: newest ? 'interrupted' : 'initializing', failures: this.#failures }, this.#clock.monotonic());
    }
    this.#events.onFailed(reason, 0);
  }

  #watch(): void {
    const { timeout } = this.#plan;
    if (timeout !== undefined) this.#guard(timeout, timeout + GRACE_MS);
  }

  /**
   * A watchdog that is late itself says that this event loop was blocked, or the machine suspended: what the thread told meanwhile is still
   * unread, so it waits once more.
   */
  #guard(timeout: number, ms: number): void {
    const due = this.#clock.monotonic() + ms;
    this.#watchdog = this.#clock.setTimer(() => {
      if (ms > GRACE_MS && this.#clock.monotonic() - due > GRACE_MS / 2) {
        this.#guard(timeout, GRACE_MS);
        return;
      }
      const { key } = this.#plan;
      this.#thread.restart(
        new TimeoutError(`The loader of '${key}' blocked its thread past its timeout of ${timeout} ms: the thread is started anew`),
      );
    }, ms);
    this.#watchdog.unref();
  }
}
