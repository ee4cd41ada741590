/** Who holds the lease of a fleet's value, told so that the other processes of its host can see whether it lives. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { lifeOf, ownTask } from '../../files/task.js';

const ID = /:(\d+):\d+:[0-9a-f]{8}@([0-9a-f]{16})\.(\d+)\.(\d+)$/;

export interface Holder {
  /** `hostname:pid:thread:random`, and on Linux what tells the thread from all others of this host. */
  readonly id: string;
  /** Whether another holder's thread is provably dead: it was one of this host that can be looked up from here, and it is gone. */
  isGone(other: string): boolean;
}

/** @param place tells apart what counts as hosts: the namespace, and the directory by which its processes meet */
export function newHolder(place: string): Holder {
  const id = `${hostname()}:${process.pid}:${threadId}:${randomBytes(4).toString('hex')}`;
  const task = ownTask();
  const boot = bootId();
  if (!task || boot === undefined) return { id, isGone: () => false };
  const { path, born, space } = task;
  const host = createHash('sha256').update([boot, space, place].join('\0')).digest('hex').slice(0, 16);
  return {
    id: `${id}@${host}.${path.slice(path.lastIndexOf('/') + 1)}.${born}`,
    isGone(other) {
      const [, pid, itsHost, tid, itsBirth = ''] = ID.exec(other) ?? [];
      return itsHost === host && lifeOf(Number(pid), { path: `${pid}/task/${tid}`, born: itsBirth, space }) === 'gone';
    },
  };
}

/** Another one after each boot of the machine, when ids begin anew. */
function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
  } catch {
    return undefined;
  }
}
