import { unpackError } from '../../core/packed-error.js';
import { report, toError } from '../../core/report.js';
import type { Confirmation, Snapshot } from '../../core/snapshot.js';
import { disown, openRing } from '../../mirror/layout.js';
import { followHost } from '../host/follow.js';
import type { HostPlace } from '../host/place.js';
import { relayHost } from '../host/relay.js';
import { type Follower, type LinkStatus, NO_NEWS, type News, newsOf, type Relay } from '../ports.js';
import { holdAlias } from './alias.js';
import { Inlet } from './inlet.js';
import { exceeds, limitsOf, NO_LIMITS } from './limits.js';
import type { FleetRole, FleetWant, Trouble, Want } from './messages.js';
import { Outlet } from './outlet.js';

type FleetWanted = Want & { readonly fleet: FleetWant };

/** What a post of a fleet's value tells the threads that want something of it. */
export interface FleetPostEvents {
  duplicate(want: Want): void;
  role(want: Want, role: FleetRole): void;
  poke(want: Want): void;
  problem(wants: readonly Want[], error: Error): void;
}

/**
 * `idle`: nobody wants anything. `apart`: no part in the host's link (nobody wants one, or there can be none).
 * `following`: only readers without a store. `standing`: some thread has a store, so this process may be the host's relay.
 */
type Stance = 'idle' | 'apart' | 'following' | 'standing';

/**
 * The value of a fleet in one process. The ring is always this thread's: snapshots come in from the host's relay, and from threads of
 * this process that speak to Redis; the newest wins, whoever brings it. While this process is the relay, what comes in goes out to the host.
 */
export class FleetPost {
  readonly key: string;
  /** `undefined` where the directory can't be used. */
  readonly #place: HostPlace | undefined;
  readonly #events: FleetPostEvents;
  readonly #wants = new Map<string, FleetWanted>();
  readonly #inlet: Inlet;
  #stance: Stance = 'idle';
  #link: Follower | Relay | undefined;
  /** Whether the link in use asks another relay to make room. */
  #prefers = false;
  /** While this process is the host's relay. */
  #relaying: { readonly outlet: Outlet; readonly endAlias: () => Promise<void> } | undefined;
  /** Whether it is known who the relay is: before, nobody is told a role. */
  #settled = false;
  /** The thread that speaks to Redis for all. */
  #speaker: FleetWanted | undefined;
  /** How it stands with each that brings snapshots: the host's relay (`''`), and threads by their wants. */
  readonly #sources = new Map<string, 'live' | 'interrupted'>();
  /** Of the threads. */
  #trouble: Trouble | undefined;
  /** Whose the last snapshot is, where a thread brought it. */
  #writer: string | undefined;
  #limits = NO_LIMITS;
  #changing: Promise<void>;
  #closed = false;

  constructor(place: HostPlace | undefined, first: Want, events: FleetPostEvents, after: Promise<void> = Promise.resolve()) {
    this.#changing = after;
    this.key = first.key;
    this.#place = place;
    this.#events = events;
    this.#inlet = new Inlet(first.key, 'fleet', openRing(first.buffer), (error) => this.#problem(error));
  }

  get empty(): boolean {
    return this.#wants.size === 0;
  }

  add(want: Want): void {
    if (this.#wants.has(want.id) || !isFleet(want)) return;
    if (want.fleet.part === 'writer' && this.#find('writer')) {
      this.#events.duplicate(want);
      return;
    }
    this.#wants.set(want.id, want);
    if (exceeds(want, this.#limits) || this.#changes()) this.#change();
    else this.#inlet.announce();
    this.#assign();
  }

  drop(id: string): void {
    if (!this.#wants.delete(id)) return;
    this.heard(id, undefined);
    if (this.#changes()) this.#change();
    this.#assign();
  }

  mourn(thread: number): void {
    disown(this.#inlet.ring, thread);
  }

  has(id: string): boolean {
    return this.#wants.has(id);
  }

  ids(): Iterable<string> {
    return this.#wants.keys();
  }

  status(): LinkStatus | undefined {
    if (!this.#link) return undefined;
    const status = { ...this.#link.status(), lag: this.#inlet.lag, writer: this.#writer };
    if (!this.#trouble || [...this.#sources.values()].includes('live')) return status;
    const { error, kind, at } = this.#trouble;
    return { ...status, state: 'interrupted', lastError: unpackError(error), lastErrorKind: kind, lastErrorAt: at };
  }

  /** From a thread that speaks to Redis. */
  takeIn(snapshot: Snapshot, writer?: string): void {
    if (this.#closed) return;
    this.#writer = writer;
    this.#inlet.takeIn(snapshot);
  }

  confirm(confirmation: Confirmation): void {
    if (!this.#closed) this.#inlet.confirm(confirmation);
  }

  /** How it stands with one that brings snapshots; `undefined`: it doesn't any more. */
  heard(source: string, state: 'live' | 'interrupted' | undefined, trouble?: Trouble): void {
    if (state === undefined) this.#sources.delete(source);
    else this.#sources.set(source, state);
    if (source !== '') this.#trouble = trouble;
    if (this.#sources.size === 0 || this.#closed) return;
    const all = [...this.#sources.values()].includes('live') ? 'live' : 'interrupted';
    this.#inlet.heard(all);
    if (this.#relaying) (this.#link as Relay).trouble(all === 'interrupted');
  }

  /** The thread of the want `id` knows that Redis has this. */
  ask(id: string, news: News): void {
    if (!this.#speaker) {
      if (this.#stance === 'standing') (this.#link as Relay | undefined)?.ask(news);
    } else if (this.#speaker.id !== id) this.#events.poke(this.#speaker);
  }

  /** Once what came in last is sent out. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wants.clear();
    this.#change();
    await this.#changing;
  }

  /** The stance that the wants ask for. */
  #wanted(): Stance {
    if (this.empty) return 'idle';
    const hosted = this.#place ? [...this.#wants.values()].filter(({ fleet }) => fleet.via === 'host') : [];
    if (hosted.length === 0) return 'apart';
    return hosted.some(({ fleet }) => fleet.part !== 'reader') ? 'standing' : 'following';
  }

  /** Whether the wants ask for another link than the one in use. */
  #changes(): boolean {
    const standsAside = this.#stance === 'standing' && !this.#relaying && !this.#prefers;
    return this.#wanted() !== this.#stance || (standsAside && this.#find('writer') !== undefined);
  }

  #find(part: 'relay' | 'writer'): FleetWanted | undefined {
    return [...this.#wants.values()].find(({ fleet }) => fleet.part === part && fleet.via === 'host');
  }

  #change(): void {
    this.#changing = this.#changing.then(() => this.#switch()).catch((error: unknown) => this.#problem(error));
  }

  async #switch(): Promise<void> {
    const limits = limitsOf([...this.#wants.values()]);
    // A change before this one may have done it.
    if (!this.empty && !this.#changes() && !exceeds(limits, this.#limits)) return;
    await this.#end();
    this.#stance = this.#closed ? 'idle' : this.#wanted();
    if (this.#stance === 'idle') {
      this.#inlet.end();
      return;
    }
    this.#limits = limits;
    this.#inlet.own(limits.maxBytes);
    const options = {
      // There is one for the two stances that use it.
      place: this.#place as HostPlace,
      key: this.key,
      ...limits,
      onSnapshot: (snapshot: Snapshot) => this.takeIn(snapshot),
      onConfirmed: (confirmation: Confirmation) => this.confirm(confirmation),
      onState: (state: 'live' | 'interrupted') => this.heard('', state),
      onError: (error: Error) => this.#problem(error),
    };
    if (this.#stance === 'apart') this.#settle();
    else if (this.#stance === 'following') this.#link = followHost(options);
    else {
      this.#prefers = this.#find('writer') !== undefined;
      this.#link = relayHost({
        ...options,
        prefers: this.#prefers,
        onGranted: ({ last }) => this.#begin(last),
        onLost: () => this.#lose(),
        onFollowing: () => this.#settle(),
        onAsked: () => this.#speaker && this.#events.poke(this.#speaker),
        onPreferred: () => void this.#makeRoom(),
      });
    }
  }

  /** This process is the host's relay now. */
  #begin(last: Snapshot | undefined): void {
    if (last) this.takeIn(last);
    const place = this.#place as HostPlace;
    // Any of them has the key, and all the same.
    const [{ fleet } = { fleet: { key: this.key } }] = this.#wants.values();
    this.#relaying = {
      outlet: new Outlet({
        name: this.key,
        ring: this.#inlet.ring,
        target: this.#link as Relay,
        since: newsOf(last ?? NO_NEWS),
        onProblem: (error) => this.#problem(error),
      }),
      endAlias: holdAlias(place, fleet.key, this.key, (error) => this.#problem(error)),
    };
    this.heard('', undefined);
    this.#settle();
  }

  #lose(): void {
    const relaying = this.#relaying;
    this.#relaying = undefined;
    relaying?.outlet.stop();
    void relaying?.endAlias();
    this.#settle();
  }

  /** Another process of the host has a writer: it can be the relay and the fleet's writer at once, which saves pulling what it writes. */
  async #makeRoom(): Promise<void> {
    if (this.#find('writer') || !this.#relaying) return;
    const { outlet } = this.#relaying;
    await outlet.finish();
    this.#lose();
    await (this.#link as Relay).release();
  }

  async #end(): Promise<void> {
    const link = this.#link;
    await this.#relaying?.outlet.finish();
    await this.#relaying?.endAlias();
    this.#relaying = undefined;
    this.#settled = false;
    this.#link = undefined;
    this.#sources.delete('');
    await link?.close();
    this.#inlet.rest();
  }

  #settle(): void {
    this.#settled = true;
    this.#assign();
  }

  /** Tells every thread with a store whether it is the one that speaks to Redis. A writer's does it best. */
  #assign(): void {
    if (!this.#settled || this.#closed) return;
    const speaks = this.#relaying !== undefined || this.#stance === 'apart';
    this.#speaker = speaks ? (this.#find('writer') ?? this.#find('relay')) : undefined;
    for (const want of this.#wants.values()) {
      if (want.fleet.part !== 'reader' && want.fleet.via === 'host') this.#events.role(want, want === this.#speaker ? 'relay' : 'reserve');
    }
  }

  #problem(error: unknown): void {
    const wants = [...this.#wants.values()];
    if (wants.length > 0) this.#events.problem(wants, toError(error));
    else report(error, undefined, `the host link of '${this.key}'`);
  }
}

function isFleet(want: Want): want is FleetWanted {
  return want.fleet !== undefined;
}
