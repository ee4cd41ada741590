import type { Duration } from '../core/duration.js';
import { refuse, show } from '../core/options.js';
import type { Serializer } from '../core/serializer.js';
import { resolveSerializer, type SerializerOption } from '../serializers/resolve.js';
import { RedisCache } from '../stores/redis/redis-cache.js';
import { milliseconds } from './options.js';
import type { Scope } from './writer.js';

const LEASE = '10s';
const SHORTEST_LEASE = 100;

/** Whether a store can push. */
export function isFleetStore(store: unknown): store is RedisCache {
  return store instanceof RedisCache;
}

/** What a writer of scope `'fleet'` needs besides. */
export interface FleetPlan {
  readonly store: RedisCache;
  readonly leaseMs: number;
}

export interface FleetOptions {
  readonly scope?: Scope | undefined;
  readonly store?: unknown;
  readonly lease?: Duration | undefined;
}

/**
 * `undefined` for the other scopes.
 *
 * @throws TypeError for a fleet without a RedisCache, and for a `lease` without a fleet; RangeError for one that is no length of time
 */
export function fleetPlan({ scope, store, lease }: FleetOptions): FleetPlan | undefined {
  if (scope !== 'fleet') {
    if (lease !== undefined) throw new TypeError("Expected `lease` together with scope 'fleet' only: other writers have none");
    return undefined;
  }
  if (!isFleetStore(store)) refuse('store', "a RedisCache, through which the hosts of scope 'fleet' meet", store);
  const leaseMs = Math.round(milliseconds(lease ?? LEASE, 'lease'));
  if (!Number.isSafeInteger(leaseMs) || leaseMs < SHORTEST_LEASE) {
    throw new RangeError(`Expected \`lease\` to be finite and ${SHORTEST_LEASE} ms or more, got ${show(lease)}`);
  }
  return { store, leaseMs };
}

/**
 * The serializer of what is stored: the store's, since whoever reads the store, this library's cache() and the Python library among them,
 * decodes with that. `own` may say it once more.
 *
 * @throws TypeError for another one
 */
export function fleetSerializer({ store }: FleetPlan, own: SerializerOption | undefined): Serializer {
  const serializer = resolveSerializer(own, store.serializer);
  if (serializer.name !== store.serializer.name) {
    throw new TypeError(
      `Expected \`serializer\` to be that of the store (${show(store.serializer.name)}), with which its readers decode, got ${show(serializer.name)}`,
    );
  }
  return serializer;
}
