/** Who holds the lease of a fleet's value, told so that the other processes of its host can see whether it lives. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { isDead } from '../host/liveness.js';

const ID = /:(\d+):\d+:[0-9a-f]{8}@([0-9a-f]{16})$/;

export interface Holder {
  /** `hostname:pid:thread:random`, and where the host can tell, a mark of whose ids the pid is one of. */
  readonly id: string;
  /** Whether another holder's process is provably dead: it is one of this host whose id this process can look up, and it is gone. */
  isGone(other: string): boolean;
}

/** @param place tells apart what counts as hosts: the namespace, and the directory by which its processes meet */
export function newHolder(place: string): Holder {
  const id = `${hostname()}:${process.pid}:${threadId}:${randomBytes(4).toString('hex')}`;
  const host = PROCESS_IDS && createHash('sha256').update(`${PROCESS_IDS}\0${place}`).digest('hex').slice(0, 16);
  return {
    id: host === undefined ? id : `${id}@${host}`,
    isGone(other) {
      const [, pid, itsHost] = ID.exec(other) ?? [];
      return host !== undefined && itsHost === host && isDead(Number(pid));
    },
  };
}

/** The machine, its boot, and the PID namespace: two containers of one machine have each a process 1. */
const PROCESS_IDS: string | undefined = (() => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1') + readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
})();
