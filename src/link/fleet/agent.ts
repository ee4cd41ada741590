/**
 * One thread's part in a value of the fleet. It holds the store, whose client can't be sent to the link thread; so what is said to Redis is
 * said here, and what comes from there goes to the link thread, which has the process's ring and the way to the host's other processes.
 *
 * `told nothing` / `reserve`: another process of the host (or thread of this one) follows Redis, and this one looks now and then whether it
 * does. `relay`: this one follows Redis, for all. `on its own`: it follows Redis besides the relay, which has let something pass; until
 * the relay is seen to be back. A thread that was asked to go `direct` does so always.
 */
import { systemClock } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { packError } from '../../core/packed-error.js';
import { type Confirmation, isNewer, type Snapshot } from '../../core/snapshot.js';
import type { Ring } from '../../mirror/layout.js';
import { newestMeta, take } from '../../mirror/protocol.js';
import type { RedisCache } from '../../stores/redis/redis-cache.js';
import { type Candidate, type CandidateEvents, type Follower, type Grant, type LinkStatus, type News } from '../ports.js';
import { allowFor } from '../redis/connection.js';
import { followRedis } from '../redis/follow.js';
import { leadRedis } from '../redis/lead.js';
import type { Look } from '../redis/look.js';
import { linkClient, type LinkHandle } from '../thread/link-client.js';
import type { FleetRole, FleetSaying, PlainLinkStatus, Trouble } from '../thread/messages.js';
import { Feed } from './feed.js';
import { isBehind, newsIn } from './behind.js';
import { newHolder } from './holder.js';
import { Lookout } from './lookout.js';

/** For how long (milliseconds) the relay may be at fetching something small before this thread does it itself. */
const GRACE = 1000;
/** As of `leadRedis`. */
const LEASE = 10_000;
/** After so many looks (a third of the lease apart) a writer doesn't wait for its link thread any more. */
const MANY_LOOKS = 10;
/** Polls differ by up to a fifth: this makes the longest of them the interval that was asked for. */
const LONGEST_POLL = 1.2;

/** What a thread hears that also stands for the writer's role. */
export interface FleetWriterEvents {
  onGranted(grant: Grant): void;
  onFollowing(): void;
  onLost(error: Error): void;
  /** While it leads: whether Redis takes what is published. */
  onState(state: 'live' | 'interrupted'): void;
  onDuplicate(): void;
}

export interface FleetAgentOptions {
  readonly store: RedisCache;
  readonly key: string;
  /** `fleetName` of both. */
  readonly name: string;
  readonly namespace: string;
  readonly directory: string | undefined;
  readonly via: 'host' | 'direct';
  /** The most milliseconds between two polls; `Infinity` for none. */
  readonly interval: number;
  readonly maxBytes: number;
  readonly leaseMs?: number;
  readonly writer?: FleetWriterEvents;
  /** The ring of the value in this process. */
  ring(): Ring;
  /** @param kind where it is a failure between this thread and Redis */
  onProblem(error: Error, kind?: string): void;
  /** This thread brought something from Redis, or found that there is nothing newer. */
  onRefreshed?(): void;
}

export interface FleetStatus {
  /** `direct`: this thread speaks to Redis itself. */
  readonly via: 'host' | 'direct';
  /** The id of who writes; `''` for somebody without a lease. */
  readonly writer: string | undefined;
  /** Of the link to Redis, where there is one. */
  readonly redis: LinkStatus | undefined;
}

const closing = new Set<Promise<void>>();

/** Resolves when all that was closed has ended. */
export async function agentsClosed(): Promise<void> {
  await Promise.all(closing);
}

export class FleetAgent {
  readonly #options: FleetAgentOptions;
  readonly #handle: LinkHandle;
  readonly #feed: Feed;
  readonly #lookout: Lookout;
  #role: FleetRole | undefined;
  #isOnItsOwn = false;
  /** Something that this thread had without the relay: once the relay has it too, it works. */
  #proof: News | undefined;
  #link: Follower | Candidate | undefined;
  #leads = false;
  /** What was told last of the link to Redis. */
  #heard: Extract<FleetSaying, { type: 'heard' }> = { type: 'heard', state: undefined };
  #grace: NodeJS.Timeout | undefined;
  /** How many looks in a row found that nobody holds the lease. */
  #vacant = 0;
  #lastLook: Look | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: FleetAgentOptions) {
    this.#options = options;
    const { store, key, name, namespace, directory, via, interval, maxBytes, writer, leaseMs = LEASE } = options;
    const ring = (): Ring => options.ring();
    this.#handle = linkClient.want(
      {
        role: 'follow',
        key: name,
        fleet: { key, part: writer ? 'writer' : 'relay', via },
        maxBytes,
        // Of the host's file.
        pollInterval: 1000,
        namespace,
        directory,
        ring,
      },
      {
        onRole: (role) => this.#assume(role),
        onPoke: () => this.#link?.poke(),
        onDuplicate: () => writer?.onDuplicate(),
        onProblem: (error) => options.onProblem(error),
      },
    );
    this.#feed = new Feed(this.#handle, ring);
    this.#lookout = new Lookout({
      store,
      key,
      // Of many processes that stand by, few have to look: this is for the case that all others of the host are frozen.
      every: writer ? leaseMs : interval,
      clock: systemClock,
      onLook: (look) => {
        options.onRefreshed?.();
        this.#consider(look);
      },
    });
    if (via === 'direct') this.#engage();
    else this.#lookout.start();
  }

  /** As the link thread last told it. */
  hostLink(): PlainLinkStatus | undefined {
    return this.#handle.status();
  }

  status(): FleetStatus {
    const redis = this.#link?.status();
    const look = this.#lastLook;
    const seen = look?.lease?.holder ?? look?.meta?.writer;
    return { via: this.#link ? 'direct' : 'host', writer: redis ? redis.writer : (this.hostLink()?.writer ?? seen), redis };
  }

  /** To Redis first: nobody of this host may see what Redis refuses. @throws as `Candidate.publish` */
  async publish(snapshot: Snapshot): Promise<void> {
    const candidate = this.#candidate();
    await candidate.publish(snapshot);
    await this.#feed.send(snapshot, candidate.status().writer);
  }

  /** @throws as `Candidate.confirm` */
  async confirm(confirmation: Confirmation): Promise<void> {
    await this.#candidate().confirm(confirmation);
    this.#handle.say({ type: 'confirmed', confirmation });
  }

  /** Gives the writer's role up, if this thread has it; others take over at once. Resolves when all has ended. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    this.#lookout.stop();
    clearTimeout(this.#grace);
    await this.#leave(this.#link);
    this.#feed.close();
    this.#handle.drop();
  }

  /** Closes a link, and lets `agentsClosed` wait for that. */
  async #leave(link: Follower | undefined): Promise<void> {
    const left = link?.close() ?? Promise.resolve();
    closing.add(left);
    await left.finally(() => closing.delete(left));
  }

  #candidate(): Candidate {
    if (this.#closed === undefined && this.#link && 'publish' in this.#link) return this.#link;
    throw new StoreError(`Can't publish '${this.#options.key}': this thread doesn't stand for writing it`);
  }

  #assume(role: FleetRole): void {
    if (this.#closed) return;
    this.#role = role;
    if (role === 'relay') {
      this.#isOnItsOwn = false;
      this.#lookout.stop();
      this.#engage();
    } else {
      this.#lookout.start();
      if (!this.#isOnItsOwn) this.#disengage();
      if (!this.#leads) this.#options.writer?.onFollowing();
    }
    // This may be another link thread, which has heard nothing yet.
    this.#handle.say(this.#heard);
  }

  #engage(): void {
    clearTimeout(this.#grace);
    this.#grace = undefined;
    if (this.#link) return;
    const { store, key, namespace, directory, interval, maxBytes, leaseMs, writer, onProblem, onRefreshed } = this.#options;
    const last = take(this.#options.ring(), Number.POSITIVE_INFINITY);
    const options: Parameters<typeof leadRedis>[0] = {
      store,
      key,
      maxBytes,
      pollInterval: Number.isFinite(interval) ? Math.max(1, Math.floor(interval / LONGEST_POLL)) : 0x7fffffff,
      ...(leaseMs === undefined ? {} : { leaseMs }),
      last: 'bytes' in last ? { ...last.meta, bytes: last.bytes } : undefined,
      ...newHolder(`${namespace}\0${directory ?? ''}`),
      onSnapshot: (snapshot) => {
        onRefreshed?.();
        void this.#feed.send(snapshot, this.#link?.status().writer);
      },
      onConfirmed: (confirmation) => {
        onRefreshed?.();
        this.#handle.say({ type: 'confirmed', confirmation });
      },
      onState: (state, error) => {
        const kind = this.#link?.status().lastErrorKind;
        this.#tell(state, error && { error: packError(error), kind, at: systemClock.wall() });
        if (this.#leads) writer?.onState(state);
      },
      onError: (error) => onProblem(error, this.#link?.status().lastErrorKind),
      ...this.#standing(),
    };
    this.#link = writer ? leadRedis(options) : followRedis(options);
  }

  #standing(): Pick<CandidateEvents, 'onGranted' | 'onLost' | 'onFollowing'> {
    const { writer } = this.#options;
    return {
      onGranted: (grant) => {
        this.#leads = true;
        this.#tell('live');
        // What Redis doesn't have yet (a snapshot that goes back into it under the new epoch) is nobody's to see.
        if (grant.last && grant.last.epoch < grant.epoch) void this.#feed.send(grant.last, undefined);
        writer?.onGranted(grant);
      },
      onLost: (error) => {
        this.#leads = false;
        writer?.onLost(error);
        if (this.#role === 'reserve' && !this.#isOnItsOwn) this.#disengage();
      },
      onFollowing: () => writer?.onFollowing(),
    };
  }

  /** Unless this thread is the fleet's writer, wherever the host's relay is. */
  #disengage(): void {
    if (!this.#link || this.#leads || this.#options.via === 'direct') return;
    const link = this.#link;
    this.#link = undefined;
    this.#tell(undefined);
    void this.#leave(link);
  }

  #tell(state: 'live' | 'interrupted' | undefined, trouble?: Trouble): void {
    this.#heard = { type: 'heard', state, trouble };
    this.#handle.say(this.#heard);
  }

  /** What Redis has is compared with what came here. */
  #consider(look: Look): void {
    this.#lastLook = look;
    this.#vacant = look.lease ? 0 : this.#vacant + 1;
    if (this.#options.writer && this.#vacant > 0) this.#lookout.hurry((this.#options.leaseMs ?? LEASE) / 3);
    const isLate = isBehind(this.#options.ring(), look);
    if (this.#link) {
      if (!isLate && this.#isOnItsOwn && this.#isRelayBack()) {
        this.#isOnItsOwn = false;
        this.#disengage();
      }
      return;
    }
    // The candidate of this host may be frozen, and this is the host's only other one. While nothing was told yet, it is rather that the
    // link thread is still on its way.
    if (this.#options.writer && this.#vacant > (this.#role === undefined ? MANY_LOOKS : 1)) this.#goOnItsOwn();
    if (!isLate || this.#link) return;
    this.#handle.say({ type: 'ask', news: newsIn(look) });
    // A look that comes while it runs must not put it off.
    this.#grace ??= setTimeout(() => {
      this.#grace = undefined;
      if (isBehind(this.#options.ring(), look)) this.#goOnItsOwn();
    }, GRACE + allowFor(look.length)).unref();
  }

  #goOnItsOwn(): void {
    if (this.#closed || this.#link) return;
    this.#isOnItsOwn = true;
    this.#proof = undefined;
    this.#engage();
  }

  /** What is known of the relay is a second old, so what it is compared with has to be older. */
  #isRelayBack(): boolean {
    const host = this.#handle.status();
    this.#proof ??= newestMeta(this.#options.ring());
    return host?.state === 'live' && this.#proof !== undefined && !isNewer(this.#proof, host);
  }
}
