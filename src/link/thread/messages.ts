import type { PackedError } from '../../core/packed-error.js';
import type { Confirmation, SnapshotMeta } from '../../core/snapshot.js';
import type { LinkStatus, News } from '../ports.js';

/** The BroadcastChannel on which the threads of a process and its link thread talk. Bumped with the words below. */
export const LINK_CHANNEL = 'advanced-caching/1/link';

/** What a thread wants of the link thread, said again until that one has it. */
export interface Want {
  /** Of this want: unique in the process. */
  readonly id: string;
  readonly role: 'follow' | 'lead';
  /** Under which the processes of the host, and the threads of this one, find each other: the key, or the name of a fleet's value. */
  readonly key: string;
  /** Where it is a fleet's value. */
  readonly fleet?: FleetWant;
  readonly namespace: string;
  readonly directory: string | undefined;
  readonly maxBytes: number;
  /** Milliseconds between two polls of the file. */
  readonly pollInterval: number;
  /** The ring that the asking thread has. Where the process has another one already, the link thread announces that. */
  readonly buffer: SharedArrayBuffer;
}

export interface FleetWant {
  /** As the user calls it. */
  readonly key: string;
  /** `reader`: has no store. `relay`: has one, and can speak to Redis for others. `writer`: also stands for writing. */
  readonly part: 'reader' | 'relay' | 'writer';
  /** `direct`: this thread speaks to Redis itself in any case, and the process has no part in the host's link for it. */
  readonly via: 'host' | 'direct';
}

/** Whether a thread that has a store is the one that speaks to Redis: for its process, and the others of the host. */
export type FleetRole = 'relay' | 'reserve';

/** A snapshot on its way through a channel that every thread hears: its bytes are shared, not cloned for each. */
export interface SharedSnapshot extends SnapshotMeta {
  readonly buffer: SharedArrayBuffer;
}

/** `to` is the link thread's id, `from` the asking thread's. */
export type ToLink =
  | { readonly type: 'hello'; readonly from: number; readonly wants: readonly string[] }
  | { readonly type: 'want'; readonly to: number; readonly from: number; readonly want: Want }
  | { readonly type: 'drop'; readonly to: number; readonly id: string }
  | ({ readonly to: number; readonly id: string } & FleetSaying);

/** Why a source of snapshots is interrupted. */
export interface Trouble {
  readonly error: PackedError;
  readonly kind: string | undefined;
  /** Unix milliseconds. */
  readonly at: number;
}

/** What a thread with a store tells of a fleet's value. */
export type FleetSaying =
  | { readonly type: 'snapshot'; readonly snapshot: SharedSnapshot; readonly writer: string | undefined }
  | { readonly type: 'confirmed'; readonly confirmation: Confirmation }
  /** How it stands with Redis; `undefined`: this thread doesn't speak to it any more. */
  | { readonly type: 'heard'; readonly state: 'live' | 'interrupted' | undefined; readonly trouble?: Trouble | undefined }
  /** Redis has this, which hasn't come here yet. */
  | { readonly type: 'ask'; readonly news: News };

/** The answer of a link thread to the `hello` of the thread `from`, with those of the asked wants that it has; at its birth, to all. */
export interface Here {
  readonly type: 'here';
  readonly link: number;
  /** The thread that made it, with which it ends. */
  readonly maker: number;
  /** Monotonic milliseconds. Of two link threads the older one counts. */
  readonly born: number;
  readonly from: number | undefined;
  readonly has: readonly string[];
}

/** `id` is the want's. */
export type FromLink =
  | Here
  /** This process writes the key now, into this ring. */
  | { readonly type: 'granted'; readonly id: string; readonly epoch: number; readonly version: number; readonly buffer: SharedArrayBuffer }
  /** Another process writes the key, or none does yet. */
  | { readonly type: 'stand-by'; readonly id: string }
  /** Another thread of this process stands for the key already. */
  | { readonly type: 'duplicate'; readonly id: string }
  | { readonly type: 'moved'; readonly id: string; readonly target: string | undefined }
  | { readonly type: 'role'; readonly id: string; readonly role: FleetRole }
  /** Somebody has heard of something newer in Redis. */
  | { readonly type: 'poke'; readonly id: string }
  | { readonly type: 'problem'; readonly id: string; readonly error: PackedError }
  /** Of all wants that it has, each second. */
  | { readonly type: 'statuses'; readonly statuses: ReadonlyMap<string, PlainLinkStatus> };

export type PlainLinkStatus = Omit<LinkStatus, 'lastError'> & { readonly lastError: PackedError | undefined };
