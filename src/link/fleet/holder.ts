/** Who holds the lease of a fleet's value, told so that the other processes of its host can see whether it lives. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { isDead } from '../host/liveness.js';

const ID = /:(\d+):\d+:[0-9a-f]{8}@([0-9a-f]{16})$/;

/** `hostname:pid:thread:random`, and where the host can tell, which set of process ids the pid is one of. */
export function holderId(): string {
  const id = `${hostname()}:${process.pid}:${threadId}:${randomBytes(4).toString('hex')}`;
  return PROCESS_IDS === undefined ? id : `${id}@${PROCESS_IDS}`;
}

/** Whether that holder's process is provably dead: it was one whose id this process can look up, and it is gone. */
export function isGone(holder: string): boolean {
  const [, pid, processIds] = ID.exec(holder) ?? [];
  return processIds !== undefined && processIds === PROCESS_IDS && isDead(Number(pid));
}

/** The machine, its boot, and the PID namespace: two containers of one machine have each a process 1. */
const PROCESS_IDS: string | undefined = (() => {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
    return createHash('sha256')
      .update(boot + readlinkSync('/proc/self/ns/pid'))
      .digest('hex')
      .slice(0, 16);
  } catch {
    return undefined;
  }
})();
