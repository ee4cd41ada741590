import { refuse } from '../../core/options.js';

/** The methods of ioredis that are called: a `Redis` or a `Cluster` of ioredis 5 and 6 has them. */
export interface RedisClient {
  getBuffer(key: string): Promise<Buffer | null>;
  getrangeBuffer(key: string, start: number, end: number): Promise<Buffer>;
  set(key: string, value: Buffer): Promise<unknown>;
  set(key: string, value: Buffer, unit: 'PX', milliseconds: number): Promise<unknown>;
  set(key: string, value: Buffer, condition: 'NX'): Promise<unknown>;
  set(key: string, value: Buffer, unit: 'PX', milliseconds: number, condition: 'NX'): Promise<unknown>;
  unlink(key: string): Promise<number>;
  eval(script: string, keyCount: number, ...keysAndArguments: (string | Buffer | number)[]): Promise<unknown>;
  evalsha(sha: string, keyCount: number, ...keysAndArguments: (string | Buffer | number)[]): Promise<unknown>;
  pipeline(): RedisPipeline;
}

export interface RedisPipeline {
  getBuffer(key: string): unknown;
  set(key: string, value: Buffer): unknown;
  set(key: string, value: Buffer, unit: 'PX', milliseconds: number): unknown;
  unlink(key: string): unknown;
  exec(): Promise<[error: Error | null, result: unknown][] | null>;
}

/** One server: the client itself, or a node of a Cluster. */
export interface RedisNode {
  pipeline(): RedisNodePipeline;
}

interface RedisNodePipeline extends RedisPipeline {
  scan(cursor: string, match: 'MATCH', pattern: string, count: 'COUNT', n: number): unknown;
}

/** What a Cluster has besides. */
interface ClusterParts {
  readonly isCluster: true;
  readonly slots: readonly (readonly string[])[];
  nodes(role: 'master'): RedisNode[];
}

const METHODS = ['getBuffer', 'getrangeBuffer', 'set', 'unlink', 'eval', 'evalsha', 'pipeline'] as const;

/**
 * @throws TypeError for what isn't a client, and for one with a `keyPrefix`: ioredis adds that to the keys of commands, but neither to a
 * pattern nor to what SCAN answers, so `clear()` would find nothing, or delete the wrong keys
 */
export function checkClient(client: unknown): asserts client is RedisClient {
  const candidate = client as Record<string, unknown> | null | undefined;
  const isClient =
    typeof candidate === 'object' && candidate !== null && METHODS.every((method) => typeof candidate[method] === 'function');
  if (!isClient) refuse('client', 'a Redis or Cluster of ioredis', client);
  type Options = { keyPrefix?: unknown; redisOptions?: { keyPrefix?: unknown } };
  const options = candidate['options'] as Options | undefined;
  if (options?.keyPrefix || options?.redisOptions?.keyPrefix) {
    throw new TypeError('Expected a client without `keyPrefix`: give the prefix to RedisCache instead, which can clear it');
  }
}

export function clusterParts(client: RedisClient): ClusterParts | undefined {
  const parts = client as unknown as Partial<ClusterParts>;
  return parts.isCluster === true && typeof parts.nodes === 'function' ? (parts as ClusterParts) : undefined;
}

/** The servers that hold the keys. */
export function nodesOf(client: RedisClient): RedisNode[] {
  return clusterParts(client)?.nodes('master') ?? [client as unknown as RedisNode];
}

/** What is used of the socket that a client writes to. */
export interface Socket {
  cork(): void;
  uncork(): void;
}

/** The socket of a client that is connected to one server; none for a Cluster, whose commands go to many. */
export function socketOf(client: RedisClient): Socket | undefined {
  const { status, stream } = client as { readonly status?: unknown; readonly stream?: Partial<Socket> | null };
  return status === 'ready' && typeof stream?.cork === 'function' && typeof stream.uncork === 'function' ? (stream as Socket) : undefined;
}

/**
 * Whether the client lost its connection and has none yet. A command given to it now would wait in its queue, and a write of now
 * overwrite somebody's newer one whenever the connection is back.
 */
export function isCutOff(client: RedisClient): boolean {
  const { status } = client as { readonly status?: unknown };
  return status === 'reconnecting' || status === 'close' || status === 'end';
}
