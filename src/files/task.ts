/** What Linux tells of a process or of one of its threads, in `/proc/<pid>/stat` and `/proc/<pid>/task/<tid>/stat`. */
import { readFileSync, readlinkSync } from 'node:fs';
import { codeOf } from './owned.js';

export interface TaskStat {
  /** One letter: `R` runs, `S` and `D` wait, `T` and `t` are stopped, `Z` and `X` have ended. */
  readonly state: string;
  /** When it began, in clock ticks since boot: with the id it tells a task from the next one that gets its id. */
  readonly born: string;
}

export function parseStat(text: string): TaskStat {
  // The program's name stands in parentheses, and may itself hold some.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', born: fields[19] ?? '' };
}

export function isEnded({ state }: TaskStat): boolean {
  return state === 'Z' || state === 'X';
}

/** Tells one thread of the host from all others that were and will be. */
export interface TaskId {
  /** `<pid>/task/<tid>`. */
  readonly path: string;
  readonly born: string;
  /** The namespace that these ids are of: in another container they mean other processes. */
  readonly space: string;
}

/** Of the calling thread; `undefined` on other systems. */
export function ownTask(): TaskId | undefined {
  try {
    const path = readlinkSync('/proc/thread-self');
    return { path, born: parseStat(readFileSync(`/proc/${path}/stat`, 'latin1')).born, space: pidSpace() };
  } catch {
    return undefined;
  }
}

/** `unknown`: it can't be seen from here. */
export type Life = 'alive' | 'stopped' | 'gone' | 'unknown';

/** Whether a thread still is. Without a `task` (not on Linux), whether its process is. */
export function lifeOf(pid: number, task: TaskId | undefined): Life {
  if (task === undefined) return isRunning(pid) ? 'unknown' : 'gone';
  try {
    if (task.space !== pidSpace()) return 'unknown';
    const stat = parseStat(readFileSync(`/proc/${task.path}/stat`, 'latin1'));
    if (isEnded(stat) || stat.born !== task.born) return 'gone';
    return stat.state === 'T' || stat.state === 't' ? 'stopped' : 'alive';
  } catch (error) {
    const code = codeOf(error);
    return code === 'ENOENT' || code === 'ESRCH' ? 'gone' : 'unknown';
  }
}

/** Whether there is a process of this id, anybody's. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, and is another user's.
    return codeOf(error) !== 'ESRCH';
  }
}

function pidSpace(): string {
  return readlinkSync('/proc/self/ns/pid');
}
