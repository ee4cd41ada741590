/**
 * Connections of the link's own, made after the user's client: same servers, user and TLS, but nothing is queued for a dead
 * connection or sent a second time, and no instance is used again after its connection was lost.
 *
 * Never the user's client itself: a snapshot of many megabytes on it would hold up the commands of the application, and only a
 * connection of our own can be given up when it no longer answers.
 */
import type { Socket } from 'node:net';
import { refuse } from '../../core/options.js';
import { clusterParts, type RedisClient } from '../../stores/redis/client.js';

/** What is called of an ioredis `Redis` or `Cluster` of our own. */
export interface OwnClient extends Pick<RedisClient, 'eval' | 'evalsha'> {
  readonly status: string;
  connect(): Promise<unknown>;
  disconnect(): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  multi(): Transaction;
  ping(): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
}

export interface Transaction {
  hmget(key: string, ...fields: string[]): unknown;
  getrangeBuffer(key: string, start: number, end: number): unknown;
  strlen(key: string): unknown;
  get(key: string): unknown;
  pttl(key: string): unknown;
  time(): unknown;
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/** A connection to one server: what the link's own client is, or consists of. */
interface Node extends OwnClient {
  readonly stream?: Socket;
  duplicate(override: object): OwnClient;
}

interface ClusterClient extends OwnClient {
  duplicate(startupNodes: [], override: object): OwnClient;
  nodes(role: 'all'): Node[];
}

/** Makes one client, not connected yet; `undefined` where it isn't known yet to what. */
export type MakeClient = () => OwnClient | undefined;

/** How long the greeting of one server may take, in milliseconds. */
const CONNECT_TIMEOUT = 3000;

const OWN = {
  lazyConnect: true,
  // What is lost is lost: the protocol knows what to do again, and a client that does it by itself does it too late.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  retryStrategy: null,
  reconnectOnError: null,
  sentinelRetryStrategy: null,
  sentinelCommandTimeout: CONNECT_TIMEOUT,
  connectTimeout: CONNECT_TIMEOUT,
  // Its sockets are destroyed when it is given up: there is nothing to wait for, and ioredis' timer would keep the process alive.
  disconnectTimeout: 1,
  // Each command has a deadline here, by its size; one for all would cut the large ones off.
  commandTimeout: undefined,
  socketTimeout: undefined,
  blockingTimeout: undefined,
  enableAutoPipelining: false,
  failoverDetector: false,
  stringNumbers: false,
  replyMapping: 'legacy',
  monitor: false,
  readOnly: false,
  himportFieldsets: undefined,
};

const OWN_CLUSTER = {
  lazyConnect: true,
  enableOfflineQueue: false,
  clusterRetryStrategy: null,
  clusterNodeRetryStrategy: null,
  slotsRefreshInterval: undefined,
  enableAutoPipelining: false,
  shardedSubscribers: false,
  // Everything that is asked must be of the master: a replica may be behind, which looks like going back.
  scaleReads: 'master',
  himportFieldsets: undefined,
};

/** @throws TypeError for a client that can't be duplicated */
export function checkDuplicable(client: RedisClient): void {
  const { duplicate } = client as Partial<Node>;
  if (typeof duplicate !== 'function') refuse('store', 'a RedisCache with a Redis or Cluster of ioredis, which can be duplicated', client);
}

/** For commands. */
export function duplicate(client: RedisClient): OwnClient {
  if (!clusterParts(client)) return (client as unknown as Node).duplicate(OWN);
  const { options = {} } = client as { options?: { redisOptions?: object } };
  // The nodes of a Cluster queue what is sent while they connect, as they must: they connect when they are first needed.
  const redisOptions = { ...options.redisOptions, ...OWN, enableOfflineQueue: true };
  return (client as unknown as ClusterClient).duplicate([], { ...OWN_CLUSTER, redisOptions });
}

/**
 * For subscriptions. In a Cluster any node will do, since every one passes on what is published on any: one of those that `commands`
 * knows, a client that is connected. (Sharded pub/sub would spare the nodes that, but it needs Redis 7, follows the slot from node to node, and ioredis
 * doesn't tell when it has subscribed anew.)
 */
export function duplicateForSubscriptions(client: RedisClient, commands: OwnClient | undefined): OwnClient | undefined {
  if (!clusterParts(client)) return duplicate(client);
  const nodes = (commands as ClusterClient | undefined)?.nodes('all') ?? [];
  return nodes[Math.floor(Math.random() * nodes.length)]?.duplicate(OWN);
}

/** Calls `each` for every socket that the client makes. */
export function onSocket(client: OwnClient, each: (socket: Socket) => void): void {
  const watch = (node: Node): void => {
    const look = (): void => {
      if (node.stream) each(node.stream);
    };
    // The socket is made a turn after `connecting`; `connect` comes when it is connected.
    node.on('connecting', () => setImmediate(look).unref());
    node.on('connect', look);
  };
  if ('nodes' in client) client.on('+node', watch as (node: never) => void);
  else watch(client as Node);
}
