import { report, toError } from '../../core/report.js';
import { type Confirmation, type Snapshot } from '../../core/snapshot.js';
import { disown, openRing } from '../../mirror/layout.js';
import { newestMeta } from '../../mirror/protocol.js';
import { followHost } from '../host/follow.js';
import { leadHost } from '../host/lead.js';
import type { HostPlace } from '../host/place.js';
import type { Candidate, Follower, Grant, LinkStatus } from '../ports.js';
import { aliasTarget } from './alias.js';
import { Inlet } from './inlet.js';
import { exceeds, limitsOf, NO_LIMITS } from './limits.js';
import type { Want } from './messages.js';
import { Outlet } from './outlet.js';

/** What a post tells the threads that want something of it. */
export interface PostEvents {
  granted(want: Want, lead: { epoch: number; version: number; buffer: SharedArrayBuffer }): void;
  standBy(want: Want): void;
  duplicate(want: Want): void;
  /** The value of the key is that of another name; `undefined`: it is its own again. */
  moved(wants: readonly Want[], target: string | undefined): void;
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
  readonly #inlet: Inlet;
  #link: Follower | Candidate | undefined;
  #writer: Want | undefined;
  /** While this process writes the key. */
  #outlet: Outlet | undefined;
  /** Where the key's value is, if it isn't its own; `null` until that is known. */
  #target: string | undefined | null = null;
  /** What the link in use was made with: the most that any want asks for. */
  #limits = NO_LIMITS;
  #changing: Promise<void>;
  #closed = false;

  constructor(place: HostPlace, first: Want, events: PostEvents, after: Promise<void> = Promise.resolve()) {
    this.#changing = after;
    this.key = first.key;
    this.#place = place;
    this.#events = events;
    this.#inlet = new Inlet(first.key, 'host', openRing(first.buffer), (error) => this.#problem(error));
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
    if (want.role === 'lead' || !this.#link || (exceeds(want, this.#limits) && !this.#outlet)) this.#change();
    else this.#inlet.announce();
    if (this.#target !== null) this.#events.moved([want], this.#target);
  }

  drop(id: string): void {
    if (!this.#wants.delete(id) || this.#writer?.id !== id) return;
    this.#writer = undefined;
    this.#change();
  }

  /** A thread is provably dead: if it was the writer's, the ring is free. */
  mourn(thread: number): void {
    disown(this.#inlet.ring, thread);
  }

  has(id: string): boolean {
    return this.#wants.has(id);
  }

  /** Of the wants that it serves. */
  ids(): Iterable<string> {
    return this.#wants.keys();
  }

  status(): LinkStatus | undefined {
    return this.#link && { ...this.#link.status(), lag: this.#inlet.lag };
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
    // What the writer published just before it went must not be lost with its term.
    await this.#outlet?.finish();
    this.#link = undefined;
    this.#endTerm();
    await old?.close();
    this.#inlet.rest();
    if (this.empty) {
      this.#inlet.end();
      return;
    }
    if (this.#closed) return;
    this.#limits = limitsOf([...this.#wants.values()]);
    this.#inlet.own(this.#limits.maxBytes);
    const options = {
      place: this.#place,
      key: this.key,
      ...this.#limits,
      onSnapshot: (snapshot: Snapshot) => this.#takeIn(snapshot),
      onConfirmed: (confirmation: Confirmation) => {
        if (!this.#outlet) this.#inlet.confirm(confirmation);
      },
      onState: (state: 'live' | 'interrupted') => {
        if (!this.#outlet) this.#inlet.heard(state);
      },
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

  #takeIn(snapshot: Snapshot): void {
    if (this.#outlet) return;
    const target = aliasTarget(snapshot);
    this.#move(target);
    if (target === undefined) this.#inlet.takeIn(snapshot);
  }

  #move(target: string | undefined): void {
    if (target === this.#target) return;
    this.#target = target;
    this.#events.moved([...this.#wants.values()], target);
  }

  /** This process writes the key now: the ring goes to the writer's thread, and what appears in it goes to the host. */
  #begin(writer: Want, grant: Grant): void {
    if (grant.last && aliasTarget(grant.last) === undefined) this.#inlet.takeIn(grant.last);
    this.#move(undefined);
    const ring = this.#inlet.handOver();
    this.#outlet = new Outlet({
      name: this.key,
      ring,
      target: this.#link as Candidate,
      epoch: grant.epoch,
      onProblem: (error) => this.#problem(error),
    });
    this.#events.granted(writer, {
      epoch: grant.epoch,
      version: Math.max(newestMeta(ring)?.version ?? 0, grant.last?.version ?? 0),
      buffer: ring.buffer,
    });
  }

  #lose(writer: Want): void {
    this.#endTerm();
    this.#events.standBy(writer);
  }

  #endTerm(): void {
    this.#outlet?.stop();
    this.#outlet = undefined;
  }

  #problem(error: unknown): void {
    const wants = [...this.#wants.values()];
    if (wants.length > 0) this.#events.problem(wants, toError(error));
    else report(error, undefined, `the host link of '${this.key}'`);
  }
}
