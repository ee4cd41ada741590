/** Followers and candidates over a real Redis, and a check of everything that they were told. */
import { crc32 } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import type { Cluster, Redis } from 'ioredis';
import { monotonic } from '../../../dist/core/clock.js';
import type { Confirmation, Snapshot } from '../../../dist/core/snapshot.js';
import { RedisCache } from '../../../dist/index.js';
import { followRedis } from '../../../dist/link/redis/follow.js';
import { leadRedis } from '../../../dist/link/redis/lead.js';
import type { RedisLinkOptions } from '../../../dist/link/redis/options.js';
import type { Candidate, Follower, Grant } from '../../../dist/link/ports.js';
import { type Scope, until } from '../../support/process.js';

const rejections: unknown[] = [];
process.on('unhandledRejection', (reason) => void rejections.push(reason));

/** For `test.after.always`. */
export const heardAll = (t: ExecutionContext): void => void t.deepEqual(rejections, []);

export const KEY = 'flags';
export const PREFIX = 'app:';

export type Client = Redis | Cluster;
export type Options = Partial<RedisLinkOptions>;

/** Bytes that say which snapshot they are of, padded to `size`: a reader can tell whether they belong to their numbers. */
export function bytesOf(epoch: number, version: number, size = 0): Uint8Array {
  const text = JSON.stringify({ epoch, version, crc: crc32(`${epoch} ${version}`) });
  return Buffer.from(text.padEnd(size));
}

export function snapshotOf(epoch: number, version: number, size = 0): Snapshot {
  const now = monotonic();
  return {
    epoch,
    version,
    createdAt: Date.now(),
    createdAtMonotonic: now,
    freshFor: 60_000,
    codec: 'json',
    bytes: bytesOf(epoch, version, size),
  };
}

/** What is wrong with a history; `undefined` for nothing: numbers only rise, and bytes are those of their numbers. */
export function faultOf(snapshots: readonly Pick<Snapshot, 'epoch' | 'version' | 'bytes'>[], isRenumbered = false): string | undefined {
  let before = { epoch: 0, version: 0 };
  for (const { epoch, version, bytes } of snapshots) {
    if (epoch < before.epoch || (epoch === before.epoch && version <= before.version))
      return `backward: ${epoch}/${version} after ${before.epoch}/${before.version}`;
    before = { epoch, version };
    const said = JSON.parse(Buffer.from(bytes).toString()) as { epoch: number; version: number; crc: number };
    if (said.crc !== crc32(`${said.epoch} ${said.version}`)) return `torn: ${epoch}/${version}`;
    // A snapshot that a new writer put back has the epoch of the new one, and the bytes of the old.
    if (!isRenumbered && (said.version !== version || said.epoch > epoch))
      return `${epoch}/${version} has the bytes of ${said.epoch}/${said.version}`;
  }
  return undefined;
}

export interface Seen {
  readonly follower: Follower;
  readonly snapshots: Snapshot[];
  readonly confirmations: Confirmation[];
  readonly states: string[];
  readonly errors: Error[];
  /** The version that was handed over last. */
  readonly version: number;
}

function listen() {
  const seen = { snapshots: [] as Snapshot[], confirmations: [] as Confirmation[], states: [] as string[], errors: [] as Error[] };
  const events = {
    onSnapshot: (snapshot: Snapshot) => void seen.snapshots.push(snapshot),
    onConfirmed: (confirmation: Confirmation) => void seen.confirmations.push(confirmation),
    onState: (state: string) => void seen.states.push(state),
    onError: (error: Error) => void seen.errors.push(error),
  };
  return { seen, events };
}

export function follow(scope: Scope, client: Client, options: Options = {}): Seen {
  const { seen, events } = listen();
  const follower = followRedis({ store: storeOf(client), key: KEY, pollInterval: 200, ...options, ...events });
  scope.teardown(() => follower.close());
  return {
    follower,
    ...seen,
    get version() {
      return seen.snapshots.at(-1)?.version ?? 0;
    },
  };
}

export function storeOf(client: Client): RedisCache {
  return new RedisCache(client, { prefix: PREFIX });
}

export interface Standing extends Omit<Seen, 'follower'> {
  readonly candidate: Candidate;
  readonly grants: Grant[];
  readonly lost: Error[];
  followings: number;
  /** The epoch it was granted last. */
  readonly epoch: number;
  /** Publishes the version after the last one. */
  next(size?: number): Promise<Snapshot>;
}

/** A candidate; `await granted(it)` where it must be the writer. */
export function stand(scope: Scope, client: Client, options: Options = {}): Standing {
  const { seen, events } = listen();
  const grants: Grant[] = [];
  const lost: Error[] = [];
  const candidate = leadRedis({
    store: storeOf(client),
    key: KEY,
    pollInterval: 200,
    leaseMs: 20_000,
    ...options,
    ...events,
    onGranted: (grant) => {
      grants.push(grant);
      version = Math.max(version, grant.last?.version ?? 0);
    },
    onLost: (error) => void lost.push(error),
    onFollowing: () => {
      standing.followings += 1;
    },
  });
  scope.teardown(() => candidate.close());
  let version = 0;
  const standing: Standing = {
    candidate,
    ...seen,
    grants,
    lost,
    followings: 0,
    get version() {
      return seen.snapshots.at(-1)?.version ?? 0;
    },
    get epoch() {
      return grants.at(-1)?.epoch ?? 0;
    },
    async next(size) {
      const snapshot = snapshotOf(standing.epoch, ++version, size);
      await candidate.publish(snapshot);
      return snapshot;
    },
  };
  return standing;
}

export async function granted(standing: Standing): Promise<Grant> {
  await until(() => standing.candidate.status().state === 'leading', { what: 'the role was granted' });
  return standing.grants.at(-1) as Grant;
}

export async function leader(scope: Scope, client: Client, options: Options = {}): Promise<Standing> {
  const standing = stand(scope, client, options);
  await granted(standing);
  return standing;
}
