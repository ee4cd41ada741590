/**
 * What a fleet's value is called on a host. Not by its key alone: two stores with different servers or prefixes (one for each tenant, say)
 * may have the same key, and their values must never meet.
 */
import { createHash } from 'node:crypto';
import { clusterParts } from '../../stores/redis/client.js';
import type { RedisCache } from '../../stores/redis/redis-cache.js';

/** What of a client's options says where it leads. Users and passwords don't: the value is the same for all who may read it. */
interface Whereabouts {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly path?: unknown;
  readonly db?: unknown;
  readonly name?: unknown;
  readonly sentinels?: unknown;
}

const SHOWN = 200;

/** The key, for people; and a hash of where the value is, which makes it unique. Stores that lead to the same place agree on it. */
export function fleetName(store: RedisCache, key: string): string {
  // What the one takes, the other may have to refuse.
  const place = JSON.stringify([whereabouts(store), store.prefix, key, ...(store.isSealed ? ['sealed'] : [])]);
  const hash = createHash('sha256').update(place).digest('hex').slice(0, 32);
  return `${key.slice(0, SHOWN).toWellFormed()}@${hash}`;
}

function whereabouts({ client }: RedisCache): unknown {
  const { options = {}, startupNodes = [] } = client as { options?: Whereabouts; startupNodes?: unknown };
  if (clusterParts(client)) return ['cluster', texts(startupNodes)];
  const { host, port, path, db, name, sentinels } = options;
  if (Array.isArray(sentinels)) return ['sentinel', texts(sentinels), name, db];
  return typeof path === 'string' ? ['path', path, db] : ['tcp', host, port, db];
}

/** In whatever order they were given. */
function texts(nodes: unknown): string[] {
  const all = Array.isArray(nodes) ? (nodes as unknown[]) : [];
  return all.map((node) => (typeof node === 'object' && node !== null ? hostAndPort(node) : String(node))).sort();
}

function hostAndPort({ host, port }: { host?: unknown; port?: unknown }): string {
  return `${String(host)}:${String(port)}`;
}
