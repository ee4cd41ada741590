/**
 * Where the files of a `LocalFileCache` lie: `<directory>/<ab>/<sha256 of the key>`, where `ab` are the first two digits.
 *
 * | name in a shard | what it is |
 * |---|---|
 * | `<64 digits>` | an entry |
 * | `<64 digits>.<pid>.<random>.tmp` | an entry that is being written, or whose writer died in the middle |
 * | `<64 digits>.<identity>.claim` | somebody is about to replace or to delete the file of that identity, unless its time has come |
 *
 * A file is replaced by `rename`, with one exception: who replaces or deletes a file *because it is over* must be the only one that
 * does, or the second would take away what the first has put there. So
 * 1. it claims that very file (inode, size and time of change): `link` to a name that is made of them fails for all but one;
 * 2. only then it looks whether that file is still there. If so, no other claimer can touch it until the claim goes.
 * 3. A claim older than `CLAIM_TIME` is of a process that died between two system calls, and is deleted.
 */
import { createHash } from 'node:crypto';
import { link, lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { lstatSync, mkdirSync, chmodSync, constants } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { StoreError } from '../../core/errors.js';
import { checkBase, ownDirectory } from '../../files/directory.js';
import { SAFE_OPEN, UID, codeOf, identityOf } from '../../files/owned.js';
import { HEAD_BYTES } from './layout.js';

const SHARD = /^[0-9a-f]{2}$/;
const ENTRY = /^[0-9a-f]{64}$/;
const TEMPORARY = /^[0-9a-f]{64}\.(\d{1,10})\.[0-9a-f]{12}\.tmp$/;
const CLAIM = /^[0-9a-f]{64}\.\d+-\d+-\d+\.claim$/;

/** Milliseconds. */
const CLAIM_TIME = 5_000;
/** Process ids mean nothing across containers that share the directory, so a dead one's file must have some age as well. */
const ABANDONED = 60_000;
/** After this long nobody is still writing. */
const OLD = 3_600_000;

export class Folder {
  readonly directory: string;
  readonly #ready = new Set<string>();

  /** @throws StoreError for a directory that can't be made, isn't this user's, or that others may write to */
  constructor(directory: string) {
    this.directory = resolve(directory);
    this.#ensureRoot();
  }

  path(key: string): string {
    const name = createHash('sha256').update(key).digest('hex');
    return join(this.directory, name.slice(0, 2), name);
  }

  /** Makes the directory of a path, once; `again` where it has turned out to be gone. */
  #ensure(path: string, again = false): void {
    const shard = dirname(path);
    if (this.#ready.has(shard) && !again) return;
    if (again) this.#ensureRoot();
    try {
      ownDirectory(shard);
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError(`Can't make ${shard}: ${codeOf(error)}`, { cause: error });
    }
    this.#ready.add(shard);
  }

  /** Writes in the directory of a path, which may not be there yet, or may have been taken away: then it is made anew, once. */
  async write<T>(path: string, write: () => Promise<T>): Promise<T> {
    this.#ensure(path);
    try {
      return await write();
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    this.#ensure(path, true);
    try {
      return await write();
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError(`Can't write ${path}: ${codeOf(error)}`, { cause: error });
    }
  }

  /** Puts `bytes` in the place of those at `offset` of the file of this identity, unless it has been replaced; answers whether. */
  async overwrite(path: string, identity: string, bytes: Uint8Array, offset: number): Promise<boolean> {
    const handle = await open(path, constants.O_RDWR | SAFE_OPEN);
    try {
      if (identityOf(await handle.stat({ bigint: true })) !== identity) return false;
      const { bytesWritten } = await handle.write(bytes, 0, bytes.length, offset);
      return bytesWritten === bytes.length;
    } finally {
      await handle.close();
    }
  }

  /** Deletes whatever is at the path; answers whether there was something. */
  async delete(path: string): Promise<boolean> {
    try {
      return await deleteIfThere(path);
    } catch (error) {
      throw new StoreError(`Can't delete ${path}: ${codeOf(error)}`, { cause: error });
    }
  }

  /** The mark of what is at this path, whatever it is; `undefined` for nothing. */
  async identity(path: string): Promise<string | undefined> {
    try {
      return identityOf(await lstat(path, { bigint: true }));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Gives the file `temporary` the name `path` if nothing has it; answers whether. The other name goes in that case. */
  async add(temporary: string, path: string): Promise<boolean> {
    if (!(await linked(temporary, path))) return false;
    await unlink(temporary);
    return true;
  }

  /** Puts `temporary` in the place of the file of this identity, unless another process does that; answers whether. */
  async replace(path: string, identity: string, temporary: string): Promise<boolean> {
    const done = await this.#claimed(path, identity, temporary, (claim) => rename(claim, path));
    if (done) await unlink(temporary);
    return done;
  }

  /** Deletes the file of this identity, unless it has been replaced; answers whether. */
  async remove(path: string, identity: string): Promise<boolean> {
    try {
      return await this.#claimed(path, identity, path, async (claim) => {
        await unlink(path);
        await unlink(claim);
      });
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async #claimed(path: string, identity: string, source: string, act: (claim: string) => Promise<void>): Promise<boolean> {
    const claim = `${path}.${identity.replaceAll(':', '-')}.claim`;
    if (!(await linked(source, claim))) {
      await deleteOld(claim, CLAIM_TIME);
      return false;
    }
    if ((await this.identity(path)) !== identity) {
      await deleteIfThere(claim);
      return false;
    }
    try {
      await act(claim);
    } catch (error) {
      await deleteIfThere(claim);
      throw error;
    }
    return true;
  }

  /** The shards that there are, in no order. */
  async shards(): Promise<string[]> {
    return (await names(this.directory)).filter((name) => SHARD.test(name)).map((name) => join(this.directory, name));
  }

  /** The paths of the entries in a shard. Temporary files and claims that were left behind are deleted on the way. */
  async entries(shard: string): Promise<string[]> {
    const all = await names(shard);
    for (const name of all) {
      const path = join(shard, name);
      const writer = TEMPORARY.exec(name);
      if (writer) await deleteOld(path, isAlive(Number(writer[1])) ? OLD : ABANDONED);
      else if (CLAIM.test(name)) await deleteOld(path, ABANDONED);
    }
    return all.filter((name) => ENTRY.test(name) && shard.endsWith(name.slice(0, 2))).map((name) => join(shard, name));
  }

  /** The first bytes of a file and its mark; `undefined` where there is none, or where it can't be opened. */
  async head(path: string): Promise<{ readonly bytes: Buffer; readonly identity: string } | undefined> {
    try {
      const handle = await open(path, constants.O_RDONLY | SAFE_OPEN);
      try {
        const identity = identityOf(await handle.stat({ bigint: true }));
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
        return { bytes: buffer.subarray(0, bytesRead), identity };
      } finally {
        await handle.close();
      }
    } catch {
      return undefined;
    }
  }

  #ensureRoot(): void {
    const { directory } = this;
    try {
      const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
      // The umask may have taken bits away that the owner needs.
      if (made !== undefined) chmodSync(directory, 0o700);
      checkBase(dirname(directory));
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError(`Can't use ${directory}: ${codeOf(error)}. Choose a directory that this user may write`, { cause: error });
    }
    const stat = lstatSync(directory);
    const refuse = (why: string): never => {
      throw new StoreError(`Won't use ${directory}: ${why}`);
    };
    if (!stat.isDirectory()) refuse('it is not a real directory. Where it is a symbolic link, give the path that it leads to');
    if (UID === undefined) return;
    if (stat.uid !== UID) refuse(`it belongs to the user ${stat.uid}, not to ${UID}. Choose a directory of your own`);
    if ((stat.mode & 0o022) !== 0)
      refuse(`others may write to it (mode ${(stat.mode & 0o777).toString(8)}). \`chmod 700\` it after a look inside`);
  }
}

/** Whether `path` became another name of `source`, which it can't where something has that name. */
async function linked(source: string, path: string): Promise<boolean> {
  try {
    await link(source, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function deleteIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** A name's age is that of its last change of status: a link is one, and so is a write. */
async function deleteOld(path: string, age: number): Promise<void> {
  try {
    const { ctimeMs, mtimeMs } = await lstat(path);
    const since = path.endsWith('.claim') ? ctimeMs : mtimeMs;
    if (Date.now() - since > age) await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new StoreError(`Can't read ${directory}: ${codeOf(error)}`, { cause: error });
  }
}
