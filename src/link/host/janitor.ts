/** Clears away what writers left that were killed in the middle of a write. Run by the one who holds the key's lease. */
import { lstat, readdir, readFile, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { codeOf, isInFlight } from '../../files/owned.js';
import { isEnded, isRunning, parseStat } from '../../files/task.js';
import type { HostPlace } from './place.js';

const TEMPORARY = /^([0-9a-f]{64}|token)(?:\.epoch)?\.(\d{1,10})\.[0-9a-f]{12}\.tmp$/;
/** After this long nobody is still writing: the process id has gone to another process. */
const OLD = 3_600_000;

/** Deletes the temporary files of this key, and of the token, whose process is dead, or that are an hour old. */
export async function sweep(place: HostPlace, key: string, clock: Clock): Promise<number> {
  const own = basename(place.path(key));
  let deleted = 0;
  for (const name of await readdir(place.directory)) {
    const match = TEMPORARY.exec(name);
    if (!match || (match[1] !== own && match[1] !== 'token')) continue;
    const path = join(place.directory, name);
    if (!(await isLeftover(path, Number(match[2]), clock))) continue;
    try {
      await unlink(path);
      deleted += 1;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
  return deleted;
}

async function isLeftover(path: string, pid: number, clock: Clock): Promise<boolean> {
  // A thread of this process that was terminated in a write: the lease is ours now, so that thread doesn't run any more.
  if (pid === process.pid) return !isInFlight(path);
  if (!isRunning(pid) || (await isZombie(pid))) return true;
  try {
    return clock.wall() - (await lstat(path)).mtimeMs > OLD;
  } catch {
    return false;
  }
}

/** A takeover is so quick that the parent of the killed writer may not have asked for its exit code yet: it still has its id. */
async function isZombie(pid: number): Promise<boolean> {
  try {
    return isEnded(parseStat(await readFile(`/proc/${pid}/stat`, 'latin1')));
  } catch {
    return false;
  }
}
