/**
 * Files that only this user may have made: read with suspicion, replaced all at once. Whatever another local user puts in
 * their place (a symlink, a hard link, a FIFO, a file of his own) is refused, not followed.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { AdvancedCachingError, StoreError, WireFormatError } from '../core/errors.js';

export const UID: number | undefined = process.geteuid?.();

/** No symbolic link is followed, and the other end of a FIFO not waited for. Windows has neither of the two flags. */
export const SAFE_OPEN: number = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const READ = constants.O_RDONLY | SAFE_OPEN;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | SAFE_OPEN;

/** Temporary files that this thread is writing now. */
const inFlight = new Set<string>();

export interface OwnedFile {
  readonly bytes: Buffer;
  readonly identity: string;
}

export function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Tells one state of a file from the next: every replacement is another inode. `ctime` stays out, since a rename changes it. */
export function identityOf(stat: BigIntStats): string {
  return `${stat.ino}:${stat.size}:${stat.mtimeNs}`;
}

/**
 * The content of a file of ours, its size known before anything is allocated; `undefined` where there is none.
 * `links`: how many names the file may have.
 *
 * @throws ForeignFileError for what isn't ours, WireFormatError for more than `limit` bytes, StoreError for a file system that fails
 */
export async function readOwned(path: string, limit: number, links = 1): Promise<OwnedFile | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, READ);
    const stat = await handle.stat({ bigint: true });
    const bytes = Buffer.allocUnsafeSlow(checkOwned(stat, path, limit, links));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return { bytes: bytes.subarray(0, done), identity: identityOf(stat) };
  } catch (error) {
    return absentOrThrow(error, path);
  } finally {
    await handle?.close();
  }
}

/** `readOwned`, without waiting for the event loop: for a cold start. */
export function readOwnedSync(path: string, limit: number, links = 1): OwnedFile | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, READ);
    const stat = fstatSync(fd, { bigint: true });
    const bytes = Buffer.allocUnsafeSlow(checkOwned(stat, path, limit, links));
    let done = 0;
    while (done < bytes.length) {
      const bytesRead = readSync(fd, bytes, done, bytes.length - done, done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return { bytes: bytes.subarray(0, done), identity: identityOf(stat) };
  } catch (error) {
    return absentOrThrow(error, path);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * Puts `parts` in the place of the file at `path`: another reader sees the old content or the new, never a mixture, and a
 * writer that dies in between leaves the old one and a temporary file for the janitor.
 *
 * @returns the identity of the new file
 */
export function replaceOwned(path: string, parts: readonly Uint8Array[]): Promise<string> {
  return withTemporary(path, parts, async (temporary, identity) => {
    await rename(temporary, path);
    return identity;
  });
}

/**
 * Writes `parts` into a new file beside `path`, and has `place` take the temporary name away from it. Where that
 * fails the file is deleted.
 *
 * @throws StoreError for a file system that fails; the error itself with the code ENOENT where the directory isn't there
 */
export async function withTemporary<T>(
  path: string,
  parts: readonly Uint8Array[],
  place: (temporary: string, identity: string) => Promise<T>,
): Promise<T> {
  const temporary = temporaryName(path);
  inFlight.add(temporary);
  try {
    const identity = await writeNew(temporary, parts);
    return await place(temporary, identity);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    if (codeOf(error) === 'ENOENT' || error instanceof AdvancedCachingError) throw error;
    const why = codeOf(error) === 'ENOSPC' ? 'there is no space left: free some, or set another `directory`' : codeOf(error);
    throw new StoreError(`Can't write ${path}: ${why}`, { cause: error });
  } finally {
    inFlight.delete(temporary);
  }
}

async function writeNew(path: string, parts: readonly Uint8Array[]): Promise<string> {
  const handle = await open(path, CREATE, 0o600);
  try {
    // The umask may have taken bits away that the owner needs.
    await handle.chmod(0o600);
    for (const part of parts) {
      let done = 0;
      while (done < part.length) done += (await handle.write(part, done, part.length - done)).bytesWritten;
    }
    return identityOf(await handle.stat({ bigint: true }));
  } finally {
    await handle.close();
  }
}

/** `<path>.<pid>.<random>.tmp`: whose it is can be told from its name alone. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
}

export function isInFlight(path: string): boolean {
  return inFlight.has(path);
}

/** @returns the size, which is safe to allocate */
function checkOwned(stat: BigIntStats, path: string, limit: number, links = 1): number {
  if (!stat.isFile()) throw unsafe(path, 'it is not a regular file');
  if (UID !== undefined) {
    if (stat.uid !== BigInt(UID)) throw unsafe(path, `it belongs to the user ${stat.uid}, not to ${UID}`);
    if ((stat.mode & 0o077n) !== 0n) throw unsafe(path, `others may use it (mode ${(stat.mode & 0o777n).toString(8)}, not 600)`);
    // 0 is well: a file that was replaced between `open` and `fstat`.
    if (stat.nlink > BigInt(links)) throw unsafe(path, 'it has a second name (a hard link)');
  }
  if (stat.size > BigInt(limit))
    throw new WireFormatError(`Won't read ${path}: it has ${stat.size} bytes, more than the ${limit} that are allowed`);
  return Number(stat.size);
}

/** Something in the place of a file of ours that we can't have put there. */
export class ForeignFileError extends StoreError {}

function unsafe(path: string, why: string): ForeignFileError {
  return new ForeignFileError(`Won't use ${path}: ${why}. Delete it; if it comes back, another program puts it there`);
}

function absentOrThrow(error: unknown, path: string): undefined {
  const code = codeOf(error);
  if (code === 'ENOENT') return undefined;
  // Linux says ELOOP for a symlink under O_NOFOLLOW, BSDs EMLINK; ENXIO is a socket.
  if (code === 'ELOOP' || code === 'EMLINK') throw unsafe(path, 'it is a symbolic link');
  if (code === 'ENXIO') throw unsafe(path, 'it is not a regular file');
  if (error instanceof AdvancedCachingError) throw error;
  throw new StoreError(`Can't read ${path}: ${code}`, { cause: error });
}
