import { readFileSync } from 'node:fs';
import { codeOf } from '../../files/owned.js';

/** Whether no process has this id, as seen from this one: in a container, of those in it. */
export function isDead(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: the process lives, and is another user's.
    if (codeOf(error) === 'ESRCH') return true;
  }
  return isZombie(pid);
}

/** A takeover is so quick that the parent of the killed writer may not have asked for its exit code yet: it still has its id. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name stands in parentheses, and may itself hold some.
    return /^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}
