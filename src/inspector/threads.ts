/** The threads that tell of themselves, and how each of them is. */
import { systemClock } from '../core/clock.js';
import { lifeOf } from '../files/task.js';
import type { InspectorFolder, ThreadName } from './folder.js';
import type { Pace } from './pace.js';
import { LARGEST_REPORT, type ThreadReport } from './report.js';
import { decodeReport } from './report-file.js';

/**
 * `live`: it tells of itself. `silent`: it should have and didn't, so its event loop is blocked. `stopped`: its process was stopped, by
 * a debugger or SIGSTOP. `died`: it is gone and left its file behind, as after SIGKILL. `ended`: it is gone, and took its
 * file away before.
 */
export type ThreadState = 'live' | 'silent' | 'stopped' | 'died' | 'ended';

export interface Thread {
  readonly id: string;
  readonly report: ThreadReport;
  readonly state: ThreadState;
  /** When it came into this state, as far as was seen: Unix time in seconds. */
  readonly since: number;
}

interface Known {
  report: ThreadReport;
  /** Of the file; `undefined` when it is gone. */
  identity: string | undefined;
  state: ThreadState;
  since: number;
  /** When it last told something new, in monotonic milliseconds. */
  heardAt: number;
  /** In its first look: one that is dead by then died before anybody looked. */
  isNew: boolean;
}

/** More than these are left alone, and counted. */
const MOST_THREADS = 512;
/** How long a death is shown (seconds). */
const MOURNED = 60;
/** A thread whose file is gone, and which lives, has left; unless it was between two files (milliseconds). */
const LEFT_AFTER = 3000;
/** On top of twice its own interval (milliseconds). */
const PATIENCE = 2000;
/** Who hasn't looked for so long can't say who was silent meanwhile (milliseconds): threads stop telling when nobody looks. */
const PAUSE = 6000;

export const idOf = ({ pid, thread }: ThreadName): string => `${pid}.${thread}`;

export class Threads {
  readonly #known = new Map<string, Known>();
  /** By name: the identity of a file that can't be read, so that it is tried once. */
  #unreadable = new Map<string, string>();

  #lookedAt = 0;

  /** Files that are no reports. */
  get unreadable(): number {
    return this.#unreadable.size;
  }

  /** @param own what the calling thread tells, which needs no file */
  async look(folder: InspectorFolder | undefined, own: ThreadReport, pace: Pace): Promise<Thread[]> {
    const now = systemClock.monotonic();
    if (now - this.#lookedAt > PAUSE) for (const known of this.#known.values()) known.heardAt = now;
    this.#lookedAt = now;
    const names = folder?.threads(MOST_THREADS).filter((name) => idOf(name) !== idOf(own)) ?? [];
    const unreadable = new Map<string, string>();
    const present = new Set<string>();
    for (const name of names) {
      present.add(idOf(name));
      if (folder) await this.#read(folder, name, unreadable, pace);
    }
    this.#unreadable = unreadable;
    this.#hear(own, 'own');
    for (const [id, known] of this.#known) {
      if (id === idOf(own)) continue;
      if (!present.has(id)) known.identity = undefined;
      this.#judge(id, known, folder);
    }
    return [...this.#known].map(([id, { report, state, since }]) => ({ id, report, state, since }));
  }

  async #read(folder: InspectorFolder, name: ThreadName, unreadable: Map<string, string>, pace: Pace): Promise<void> {
    const id = idOf(name);
    try {
      const file = await folder.told(name, LARGEST_REPORT);
      if (!file || this.#known.get(id)?.identity === file.identity) return;
      if (this.#unreadable.get(id) === file.identity) {
        unreadable.set(id, file.identity);
        return;
      }
      unreadable.set(id, file.identity);
      const told = await decodeReport(file.bytes, pace);
      if (idOf(told) !== id) return;
      unreadable.delete(id);
      this.#hear(told, file.identity);
    } catch {
      // Not a report, or not a file of ours: it is counted, and the page says so.
      unreadable.set(id, unreadable.get(id) ?? 'foreign');
    }
  }

  #hear(report: ThreadReport, identity: string): void {
    const known = this.#known.get(idOf(report));
    const heardAt = systemClock.monotonic();
    // Another thread that got the same ids begins anew.
    if (!known || known.report.task?.born !== report.task?.born) {
      this.#known.set(idOf(report), { report, identity, state: 'live', since: report.at, heardAt, isNew: true });
      return;
    }
    known.report = report;
    known.identity = identity;
    known.heardAt = heardAt;
    turn(known, 'live', report.at);
  }

  #judge(id: string, known: Known, folder: InspectorFolder | undefined): void {
    const { report } = known;
    const now = systemClock.wall() / 1000;
    const life = lifeOf(report.pid, report.task);
    const silence = known.isNew ? (now - report.at) * 1000 : systemClock.monotonic() - known.heardAt;
    if (life === 'gone') {
      if (!isDead(known)) turn(known, known.identity === undefined ? 'ended' : 'died', known.isNew ? report.at : now);
      if (now - known.since > MOURNED) {
        this.#known.delete(id);
        folder?.forget(report);
      }
    } else if (known.identity === undefined) {
      if (silence > LEFT_AFTER) this.#known.delete(id);
    } else if (life === 'stopped') {
      turn(known, 'stopped', now);
    } else if (silence > 2000 * report.every + PATIENCE) {
      turn(known, 'silent', now);
    }
    known.isNew = false;
  }
}

const isDead = ({ state }: { state: ThreadState }): boolean => state === 'died' || state === 'ended';

function turn(known: Known, state: ThreadState, now: number): void {
  if (known.state === state) return;
  known.state = state;
  known.since = now;
}
