import { threadId } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { report, toError } from '../../core/report.js';
import { isNewer, type Snapshot } from '../../core/snapshot.js';
import { announceRing } from '../../mirror/directory.js';
import { claim, createRing, disown, largestSnapshot, openRing, type Ring, writeHealth } from '../../mirror/layout.js';
import { newestMeta, publish, take } from '../../mirror/protocol.js';
import { watch } from '../../mirror/watch.js';
import { followHost } from '../host/follow.js';
import { leadHost } from '../host/lead.js';
import type { HostPlace } from '../host/place.js';
import type { Candidate, Follower, Grant, LinkStatus } from '../ports.js';
import type { Want } from './messages.js';

const RETRY_MS = 250;

/** What a post tells the threads that want something of it. */
export interface PostEvents {
  granted(want: Want, grant: { epoch: number; version: number }): void;
  standBy(want: Want): void;
  duplicate(want: Want): void;
  problem(wants: readonly Want[], error: Error): void;
}

/**
 * One key in one process: connects the process's ring to the host. While another process has the writer, snapshots come in
 * and this thread owns the ring; when this process is granted the writer's role, the ring goes to the writer's thread,
 * and snapshots go out.
 */
export class Post {
  readonly key: string;
  readonly #place: HostPlace;
  readonly #events: PostEvents;
  readonly #wants = new Map<string, Want>();
  #ring: Ring;
  #link: Follower | Candidate | undefined;
  #writer: Want | undefined;
  #grant: Grant | undefined;
  #unwatch: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** A snapshot that came while the ring was still a writer's. */
  #waiting: Snapshot | undefined;
  #forwarding = false;
  #forwarded = 0;
  #changing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(place: HostPlace, first: Want, events: PostEvents) {
    this.key = first.key;
    this.#place = place;
    this.#events = events;
    this.#ring = openRing(first.buffer);
  }

  get empty(): boolean {
    return this.#wants.size === 0;
  }

  add(want: Want): void {
    if (this.#wants.has(want.id)) return;
    if (want.role === 'lead' && this.#writer) {
      this.#events.duplicate(want);
      return;
    }
    this.#wants.set(want.id, want);
    if (want.role === 'lead') {
      this.#writer = want;
      // What the writer's thread publishes into is what is sent on.
      this.#ring = openRing(want.buffer);
    }
    if (want.role === 'lead' || !this.#link) this.#change();
    else announceRing(this.key, this.#ring);
  }

  drop(id: string): void {
    if (!this.#wants.delete(id)) return;
    if (this.#writer?.id !== id) {
      if (this.empty) void this.close();
      return;
    }
    this.#writer = undefined;
    this.#change();
  }

  has(id: string): boolean {
    return this.#wants.has(id);
  }

  status(): LinkStatus | undefined {
    return this.#link?.status();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wants.clear();
    this.#writer = undefined;
    this.#change();
    await this.#changing;
  }

  /** Ends the present role and begins the one that is wanted now, one change after another. */
  #change(): void {
    this.#changing = this.#changing.then(() => this.#switch()).catch((error: unknown) => this.#problem(error));
  }

  async #switch(): Promise<void> {
    const old = this.#link;
    this.#link = undefined;
    this.#endTerm();
    await old?.close();
    clearTimeout(this.#retry);
    this.#waiting = undefined;
    if (this.empty) {
      disown(this.#ring, threadId);
      return;
    }
    if (this.#closed) return;
    this.#own();
    const wants = [...this.#wants.values()];
    const options = {
      place: this.#place,
      key: this.key,
      maxBytes: Math.max(...wants.map((want) => want.maxBytes)),
      pollInterval: Math.min(...wants.map((want) => want.pollInterval)),
      onSnapshot: (snapshot: Snapshot) => this.#takeIn(snapshot),
      onState: (state: 'live' | 'interrupted') => this.#heard(state),
      onError: (error: Error) => this.#problem(error),
    };
    const writer = this.#writer;
    this.#link = writer
      ? leadHost({
          ...options,
          onGranted: (grant) => this.#begin(writer, grant),
          onLost: () => this.#lose(writer),
          onFollowing: () => this.#events.standBy(writer),
        })
      : followHost(options);
  }

  /**
   * Makes the ring this thread's. One whose owner is gone without a trace, or busy for too long, is left to it: two writers
   * in one ring tear, in two rings they can't (model e, -DPRIVATE), and readers follow the ring that is announced last.
   */
  #own(): void {
    if (!claim(this.#ring, threadId)) this.#ring = createRing(largestSnapshot(this.#ring), { scope: 'host' });
    claim(this.#ring, threadId);
    announceRing(this.key, this.#ring);
  }

  #takeIn(snapshot: Snapshot): void {
    if (this.#grant) return;
    const have = newestMeta(this.#ring);
    if (have && !isNewer(snapshot, have)) return;
    if (!claim(this.#ring, threadId)) {
      // A writer of this process that lost its role hasn't let go yet. It is told to; until then the newest waits.
      this.#waiting = snapshot;
      this.#retryLater();
      return;
    }
    try {
      publish(this.#ring, snapshot);
    } catch (error) {
      this.#problem(error);
    }
  }

  #retryLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) this.#takeIn(waiting);
      if (this.#grant) this.#forward();
    }, RETRY_MS).unref();
  }

  #heard(state: 'live' | 'interrupted'): void {
    if (this.#grant || !claim(this.#ring, threadId)) return;
    const now = systemClock.monotonic();
    writeHealth(this.#ring, { state, ...(state === 'live' ? { lastOk: now } : {}) }, now);
  }

  /** This process writes the key now: the ring goes to the writer's thread, and what appears in it goes to the host. */
  #begin(writer: Want, grant: Grant): void {
    if (grant.last) this.#takeIn(grant.last);
    this.#grant = grant;
    const newest = newestMeta(this.#ring);
    this.#forwarded = 0;
    disown(this.#ring, threadId);
    this.#unwatch = watch(this.#ring, () => this.#forward());
    this.#events.granted(writer, { epoch: grant.epoch, version: Math.max(newest?.version ?? 0, grant.last?.version ?? 0) });
  }

  #lose(writer: Want): void {
    this.#endTerm();
    this.#events.standBy(writer);
  }

  #endTerm(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#grant = undefined;
  }

  /** Sends the newest snapshot on; those that were overtaken meanwhile are skipped. */
  #forward(): void {
    const { key } = this;
    const grant = this.#grant;
    const candidate = this.#link as Candidate | undefined;
    if (!grant || !candidate || this.#forwarding) return;
    const taken = take(this.#ring, Number.POSITIVE_INFINITY);
    if (!('bytes' in taken)) {
      if (taken.why === 'corrupt')
        this.#problem(new StoreError(`A snapshot of '${key}' in shared memory is corrupt, and is not sent to the host`));
      if (taken.why === 'busy') this.#retryLater();
      return;
    }
    if (taken.meta.epoch !== grant.epoch || taken.meta.version <= this.#forwarded) return;
    this.#forwarding = true;
    candidate.publish({ ...taken.meta, bytes: taken.bytes }).then(
      () => {
        this.#forwarded = taken.meta.version;
        this.#forwarding = false;
        this.#forward();
      },
      (error: unknown) => {
        this.#forwarding = false;
        if (this.#grant !== grant) return;
        this.#problem(error);
        this.#retryLater();
      },
    );
  }

  #problem(error: unknown): void {
    if (this.#closed) return;
    const wants = [...this.#wants.values()];
    if (wants.length > 0) this.#events.problem(wants, toError(error));
    else report(error, undefined, `the host link of '${this.key}'`);
  }
}
