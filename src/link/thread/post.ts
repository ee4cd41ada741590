import { threadId } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { report, toError } from '../../core/report.js';
import { type Confirmation, isNewer, type Snapshot } from '../../core/snapshot.js';
import { announceRing } from '../../mirror/directory.js';
import { claim, createRing, disown, largestSnapshot, openRing, type Ring, writeHealth } from '../../mirror/layout.js';
import { confirm, newestConfirmation, newestMeta, publish, take, type Taken } from '../../mirror/protocol.js';
import { watch } from '../../mirror/watch.js';
import { followHost } from '../host/follow.js';
import { leadHost } from '../host/lead.js';
import type { HostPlace } from '../host/place.js';
import type { Candidate, Follower, Grant, LinkStatus } from '../ports.js';
import type { Want } from './messages.js';

const RETRY_MS = 250;

/** What a post tells the threads that want something of it. */
export interface PostEvents {
  granted(want: Want, lead: { epoch: number; version: number; buffer: SharedArrayBuffer }): void;
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
  /** The same, of what was heard of the writer. */
  #lastHeard: 'live' | 'interrupted' | undefined;
  /** The publish to the host that is under way. Never rejects. */
  #forwarding: Promise<void> | undefined;
  #forwarded = 0;
  /** When what was forwarded last was last confirmed: monotonic milliseconds. */
  #confirmedAt = 0;
  /** What the link in use was made with: the most that any want asks for. */
  #limits = { maxBytes: 0, pollInterval: Number.POSITIVE_INFINITY };
  #changing: Promise<void>;
  #closed = false;

  constructor(place: HostPlace, first: Want, events: PostEvents, after: Promise<void> = Promise.resolve()) {
    this.#changing = after;
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
      // Its thread may lead still, by grace of a link thread that is gone.
      this.#events.standBy(want);
    }
    const { maxBytes, pollInterval } = this.#limits;
    const asksMore = want.maxBytes > maxBytes || want.pollInterval < pollInterval;
    if (want.role === 'lead' || !this.#link || (asksMore && !this.#grant)) this.#change();
    else announceRing(this.key, this.#ring);
  }

  drop(id: string): void {
    if (!this.#wants.delete(id) || this.#writer?.id !== id) return;
    this.#writer = undefined;
    this.#change();
  }

  /** A thread is provably dead: if it was the writer's, the ring is free. */
  mourn(thread: number): void {
    disown(this.#ring, thread);
  }

  has(id: string): boolean {
    return this.#wants.has(id);
  }

  /** Of the wants that it serves. */
  ids(): Iterable<string> {
    return this.#wants.keys();
  }

  status(): LinkStatus | undefined {
    return this.#link?.status();
  }

  /** Once what the writer published last is sent. Never rejects. */
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
    if (this.#grant) await this.#sendLast();
    this.#link = undefined;
    this.#endTerm();
    await old?.close();
    clearTimeout(this.#retry);
    this.#waiting = this.#lastHeard = undefined;
    if (this.empty) {
      // Who holds the ring still sees that nobody fills it any more.
      if (claim(this.#ring, threadId)) writeHealth(this.#ring, { state: 'interrupted' }, systemClock.monotonic());
      disown(this.#ring, threadId);
      return;
    }
    if (this.#closed) return;
    const wants = [...this.#wants.values()];
    this.#limits = {
      maxBytes: Math.max(...wants.map((want) => want.maxBytes)),
      pollInterval: Math.min(...wants.map((want) => want.pollInterval)),
    };
    this.#own(this.#limits.maxBytes);
    const options = {
      place: this.#place,
      key: this.key,
      ...this.#limits,
      onSnapshot: (snapshot: Snapshot) => this.#takeIn(snapshot),
      onConfirmed: (confirmation: Confirmation) => this.#confirm(confirmation),
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
   * Makes the ring this thread's. One whose owner is gone without a trace, or slow to let go, is left to it: two writers
   * in one ring tear, in two rings they can't (model e, -DPRIVATE), and readers follow the youngest ring.
   */
  #own(maxBytes: number): void {
    if (!claim(this.#ring, threadId) || largestSnapshot(this.#ring) < maxBytes) {
      disown(this.#ring, threadId);
      this.#ring = createRing(maxBytes, { scope: 'host' });
      claim(this.#ring, threadId);
    }
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

  #confirm({ epoch, version, createdAtMonotonic }: Confirmation): void {
    const have = newestMeta(this.#ring);
    // A writer's ring is its own to confirm; where it hasn't let go yet, the next sign of life says it again.
    if (this.#grant || have?.epoch !== epoch || have.version !== version || !claim(this.#ring, threadId)) return;
    confirm(this.#ring, createdAtMonotonic);
  }

  #retryLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) this.#takeIn(waiting);
      if (this.#lastHeard) this.#heard(this.#lastHeard);
      if (this.#grant) this.#forward();
    }, RETRY_MS).unref();
  }

  #heard(state: 'live' | 'interrupted'): void {
    if (this.#grant) return;
    this.#lastHeard = state;
    if (!claim(this.#ring, threadId)) {
      this.#retryLater();
      return;
    }
    const now = systemClock.monotonic();
    writeHealth(this.#ring, { state, ...(state === 'live' ? { lastOk: now } : {}) }, now);
  }

  /** This process writes the key now: the ring goes to the writer's thread, and what appears in it goes to the host. */
  #begin(writer: Want, grant: Grant): void {
    if (grant.last) this.#takeIn(grant.last);
    this.#grant = grant;
    const newest = newestMeta(this.#ring);
    this.#forwarded = this.#confirmedAt = 0;
    disown(this.#ring, threadId);
    this.#unwatch = watch(this.#ring, () => this.#forward());
    this.#events.granted(writer, {
      epoch: grant.epoch,
      version: Math.max(newest?.version ?? 0, grant.last?.version ?? 0),
      buffer: this.#ring.buffer,
    });
  }

  #lose(writer: Want): void {
    this.#endTerm();
    this.#events.standBy(writer);
  }

  #endTerm(): void {
    this.#stopWatching();
    this.#grant = undefined;
  }

  #stopWatching(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** Sends the newest snapshot on; those that were overtaken meanwhile are skipped. */
  #forward(): void {
    const grant = this.#grant;
    if (!grant || !this.#unwatch || this.#forwarding) return;
    const sending = this.#sendConfirmation(grant) ?? this.#sendNext(grant);
    if (!sending) return;
    this.#forwarding = sending.then(
      () => {
        this.#forwarding = undefined;
        this.#forward();
      },
      (error: unknown) => {
        this.#forwarding = undefined;
        if (this.#grant !== grant) return;
        this.#problem(error);
        this.#retryLater();
      },
    );
  }

  /** What the writer published just before it went must not be lost with its term. */
  async #sendLast(): Promise<void> {
    this.#stopWatching();
    await this.#forwarding;
    await (this.#grant && this.#sendNext(this.#grant))?.catch((error: unknown) => this.#problem(error));
  }

  /** Of what was forwarded already: nothing but the news is sent. */
  #sendConfirmation(grant: Grant): Promise<void> | undefined {
    const confirmation = newestConfirmation(this.#ring);
    if (confirmation?.epoch !== grant.epoch || confirmation.version !== this.#forwarded) return undefined;
    if (confirmation.createdAtMonotonic <= this.#confirmedAt) return undefined;
    this.#confirmedAt = confirmation.createdAtMonotonic;
    return (this.#link as Candidate).confirm(confirmation);
  }

  #sendNext(grant: Grant): Promise<void> | undefined {
    const taken = this.#nextToSend(grant);
    return taken && this.#send(taken);
  }

  #nextToSend(grant: Grant): Taken | undefined {
    // Before its bytes are copied.
    if (newestMeta(this.#ring)?.version === this.#forwarded) return undefined;
    const taken = take(this.#ring, Number.POSITIVE_INFINITY);
    if ('bytes' in taken) return taken.meta.epoch === grant.epoch && taken.meta.version > this.#forwarded ? taken : undefined;
    if (taken.why === 'busy') this.#retryLater();
    if (taken.why === 'corrupt')
      this.#problem(new StoreError(`A snapshot of '${this.key}' in shared memory is corrupt, and is not sent to the host`));
    return undefined;
  }

  async #send({ meta, bytes }: Taken): Promise<void> {
    await (this.#link as Candidate).publish({ ...meta, bytes });
    this.#forwarded = Math.max(this.#forwarded, meta.version);
  }

  #problem(error: unknown): void {
    const wants = [...this.#wants.values()];
    if (wants.length > 0) this.#events.problem(wants, toError(error));
    else report(error, undefined, `the host link of '${this.key}'`);
  }
}
