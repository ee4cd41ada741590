/**
 * Real Redis servers for tests: processes of their own, ended with the test file, none of them listening where another could meet it.
 * `REDIS_SERVER` names another binary (a Valkey, another version).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { type Scope, tempDir, until } from './process.js';

const BINARY = process.env['REDIS_SERVER'] ?? 'redis-server';

/** Why there is no Redis here, or `undefined` where there is one: for `test.skip`. */
export const noRedis: string | undefined =
  spawnSync(BINARY, ['--version']).status === 0
    ? undefined
    : `skipped: no ${BINARY} here (apt-get install redis-server, or set REDIS_SERVER)`;

type ClientOptions = Omit<RedisOptions, 'replyMapping'>;

export interface RedisServer {
  /** A new connection, closed after the test. Errors of the connection are dropped: tests see those of the commands. */
  client(options?: ClientOptions): Redis;
  /** A path or a port, for a client in another process. */
  readonly address: string;
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** Starts it again, empty, at the same address. */
  restart(): Promise<void>;
}

const IN_MEMORY = ['--save', '', '--appendonly', 'no'];

const running = new Set<ChildProcess>();
let cleansUp = false;

async function start(args: readonly string[], isReady = /ready to accept connections/i): Promise<ChildProcess> {
  if (!cleansUp) process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
  cleansUp = true;
  const child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await until(() => isReady.test(output) || child.exitCode !== null, { what: 'Redis is ready' });
  if (child.exitCode !== null) throw new Error(`Redis ended at once: ${output}`);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const quiet = <C extends Redis | Cluster>(client: C): C => client.on('error', () => undefined) as C;

/** One server, on a unix socket. */
export async function startRedis(scope: Scope, args: readonly string[] = []): Promise<RedisServer> {
  const folder = tempDir(scope);
  const address = join(folder, 'redis.sock');
  const launch = (): Promise<ChildProcess> => start(['--port', '0', '--unixsocket', address, '--dir', folder, ...args, ...IN_MEMORY]);
  let child = await launch();
  scope.teardown(() => stop(child));
  return {
    client(options) {
      const all: ClientOptions = { maxRetriesPerRequest: 1, retryStrategy: (n: number) => Math.min(n * 20, 200), ...options };
      const client = quiet(new Redis(address, all));
      scope.teardown(() => client.disconnect());
      return client;
    },
    address,
    get pid() {
      return child.pid ?? -1;
    },
    kill: (signal) => void child.kill(signal),
    async restart() {
      await stop(child);
      child = await launch();
    },
  };
}

export interface RedisCluster {
  client(redisOptions?: ClientOptions): Cluster;
  /** A connection to each of the three. */
  readonly nodes: readonly Redis[];
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Three masters, a third of the slots each, no replicas. */
export async function startCluster(scope: Scope): Promise<RedisCluster> {
  const folder = tempDir(scope);
  const all = await freePorts(6);
  const ports = all.slice(0, 3);
  const nodes = await Promise.all(
    ports.map(async (port, i) => {
      const bus = all[i + 3] as number;
      const child = await start(
        `--bind 127.0.0.1 --port ${port} --cluster-port ${bus} --cluster-enabled yes --cluster-config-file ${folder}/nodes-${port}.conf --cluster-node-timeout 1000 --cluster-require-full-coverage no --dir ${folder}`
          .split(' ')
          .concat(IN_MEMORY),
      );
      scope.teardown(() => stop(child));
      const node = quiet(new Redis(port, '127.0.0.1'));
      scope.teardown(() => node.disconnect());
      await node.cluster('SET-CONFIG-EPOCH', i + 1);
      await node.cluster('ADDSLOTSRANGE', Math.floor((i * 16_384) / 3), Math.floor(((i + 1) * 16_384) / 3) - 1);
      return node;
    }),
  );
  for (const [i, node] of nodes.entries())
    for (const [j, port] of ports.entries()) if (i !== j) await node.call('CLUSTER', 'MEET', '127.0.0.1', port, all[j + 3] as number);
  await until(
    async () => {
      const states = await Promise.all(nodes.map(async (node) => String(await node.cluster('INFO'))));
      return states.every(
        (info) => /cluster_state:ok/.test(info) && /cluster_slots_ok:16384/.test(info) && /cluster_known_nodes:3/.test(info),
      );
    },
    { what: 'the Cluster has formed', deadline: 20_000 },
  );
  return {
    nodes,
    client(redisOptions = {}) {
      const nodes = ports.map((port) => ({ host: '127.0.0.1', port }));
      const client = quiet(new Cluster(nodes, { redisOptions }));
      scope.teardown(() => client.disconnect());
      return client;
    },
  };
}

export interface RedisSentinels {
  client(): Redis;
  /** Ends the present master at once. */
  killMaster(): Promise<void>;
}

/** A master and a replica, and three sentinels that watch over them. */
export async function startSentinels(scope: Scope): Promise<RedisSentinels> {
  const folder = tempDir(scope);
  const ports = await freePorts(5);
  const [first, second] = ports as [number, number];
  const servers = new Map<number, ChildProcess>();
  for (const port of [first, second]) {
    const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--repl-diskless-sync-delay', '0', ...IN_MEMORY];
    const child = await start(port === first ? args : [...args, '--replicaof', '127.0.0.1', String(first)]);
    scope.teardown(() => stop(child));
    servers.set(port, child);
  }
  const sentinels = ports.slice(2).map((port) => ({ host: '127.0.0.1', port }));
  for (const { port } of sentinels) {
    const file = join(folder, `sentinel-${port}.conf`);
    const lines = [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, `sentinel monitor main 127.0.0.1 ${first} 2`];
    writeFileSync(file, [...lines, 'sentinel down-after-milliseconds main 500', 'sentinel failover-timeout main 3000', ''].join('\n'));
    const child = await start([file, '--sentinel'], /monitor master/);
    scope.teardown(() => stop(child));
  }
  const one = quiet(new Redis(sentinels[0]?.port as number, '127.0.0.1'));
  scope.teardown(() => one.disconnect());
  const about = async (): Promise<string> => String(await one.call('SENTINEL', 'MASTER', 'main'));
  await until(async () => /num-slaves,1,num-other-sentinels,2/.test(await about()), { what: 'the sentinels know all', deadline: 20_000 });
  return {
    client() {
      const client = quiet(new Redis({ sentinels, name: 'main', sentinelRetryStrategy: () => 100, retryStrategy: () => 100 }));
      scope.teardown(() => client.disconnect());
      return client;
    },
    async killMaster() {
      const [, port] = (await one.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main')) as [string, string];
      await stop(servers.get(Number(port)) as ChildProcess);
    },
  };
}

/**
 * Every command that clients give to a server from now on (`MONITOR`), until `stop`. Over a socket of its own: ioredis takes what is told right
 * behind the acknowledgement for replies.
 */
export async function commandsOf(server: RedisServer): Promise<{ readonly commands: string[][]; stop(): void }> {
  const commands: string[][] = [];
  const socket = connect(server.address);
  const lines = createInterface({ input: socket, crlfDelay: Infinity });
  const started = once(lines, 'line');
  socket.write('MONITOR\r\n');
  await started;
  lines.on('line', (line) => {
    const [, source, words] = /^\+[\d.]+ \[\d+ ([^\]]*)\] (.*)$/.exec(line) ?? [];
    if (words !== undefined && source !== 'lua')
      commands.push([...words.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((word) => word[1] as string));
  });
  return { commands, stop: () => socket.destroy() };
}
