// @ts-check
/** A Redis of the example's own: a real `redis-server` on a local socket, in memory. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const BINARY = process.env['REDIS_SERVER'] ?? 'redis-server';

export const isThere = () => spawnSync(BINARY, ['--version']).status === 0;

export async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-example-'));
  const address = join(folder, 'redis.sock');
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child;
  // Should this process end in between.
  process.once('exit', () => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  async function start() {
    rmSync(address, { force: true });
    child = spawn(BINARY, ['--port', '0', '--unixsocket', address, '--dir', folder, '--save', ''], { stdio: 'ignore' });
    while (!existsSync(address)) await delay(10);
  }
  async function kill() {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await start();
  return { address, start, kill, stop: kill };
}
