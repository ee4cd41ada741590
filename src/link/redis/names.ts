/** What the keys and the channel of a snapshot are called in Redis: all in one slot of a Cluster. */
import { checkKey } from '../../core/options.js';
import { clusterParts } from '../../stores/redis/client.js';
import type { RedisCache } from '../../stores/redis/redis-cache.js';
import { hashedPart } from '../../stores/redis/slots.js';

export interface Names {
  /** The store's own key: header and bytes, as any reader of the store finds them. */
  readonly value: string;
  readonly meta: string;
  readonly lease: string;
  readonly channel: string;
}

/**
 * `{app:flags}:m` beside `app:flags`; where the key has a hash tag of its own (`{app}:flags`), `{app}:flags:m`.
 *
 * @throws RangeError on a Cluster for a key whose braces allow neither
 */
export function namesOf(store: Pick<RedisCache, 'client' | 'prefix'>, key: string): Names {
  checkKey('key', key);
  const value = store.prefix + key;
  const base = [`{${value}}`, value].find((name) => hashedPart(`${name}:m`) === hashedPart(value));
  if (base === undefined && clusterParts(store.client)) {
    throw new RangeError(
      'Expected a prefix and `key` whose braces form a hash tag of Redis Cluster or none at all: with these, no other key can share their slot',
    );
  }
  const stem = base ?? `{${value}}`;
  return { value, meta: `${stem}:m`, lease: `${stem}:l`, channel: `${stem}:n` };
}
