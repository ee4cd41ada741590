// @ts-check
/** A redis-server of the benchmark's own, on a unix socket, so that it meets no other. `REDIS_SERVER` names another binary. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

const BINARY = process.env['REDIS_SERVER'] ?? 'redis-server';

/** Why there is no Redis here, or `undefined` where there is one. */
export const noRedis =
  spawnSync(BINARY, ['--version']).status === 0 ? undefined : `no ${BINARY} here (apt-get install redis-server, or set REDIS_SERVER)`;

/** @param {readonly string[]} [args] */
export async function startRedis(args = []) {
  const folder = mkdtempSync(join(tmpdir(), 'advanced-caching-redis-'));
  const socket = join(folder, 'redis.sock');
  const server = spawn(BINARY, ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--appendonly', 'no', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const kill = () => void server.kill('SIGKILL');
  const clear = () => {
    kill();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', clear);
  const redis = new Redis(socket, { retryStrategy: () => 20 });
  // Until the server listens.
  redis.on('error', () => {});
  await redis.ping();
  return {
    socket,
    pid: /** @type {number} */ (server.pid),
    /** A connection to it; errors of the connection are dropped, those of commands are not. */
    redis,
    async stop() {
      redis.disconnect();
      process.off('exit', clear);
      if (server.exitCode === null && server.signalCode === null) {
        kill();
        await once(server, 'exit');
      }
      rmSync(folder, { recursive: true, force: true });
    },
    async crash() {
      kill();
      await once(server, 'exit');
    },
  };
}
