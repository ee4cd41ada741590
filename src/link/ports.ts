/**
 * How snapshots leave the process that made them: three roles, which every kind of link (the processes of one host; the
 * hosts that share a Redis) fills in its own way, and the two parts that callers are given, made out of them.
 *
 * Moving bytes and telling the news are two roles. The store is the truth; an announcement never carries the value and may
 * be lost, doubled or reordered, and nothing breaks: whoever hears it (or polls) compares `(epoch, version)` with what it
 * has, pulls what is newer, and ignores the rest.
 */
import type { Clock } from '../core/clock.js';
import type { Confirmation, Snapshot, SnapshotMeta } from '../core/snapshot.js';

/** That a snapshot exists. `{ epoch: 0, version: 0 }` says that there is none yet. */
export type News = Pick<SnapshotMeta, 'epoch' | 'version'>;

export const NO_NEWS: News = Object.freeze({ epoch: 0, version: 0 });

/** Of a snapshot, for whoever keeps it longer than the snapshot, whose bytes may be a hundred megabytes. */
export const newsOf = ({ epoch, version }: News): News => ({ epoch, version });

/** Holds the newest snapshot of one key under its `(epoch, version)`. */
export interface SnapshotStore {
  /**
   * The snapshot that is there, its checksum tested; `undefined` where there is none. Its bytes belong to the caller.
   *
   * @throws WireFormatError for bytes that aren't a snapshot of this key; StoreError for a store that can't be read
   */
  read(): Promise<Snapshot | undefined>;
  /**
   * Replaces the snapshot, all or nothing: whoever reads at that moment gets the old one or the new one.
   *
   * @throws SnapshotTooLargeError past `maxBytes`; StoreError for a store that can't be written (the old snapshot stays)
   */
  write(snapshot: Snapshot): Promise<void>;
  /**
   * The cheap question between two reads (one `stat`; two small integers from Redis): whether what is there may be another
   * one than at `seen`, a mark that an earlier call or read gave.
   */
  changedSince(seen: string | undefined): Promise<boolean>;
}

/** The writer's voice: tells every reader that `news` can be pulled. Called after the store has it, never before. */
export interface Announcer {
  /** Never blocks and never queues: of what a reader hasn't taken yet, only the newest is kept. */
  announce(news: News): void;
  /** How many readers listen. */
  readonly readers: number;
  close(): Promise<void>;
}

/** The right to write a key. One holder at a time; free again only when the holder gave it up or is provably dead. */
export interface Lease {
  /** Whether this is still the holder, as far as can be told now without waiting. Asked before each publish. */
  held(): boolean;
  release(): Promise<void>;
}

/**
 * `connecting`: no writer was heard yet. `live`: the writer is connected and was heard within the last seconds.
 * `interrupted`: it is not; what is there is served on. `leading`: this candidate is the writer. `closed`: for good.
 */
export type LinkState = 'connecting' | 'live' | 'interrupted' | 'leading' | 'closed';

export interface LinkStatus {
  readonly state: LinkState;
  /** The newest snapshot that was handed over or published; both 0 for none. */
  readonly epoch: number;
  readonly version: number;
  /** When the writer was last heard: milliseconds on the host's monotonic clock. */
  readonly lastHeard: number | undefined;
  /** How many times a connection to a writer was made. */
  readonly connections: number;
  /** Snapshots that were refused: corrupt, truncated, foreign, too large, of a newer layout, not safely ours. */
  readonly refused: number;
  /** While leading: how many readers listen. */
  readonly readers: number;
  readonly lastError: Error | undefined;
  /** When that was: Unix milliseconds. */
  readonly lastErrorAt?: number | undefined;
  /** Milliseconds from the load of the last snapshot to its being handed over here; `undefined` for the first. */
  readonly lag?: number | undefined;

  // Links through Redis tell besides:

  /** Of what kind the last error is. */
  readonly lastErrorKind?: string | undefined;
  /** Who wrote what is stored; `''` for a writer without a lease. While leading: this candidate's id. */
  readonly writer?: string | undefined;
  /** For how many milliseconds the writer has its role if nothing more is heard of it; `undefined` where nobody has it. */
  readonly leaseLeft?: number | undefined;
  /** Whether announcements are heard now, and polls are only a precaution. */
  readonly isSubscribed?: boolean;
  /** How many times Redis was asked what it has. */
  readonly polls?: number;
  /** How many snapshots were fetched. */
  readonly pulls?: number;
  /** How many announcements were heard. */
  readonly announcements?: number;
}

/** What a follower tells. A callback that throws is reported, and hurts nobody. */
export interface FollowerEvents {
  /** A snapshot newer than every earlier one. Its bytes belong to the callee. */
  onSnapshot(snapshot: Snapshot): void;
  /** The snapshot that was handed over last was loaded again unchanged. May be told more than once. */
  onConfirmed?(confirmation: Confirmation): void;
  /** Told at each change. `error` says why it is interrupted. */
  onState?(state: 'live' | 'interrupted', error?: Error): void;
  /** Something failed in the background. The same failure in a row is told once. Default: a process warning. */
  onError?(error: Error): void;
}

/** What the writer's role begins with. */
export interface Grant {
  /** The epoch to publish under: higher than any that was granted before for this key. */
  readonly epoch: number;
  /** The snapshot that the last writer left, for a cold start. Versions go on from its. */
  readonly last: Snapshot | undefined;
}

export interface CandidateEvents extends FollowerEvents {
  /** This candidate is the writer now. Until then, and after `onLost`, `publish` is refused. */
  onGranted(grant: Grant): void;
  /** Another one is the writer, and this candidate stands by: told when it first hears of it, and after each change. */
  onFollowing?(): void;
  /** The writer's role was lost without being given up. A new grant (with a higher epoch) may follow at once. */
  onLost?(error: Error): void;
}

export interface LinkOptions {
  readonly key: string;
  /** The most bytes of a snapshot; default 64 MiB. */
  readonly maxBytes?: number;
  /** Milliseconds between two polls of the store, ±20 %; default 1000. What a lost announcement costs at most. */
  readonly pollInterval?: number;
  readonly clock?: Clock;
  /** Whether it keeps the process alive; default `false`. */
  readonly ref?: boolean;
}

/** Follows the writer of a key. */
export interface Follower {
  /** Looks into the store now, without waiting for the next poll. */
  poke(): void;
  status(): LinkStatus;
  /** Idempotent. No callback after it was called; resolves when nothing of it runs any more. */
  close(): Promise<void>;
}

/** Stands for the writer's role of a key, and follows the writer while another one has it. */
export interface Candidate extends Follower {
  /**
   * Stores the snapshot, then announces it. Publishes are made one after another; one that a newer one overtook before it
   * began is skipped, and settles as the newer one does.
   *
   * @throws StoreError when this isn't the writer, for an epoch other than the granted one, for a snapshot that isn't newer
   * than the last, and for a store that can't be written; SnapshotTooLargeError past `maxBytes`
   */
  publish(snapshot: Snapshot): Promise<void>;
  /**
   * Tells readers that the snapshot that was published last was loaded again unchanged: a heartbeat, no transfer.
   *
   * @throws StoreError when this isn't the writer, or when what was published last isn't that snapshot
   */
  confirm(confirmation: Confirmation): Promise<void>;
  /** Gives the writer's role up once running publishes are done, and stands by. Comes back to it when nobody else wants it. */
  release(): Promise<void>;
}

/** What a relay hears besides: a candidate for handing on what comes from elsewhere, with numbers of its own. */
export interface RelayEvents {
  /** A reader has heard of this, and that it isn't here yet. */
  onAsked(news: News): void;
  /** A reader would do better in this place. */
  onPreferred(): void;
  /** Whether this candidate asks a relay that isn't preferred to make room. */
  readonly prefers: boolean;
}

/** A candidate whose snapshots may have any numbers newer than the last. */
export interface Relay extends Candidate {
  /** While another one is the relay: tells it of news that it may not have yet. */
  ask(news: News): void;
  /** While this is the relay: tells whether the source of what it hands on is lost. */
  trouble(is: boolean): void;
}
