/** For writers without a lease: several processes, each with a schedule of its own, as the Python library has them. */
import { crc32 } from 'node:zlib';
import { SnapshotTooLargeError, StoreError } from '../../core/errors.js';
import type { SnapshotMeta } from '../../core/snapshot.js';
import { isCutOff } from '../../stores/redis/client.js';
import { run } from '../../stores/redis/scripts.js';
import { RemoteCalls } from '../../stores/remote/calls.js';
import { encodeEntry } from '../../wire/entry.js';
import type { News } from '../ports.js';
import { WRITE_WITHIN, allowFor } from './connection.js';
import { reason } from './failures.js';
import { linkSettings, type RedisLinkOptions } from './options.js';
import { PUBLISH_UNFENCED } from './scripts.js';

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
  const fresh = freshFor === Infinity ? 'inf' : Math.round(freshFor);
  const entry = encodeEntry(bytes, (createdAt + freshFor) / 1000, createdAt / 1000);
  const checksum = crc32(bytes);
  const ms = WRITE_WITHIN + allowFor(byteLength);
  const calls = new RemoteCalls({ store: 'Redis', reason }, { readMs: ms, writeMs: ms, breaker: undefined, clock });
  const [word, epoch, version] = (await calls.write('publish', () => {
    if (isCutOff(store.client)) throw new StoreError("Can't publish: the client has no connection");
    return run(PUBLISH_UNFENCED, store.client, [names.value, names.meta, names.lease], () => {
      const age = Math.max(0, Math.round(clock.monotonic() - createdAtMonotonic));
      return [checksum, byteLength, codec, fresh, age, names.channel, entry];
    });
  })) as [string, string, string];
  if (word === 'HELD') {
    throw new StoreError(
      "Can't publish: a writer of scope 'fleet' holds the lease of this key, and is its only one (give all its writers that scope, or none)",
    );
  }
  return { epoch: Number(epoch), version: Number(version) };
}
