/**
 * The lease where a socket is a file, which stays behind when its process dies. Deleting a stale one is where such schemes
 * break: what was proved stale may have become somebody's fresh one by the time it is deleted or moved. So nothing that may
 * be in use is ever deleted. A key's sockets are numbered (`<tag>.1`, `<tag>.2`, …), the highest number counts, and:
 *
 * 1. A name appears with a socket that listens already: it is bound under a name of its own, then `link`ed. So a refused
 *    connection proves that its owner has died (or closed it): there is no moment between name and listening.
 * 2. Number n + 1 is made only by one who was refused at n, and only once: `link` fails where the name exists.
 * 3. A name is deleted only when two higher ones exist, by the owner of the highest. A holder that releases its lease, or
 *    dies, leaves its name: the highest number never falls.
 * 4. Who linked n + 1 looks again, and gives way to any higher number.
 *
 * Two holders would be n < m, both alive. Let k be the first number above n that came after n's holder had looked (4: by
 * (3) it would have seen an earlier one). Its maker had proved that k - 1 was dead (2). k - 1 = n contradicts that n lives;
 * k - 1 > n contradicts that k was the first.
 *
 * Limit: BSDs refuse a connection also when a living socket's queue is full (511 here), which takes a frozen writer and
 * hundreds of processes that came and went meanwhile. Linux says EAGAIN.
 */
import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { link, lstat, readdir, unlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { StoreError } from '../../core/errors.js';
import { codeOf } from '../../files/owned.js';
import { sha256, type HostPlace } from './place.js';
import { closeServer, isListening, listen, type OnConnection } from './socket.js';

/** What fits into `sockaddr_un` on macOS; Linux has four more. */
const MAX_PATH = 103;

export interface TakenSocket {
  readonly server: Server;
  /** Whether the name is there and still this socket's. */
  held(): boolean;
}

export async function takeSocketFile(
  place: HostPlace,
  key: string,
  ref: boolean,
  onConnection: OnConnection,
): Promise<TakenSocket | undefined> {
  place.ensure();
  const numbers = await socketNumbers(place, key);
  const last = numbers.at(-1) ?? 0;
  if (last > 0 && (await isListening(socketPath(place, key, last)))) return undefined;

  const own = last + 1;
  const path = socketPath(place, key, own);
  const temporary = socketPath(place, key, `t${randomBytes(2).toString('hex')}`);
  let server: Server | undefined;
  try {
    server = await listen(temporary, ref, onConnection);
    await link(temporary, path);
    await unlink(temporary);
    const { ino } = await lstat(path);
    if ((await socketNumbers(place, key)).at(-1) !== own) {
      await closeServer(server);
      return undefined;
    }
    await clear(place, key, numbers.slice(0, -1));
    return { server, held: () => lstatSync(path, { throwIfNoEntry: false })?.ino === ino };
  } catch (error) {
    // Closing it also deletes the name under which it was bound.
    if (server) await closeServer(server);
    if (['EEXIST', 'ENOENT', 'EADDRINUSE'].includes(codeOf(error) ?? '')) return undefined;
    throw new StoreError(`Can't take the lease ${path}: ${codeOf(error)}`, { cause: error });
  }
}

export async function latestSocketFile(place: HostPlace, key: string): Promise<string | undefined> {
  const last = (await socketNumbers(place, key)).at(-1);
  return last === undefined ? undefined : socketPath(place, key, last);
}

/** Old numbers, and what candidates left that died before their `link`. One that is still at it fails, as it would anyway. */
async function clear(place: HostPlace, key: string, numbers: readonly number[]): Promise<void> {
  const temporaries = (await suffixes(place, key)).filter((suffix) => /^t[0-9a-f]{4}$/.test(suffix));
  for (const suffix of [...numbers, ...temporaries]) await unlink(socketPath(place, key, suffix)).catch(() => undefined);
}

/** The numbers that are taken, rising. A listing isn't atomic, but to miss all higher numbers, two elections must fit into it. */
async function socketNumbers(place: HostPlace, key: string): Promise<number[]> {
  const numbers = (await suffixes(place, key)).filter((suffix) => /^[1-9]\d{0,14}$/.test(suffix));
  return numbers.map(Number).sort((a, b) => a - b);
}

async function suffixes(place: HostPlace, key: string): Promise<string[]> {
  const prefix = `${tag(key)}.`;
  try {
    return (await readdir(place.directory)).filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new StoreError(`Can't read ${place.directory}: ${codeOf(error)}`, { cause: error });
  }
}

function socketPath(place: HostPlace, key: string, suffix: number | string): string {
  const path = join(place.directory, `${tag(key)}.${suffix}`);
  if (Buffer.byteLength(path) <= MAX_PATH) return path;
  throw new StoreError(`The path of a socket can have ${MAX_PATH} bytes, and ${path} has more: set a shorter \`directory\``);
}

/** Short, since such paths must be. Two keys that met here would still be told apart by what a connection proves. */
function tag(key: string): string {
  return sha256(key).slice(0, 10);
}
