// @ts-check
/** What the demo needs of the machine: a directory of its own, and a port. */
import { accessSync, constants, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FIRST_PORT = 3000;
const TRIES = 20;

/**
 * A namespace and a directory for all processes and threads of this demo, by the environment that they inherit. A server of your
 * own needs neither: its snapshots stay for its next start. This demo takes its own away, however it ends.
 */
export function makeStage() {
  const directory = mkdtempSync(join(realpathSync(process.env['ADVANCED_CACHING_DIRECTORY'] || memory()), 'advanced-caching-demo-'));
  process.env['ADVANCED_CACHING_DIRECTORY'] = directory;
  process.env['ADVANCED_CACHING_NAMESPACE'] ||= directory;
  process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
}

function memory() {
  try {
    accessSync('/dev/shm', constants.W_OK | constants.X_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

/**
 * The port to listen on: the one that is wanted, or else the first free one from 3000 on. 0 stays 0: the workers get one together.
 *
 * @param {number | undefined} wanted
 * @param {string} host
 */
export async function choosePort(wanted, host) {
  if (wanted === 0) return 0;
  if (wanted !== undefined) {
    if (await isFree(wanted, host)) return wanted;
    throw new Error(`Port ${wanted} is taken: choose another, or PORT=0 for any free one`);
  }
  for (let port = FIRST_PORT; port < FIRST_PORT + TRIES; port += 1) if (await isFree(port, host)) return port;
  return 0;
}

/**
 * @param {number} port
 * @param {string} host
 * @returns {Promise<boolean>}
 */
function isFree(port, host) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
