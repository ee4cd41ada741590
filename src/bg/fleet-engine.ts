import { threadId } from 'node:worker_threads';
import { StoppedError } from '../core/errors.js';
import type { Confirmation, Snapshot, SnapshotMeta } from '../core/snapshot.js';
import { isNewer } from '../core/snapshot.js';
import { Outlet, type OutletTarget } from '../link/thread/outlet.js';
import { claim, createRing, disown, type Ring } from '../mirror/layout.js';
import { newestMeta, publish } from '../mirror/protocol.js';
import type { RepeaterStatus } from '../scheduler/repeater.js';
import type { WriterPlan } from './plan.js';
import type { Engine, Lead, WriterEvents } from './ring-writer.js';

/** A publication that failed is tried again by the link; this is how soon it is asked how that went. */
const RETRY = { base: 100, max: 250 };

export interface FleetEngineEvents extends WriterEvents {
  /** What was loaded hasn't got to Redis. The link tells it, and tries again. */
  onHeldBack(error: Error): void;
}

/**
 * The engine of a fleet's writer. What it loads goes into a ring that nobody reads, from there to Redis, and only what Redis took is
 * given to readers, those of this very process included: a writer that lost its role in the meantime has shown nothing to anybody.
 */
export class FleetEngine implements Engine {
  readonly #key: string;
  readonly #inner: Engine;
  readonly #events: FleetEngineEvents;
  readonly #target: OutletTarget;
  readonly #staging: Ring;
  #outlet: Outlet | undefined;
  #loaded: { readonly meta: SnapshotMeta; readonly durationMs: number } | undefined;

  /** @param target publishes to Redis, then to this host */
  constructor(plan: WriterPlan, makeInner: (ring: Ring, events: WriterEvents) => Engine, target: OutletTarget, events: FleetEngineEvents) {
    this.#key = plan.key;
    this.#target = target;
    this.#events = events;
    this.#staging = createRing(plan.maxBytes, { slots: 2, scope: 'fleet' });
    this.#inner = makeInner(this.#staging, {
      onStarted: () => events.onStarted?.(),
      onPublished: (meta, durationMs) => {
        this.#loaded = { meta, durationMs };
      },
      onFailed: (error, durationMs) => events.onFailed(error, durationMs),
    });
  }

  /** @param last what the last writer left, for the loader's `previous` */
  lead({ epoch, version }: Lead, last?: Snapshot): void {
    this.#outlet?.stop();
    if (last) this.#seed(last);
    this.#outlet = new Outlet({
      name: this.#key,
      ring: this.#staging,
      target: {
        publish: (snapshot) => this.#deliver(this.#target.publish(snapshot)),
        confirm: (confirmation: Confirmation) => this.#deliver(this.#target.confirm(confirmation)),
      },
      epoch,
      onProblem: (error) => this.#events.onHeldBack(error),
      retry: RETRY,
    });
    this.#inner.lead({ epoch, version });
  }

  standBy(): void {
    this.#outlet?.stop();
    this.#outlet = undefined;
    this.#inner.standBy();
  }

  /** Resolves when Redis has it. */
  async refresh(): Promise<void> {
    await this.#inner.refresh();
    if (!this.#outlet) throw new StoppedError(`The writer of '${this.#key}' lost its role while its loader ran`);
    await this.#outlet.flush();
  }

  async stop(how: { abort: boolean }): Promise<void> {
    await this.#inner.stop(how);
    await this.#outlet?.finish();
    this.#outlet = undefined;
  }

  schedule(): RepeaterStatus | undefined {
    return this.#inner.schedule();
  }

  async #deliver(done: Promise<void>): Promise<void> {
    await done;
    if (this.#loaded) this.#events.onPublished(this.#loaded.meta, this.#loaded.durationMs);
  }

  #seed(last: Snapshot): void {
    const have = newestMeta(this.#staging);
    // Where the dedicated thread hasn't let go yet, it has what it loaded itself.
    if ((have && !isNewer(last, have)) || !claim(this.#staging, threadId)) return;
    publish(this.#staging, last);
    disown(this.#staging, threadId);
  }
}
