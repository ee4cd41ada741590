import { systemClock } from '../core/clock.js';
import { SnapshotTooLargeError, WireFormatError } from '../core/errors.js';
import { unpackError } from '../core/packed-error.js';
import { type OnError, report } from '../core/report.js';
import type { Serializer } from '../core/serializer.js';
import { DEFAULT_MAX_BYTES } from '../core/snapshot.js';
import type { FleetStatus } from '../link/fleet/agent.js';
import { linkClient, type LinkHandle } from '../link/thread/link-client.js';
import type { PlainLinkStatus } from '../link/thread/messages.js';
import { findRing, seekRing } from '../mirror/directory.js';
import { type Ring, type RingState, readHealth } from '../mirror/layout.js';
import { createReader, type Reader, type ReaderOptions } from '../mirror/reader.js';
import { watch } from '../mirror/watch.js';
import { type ColdRing, coldRing, placeSettings } from './host-ring.js';
import type { Source } from './source.js';

/** How long (milliseconds) a writer in this process has to show up before one is looked for in other processes. */
const OWN_PROCESS_FIRST = 20;

/** What brings snapshots into the ring of a fleet's value. */
export interface FleetConnection {
  hostLink(): PlainLinkStatus | undefined;
  status(): FleetStatus;
  close(): void;
}

export interface RingSourceOptions<T> {
  readonly key: string;
  /** Under which the ring is found, where it isn't the key: of a fleet's value. */
  readonly name?: string;
  /** A writer's ring, for which the writer speaks to the link. Default: the process's, else one with what the host's last writer left. */
  readonly ring?: Ring;
  /** With a `name`, and without a writer's ring: makes what brings the snapshots. */
  readonly connect?: (source: { ring(): Ring; fail(error: Error, kind?: string): void }) => FleetConnection;
  /** Milliseconds between two looks at the host's file, should announcements be lost. */
  readonly pollInterval: number;
  readonly maxBytes: number | undefined;
  readonly freeze: boolean;
  readonly serializer: Serializer | undefined;
  readonly onError: OnError | undefined;
  /** Default: of whole values. */
  readonly makeReader?: ((options: ReaderOptions) => Reader<T>) | undefined;
}

/** Reads from a ring: one that this process has, or one that the link thread fills from another process of the host, or from the fleet. */
export class RingSource<T> implements Source<T> {
  readonly read: () => T | undefined;
  readonly #options: RingSourceOptions<T>;
  readonly #reader: Reader<T>;
  readonly #wakers = new Set<() => void>();
  #ring: Ring;
  #unwatch: (() => void) | undefined;
  readonly #stopSeeking: () => void;
  readonly #fleet: FleetConnection | undefined;
  #link: LinkHandle | undefined;
  /** Where the key's value is a fleet's: the way to that. The link to the key itself stays, to hear should it change. */
  #alias: { readonly target: string; readonly own: Ring; readonly link: LinkHandle; readonly stopSeeking: () => void } | undefined;
  #linkTimer: NodeJS.Timeout | undefined;
  #linkProblem: { error: Error; at: number; kind?: string } | undefined;
  /** Snapshots on disk that were refused when this was made. */
  #refusedAtStart = 0;
  #closed = false;

  constructor(options: RingSourceOptions<T>) {
    const { key, name = key, maxBytes, freeze, serializer, onError, connect, makeReader = createReader<T> } = options;
    this.#options = options;
    this.#reader = makeReader({
      key,
      // What is in this process's memory is the writer's business; the limit is for what comes from outside.
      maxBytes: maxBytes ?? Number.POSITIVE_INFINITY,
      freeze,
      clock: systemClock,
      ...(serializer ? { serializer } : {}),
      ...(onError ? { onError } : {}),
    });
    this.read = this.#reader.read;
    const known = options.ring ?? findRing(name);
    const { ring, target } = known ? { ring: known } : this.#coldRing(name, name === key ? 'host' : 'fleet');
    this.#ring = ring;
    this.#reader.attach(ring);
    this.#stopSeeking = seekRing(name, (other) => this.#attach(other));
    this.#fleet = connect?.({ ring: () => this.#ring, fail: (error, kind) => this.#fail(error, kind) });
    if (!options.ring && !connect) this.#linkTimer = setTimeout(() => this.#follow(), OWN_PROCESS_FIRST).unref();
    if (!connect) this.#move(target);
  }

  /** The ring that is read now. */
  get ring(): Ring {
    return this.#ring;
  }

  meta(): ReturnType<Reader<T>['meta']> {
    return this.#reader.meta();
  }

  version(): number {
    return this.#reader.version();
  }

  health(): ReturnType<Source<T>['health']> {
    const health = readHealth(this.#ring);
    const fleet = this.#fleet?.status();
    const { scope } = this.#ring;
    return {
      state: this.#closed ? 'closed' : stateOf(health.state, this.#reader.meta() !== undefined),
      since: health.since,
      failures: health.failures,
      via: this.#reader.meta() && (fleet ? fleet.via : scope === 'fleet' ? 'host' : scope),
      cold: scope !== 'process' && health.lastOk === 0,
      writer: fleet?.writer,
      lag: fleet?.redis?.lag ?? this.#linkStatus()?.lag,
    };
  }

  counts(): ReturnType<Reader<T>['counts']> {
    const counts = this.#reader.counts();
    const fromRedis = this.#fleet?.status().redis?.refused ?? 0;
    return { ...counts, refused: counts.refused + fromRedis + Math.max(this.#refusedAtStart, this.#linkStatus()?.refused ?? 0) };
  }

  lastProblem(): ReturnType<Source<T>['lastProblem']> {
    const all = [this.#reader.lastProblem(), this.#linkProblem, this.#trouble()];
    return all.reduce((last, next) => (next && (!last || next.at > last.at) ? next : last), undefined);
  }

  watch(onWake: () => void): () => void {
    this.#wakers.add(onWake);
    this.#rewatch();
    return () => {
      this.#wakers.delete(onWake);
      this.#rewatch();
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#linkTimer);
    this.#stopSeeking();
    this.#fleet?.close();
    this.#leaveAlias();
    this.#link?.drop();
    this.#wakers.clear();
    this.#rewatch();
    this.#reader.attach(undefined);
  }

  #attach(ring: Ring): void {
    if (this.#closed || ring.instance === this.#ring.instance) return;
    // The key's own ring is no news to who reads a fleet's value in its place, unless a writer of this process has it.
    if (this.#alias && ring.scope === 'host') return;
    this.#ring = ring;
    this.#reader.attach(ring);
    if (ring.scope === 'process') {
      this.#link?.drop();
      this.#link = undefined;
      this.#leaveAlias();
    }
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#rewatch();
    this.#wake();
  }

  /** From other processes, unless this one has a writer of its own: a follower's part in the link costs a socket. */
  #follow(): void {
    const { key } = this.#options;
    if (this.#closed || this.#ring.scope === 'process') return;
    this.#link = linkClient.want(
      { role: 'follow', key, ...this.#limits(), ring: () => this.#own(), ...placeSettings() },
      { onProblem: (error) => this.#fail(error), onMoved: (target) => this.#move(target) },
    );
  }

  /** The key's value is that of a fleet, which has a name of its own; or isn't any more. */
  #move(target: string | undefined): void {
    if (this.#closed || target === this.#alias?.target) return;
    const own = this.#own();
    this.#leaveAlias();
    if (target === undefined) {
      this.#attach(own);
      return;
    }
    const { key } = this.#options;
    const ring = findRing(target) ?? this.#coldRing(target, 'fleet').ring;
    const want = { role: 'follow', key: target, fleet: { key, part: 'reader', via: 'host' }, ...this.#limits() } as const;
    this.#alias = {
      target,
      own,
      link: linkClient.want(
        { ...want, ring: () => (this.#ring.scope === 'fleet' ? this.#ring : ring), ...placeSettings() },
        { onProblem: (error) => this.#fail(error) },
      ),
      stopSeeking: seekRing(target, (other) => this.#attach(other)),
    };
    this.#attach(ring);
  }

  /** The ring of the key itself. */
  #own(): Ring {
    if (!this.#alias) return this.#ring;
    return findRing(this.#options.key) ?? this.#alias.own;
  }

  #leaveAlias(): void {
    this.#alias?.stopSeeking();
    this.#alias?.link.drop();
    this.#alias = undefined;
  }

  #limits(): { maxBytes: number; pollInterval: number } {
    const { maxBytes = DEFAULT_MAX_BYTES, pollInterval } = this.#options;
    return { maxBytes, pollInterval };
  }

  #linkStatus(): PlainLinkStatus | undefined {
    return this.#fleet?.hostLink() ?? this.#alias?.link.status() ?? this.#link?.status();
  }

  /** What the host's relay of a fleet's value has told of itself, while it lasts. */
  #trouble(): ReturnType<Source<T>['lastProblem']> {
    const host = this.#fleet?.hostLink();
    if (host?.state !== 'interrupted' || !host.lastError || host.lastErrorAt === undefined) return undefined;
    return { error: unpackError(host.lastError), at: host.lastErrorAt, kind: host.lastErrorKind ?? 'relay' };
  }

  #coldRing(name: string, scope: 'host' | 'fleet'): ColdRing {
    const { maxBytes = DEFAULT_MAX_BYTES } = this.#options;
    return coldRing(name, scope, maxBytes, (error) => {
      if (error instanceof WireFormatError || error instanceof SnapshotTooLargeError) this.#refusedAtStart = 1;
      this.#fail(error);
    });
  }

  /** A bad file that is met at the start is met again by the link thread: the same failure in a row is told once. */
  #fail(error: Error, kind?: string): void {
    const before = this.#linkProblem?.error.message;
    this.#linkProblem = { error, at: systemClock.wall(), ...(kind === undefined ? {} : { kind }) };
    if (error.message !== before) report(error, this.#options.onError, `the link of '${this.#options.key}'`);
  }

  #rewatch(): void {
    if (this.#wakers.size === 0) {
      this.#unwatch?.();
      this.#unwatch = undefined;
    } else {
      this.#unwatch ??= watch(this.#ring, () => this.#wake());
    }
  }

  #wake(): void {
    for (const onWake of Array.from(this.#wakers)) onWake();
  }
}

/** A reader without a value is initializing, whoever was heard; one with a value never is. */
function stateOf(state: RingState, hasValue: boolean): RingState {
  if (!hasValue) return state === 'closed' ? state : 'initializing';
  return state === 'initializing' ? 'interrupted' : state;
}
