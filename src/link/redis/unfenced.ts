/** For writers without a lease: several processes, each with a schedule of its own, as the Python library has them. */
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/clock.js';
import { SnapshotTooLargeError, StoreError } from '../../core/errors.js';
import type { SnapshotMeta } from '../../core/snapshot.js';
import { isCutOff } from '../../stores/redis/client.js';
import type { RedisCache } from '../../stores/redis/redis-cache.js';
import { run, type Script } from '../../stores/redis/scripts.js';
import { RemoteCalls } from '../../stores/remote/calls.js';
import { encodeEntry } from '../../wire/entry.js';
import type { News } from '../ports.js';
import { WRITE_WITHIN, allowFor } from './connection.js';
import { reason } from './failures.js';
import type { Names } from './names.js';
import { linkSettings, type RedisLinkOptions } from './options.js';
import { CONFIRM_UNFENCED, PUBLISH_UNFENCED } from './scripts.js';

export type Unnumbered = Omit<SnapshotMeta, 'epoch' | 'version'> & { readonly bytes: Uint8Array };

/**
 * Stores a value and tells its readers, without being the key's only writer: of several the last one wins, and versions only rise. Answers
 * the numbers that the value got. It goes over the store's own client, as `store.set` does.
 *
 * @throws StoreError while a writer of scope `'fleet'` holds the lease of this key, and for a Redis that fails; TimeoutError for one that
 * doesn't answer (then it may have happened or not); SnapshotTooLargeError past `maxBytes`
 */
export async function publishUnfenced(
  options: Pick<RedisLinkOptions, 'store' | 'key' | 'maxBytes' | 'clock'>,
  value: Unnumbered,
): Promise<News> {
  const { store, names, maxBytes, clock } = linkSettings(options);
  const { bytes, codec, freshFor, createdAt, createdAtMonotonic } = value;
  const { byteLength } = bytes;
  if (byteLength > maxBytes) throw new SnapshotTooLargeError(`This snapshot has ${byteLength} bytes, more than \`maxBytes\` (${maxBytes})`);
  const entry = encodeEntry(bytes, (createdAt + freshFor) / 1000, createdAt / 1000);
  const checksum = crc32(bytes);
  const [word, epoch, version] = (await give('publish', store, names, PUBLISH_UNFENCED, byteLength, clock, () => [
    ...[checksum, byteLength, codec, freshText(freshFor), ageOf(createdAtMonotonic, clock), names.channel],
    entry,
  ])) as [string, string, string];
  if (word === 'HELD') {
    throw new StoreError(
      "Can't publish: a writer of scope 'fleet' holds the lease of this key, and is its only one (give all its writers that scope, or none)",
    );
  }
  return { epoch: Number(epoch), version: Number(version) };
}

/**
 * Says that what was published under these numbers was loaded again unchanged: a new time, no transfer. Answers `false` where something
 * else has been stored since.
 *
 * @throws StoreError and TimeoutError as `publishUnfenced`
 */
export async function confirmUnfenced(
  options: Pick<RedisLinkOptions, 'store' | 'key' | 'clock'>,
  { epoch, version }: News,
  { freshFor, createdAtMonotonic }: Pick<SnapshotMeta, 'freshFor' | 'createdAtMonotonic'>,
): Promise<boolean> {
  const { store, names, clock } = linkSettings(options);
  const [word] = (await give('confirm', store, names, CONFIRM_UNFENCED, 0, clock, () => [
    ...[epoch, version, freshText(freshFor), ageOf(createdAtMonotonic, clock), names.channel],
  ])) as [string];
  return word === 'OK';
}

/** Over the store's own client, with the deadlines of the link. */
function give(
  what: string,
  { client }: RedisCache,
  names: Names,
  script: Script,
  bytes: number,
  clock: Clock,
  args: () => (string | number | Buffer)[],
): Promise<unknown> {
  const ms = WRITE_WITHIN + allowFor(bytes);
  const calls = new RemoteCalls({ store: 'Redis', reason }, { readMs: ms, writeMs: ms, breaker: undefined, clock });
  return calls.write(what, () => {
    if (isCutOff(client)) throw new StoreError(`Can't ${what}: the client has no connection`);
    return run(script, client, [names.value, names.meta, names.lease], args);
  });
}

function freshText(ms: number): number | 'inf' {
  return ms === Infinity ? 'inf' : Math.round(ms);
}

function ageOf(createdAtMonotonic: number, clock: Clock): number {
  return Math.max(0, Math.round(clock.monotonic() - createdAtMonotonic));
}
