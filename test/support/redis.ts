/**
 * Real Redis servers for tests: processes of their own, ended with the test file, none of them listening where another could meet it.
 * `REDIS_SERVER` names another binary (a Valkey, another version).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
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

const running = new Set<ChildProcess>();
let cleansUp = false;

async function start(args: readonly string[]): Promise<ChildProcess> {
  if (!cleansUp) process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
  cleansUp = true;
  const child = spawn(BINARY, [...args, '--save', '', '--appendonly', 'no'], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await until(() => /ready to accept connections/i.test(output) || child.exitCode !== null, { what: 'Redis is ready' });
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
  const launch = (): Promise<ChildProcess> => start(['--port', '0', '--unixsocket', address, '--dir', folder, ...args]);
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
  client(): Cluster;
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
        `--bind 127.0.0.1 --port ${port} --cluster-port ${bus} --cluster-enabled yes --cluster-config-file ${folder}/nodes-${port}.conf --cluster-node-timeout 1000 --cluster-require-full-coverage no --dir ${folder}`.split(
          ' ',
        ),
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
    client() {
      const client = quiet(new Cluster(ports.map((port) => ({ host: '127.0.0.1', port }))));
      scope.teardown(() => client.disconnect());
      return client;
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
