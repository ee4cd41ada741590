/**
 * How the threads of an application's processes and the inspector meet: a folder in the place of the application's namespace, this
 * user's alone, like the snapshots beside it.
 *
 * ```
 * inspector.1/viewed                          its time of change is that of the last look of an open page
 * inspector.1/threads/<pid>.<thread>.jsonl    what a thread tells of itself; there only while a page is open
 * inspector.1/commands/<pid>.<thread>.<id>    what a thread is asked to do; it takes the file away before it does it
 * inspector.1/answers/<id>                    what became of that; whoever asked takes it away
 * ```
 * While nobody looks, each thread that joined asks for the time of `viewed` once a second, and that is all.
 */
import { readdirSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../core/clock.js';
import { ownDirectory } from '../files/directory.js';
import { codeOf, readOwned, replaceOwned } from '../files/owned.js';
import type { HostPlace } from '../link/host/place.js';

/** A page that is open looks every second, or every five when there is very much to look at (milliseconds). */
const VIEW_LASTS = 8000;
/** Commands and answers that nobody took, and unfinished files, go after so long. */
const LEFTOVER = 60_000;

export interface ThreadName {
  readonly pid: number;
  readonly thread: number;
}

const REPORT = /^(\d{1,10})\.(\d{1,10})\.jsonl$/;

export class InspectorFolder {
  readonly #place: HostPlace;
  readonly #path: string;

  /** @throws StoreError for a directory that others could write */
  constructor(place: HostPlace) {
    this.#place = place;
    this.#path = join(place.directory, 'inspector.1');
    this.ensure();
  }

  ensure(): void {
    this.#place.ensure();
    for (const path of [this.#path, ...['threads', 'commands', 'answers'].map((name) => join(this.#path, name))]) ownDirectory(path);
  }

  /** A secret that all processes of this place share. */
  secret(): string {
    return this.#place.token();
  }

  /** Tells all threads that somebody looks. */
  view(): void {
    const path = join(this.#path, 'viewed');
    const now = new Date();
    try {
      utimesSync(path, now, now);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      this.ensure();
      writeFileSync(path, '', { mode: 0o600 });
    }
  }

  isViewed(): boolean {
    const viewed = statSync(join(this.#path, 'viewed'), { throwIfNoEntry: false });
    return viewed !== undefined && Math.abs(systemClock.wall() - viewed.mtimeMs) < VIEW_LASTS;
  }

  async tell({ pid, thread }: ThreadName, parts: readonly Uint8Array[]): Promise<void> {
    await replaceOwned(join(this.#path, 'threads', `${pid}.${thread}.jsonl`), parts);
  }

  /** Takes a thread's file away. Synchronous: a process that exits has no time. */
  forget({ pid, thread }: ThreadName): void {
    rmSync(join(this.#path, 'threads', `${pid}.${thread}.jsonl`), { force: true });
  }

  /** The threads that have told something, at most `most`. */
  threads(most: number): ThreadName[] {
    const names = this.#names('threads').flatMap((name) => {
      const match = REPORT.exec(name);
      return match ? [{ pid: Number(match[1]), thread: Number(match[2]) }] : [];
    });
    return names.slice(0, most);
  }

  /** @throws what `readOwned` throws for a file that isn't as it should be */
  async told({ pid, thread }: ThreadName, limit: number): Promise<{ bytes: Buffer; identity: string } | undefined> {
    return readOwned(join(this.#path, 'threads', `${pid}.${thread}.jsonl`), limit);
  }

  /** Asks a thread. */
  async command({ pid, thread }: ThreadName, id: string, json: string): Promise<void> {
    await replaceOwned(join(this.#path, 'commands', `${pid}.${thread}.${id}`), [Buffer.from(json)]);
  }

  /** What this thread was asked and hasn't taken. `since`: the answer before this one; the same one says that nothing came. */
  asked({ pid, thread }: ThreadName, since: string): { readonly ids: string[]; readonly mark: string } {
    const mark = String(statSync(join(this.#path, 'commands'), { bigint: true, throwIfNoEntry: false })?.mtimeNs);
    if (mark === since) return { ids: [], mark };
    const prefix = `${pid}.${thread}.`;
    const names = this.#names('commands').filter((name) => name.startsWith(prefix) && !name.endsWith('.tmp'));
    return { ids: names.map((name) => name.slice(prefix.length)), mark };
  }

  /** Takes a command: it is read once, by one. */
  async take({ pid, thread }: ThreadName, id: string, limit: number): Promise<Buffer | undefined> {
    const path = join(this.#path, 'commands', `${pid}.${thread}.${id}`);
    try {
      const command = await readOwned(path, limit);
      return command?.bytes;
    } finally {
      rmSync(path, { force: true });
    }
  }

  async answer(id: string, json: string): Promise<void> {
    await replaceOwned(join(this.#path, 'answers', id), [Buffer.from(json)]);
  }

  /** The answer to a command, once it is there; it is read once. */
  async answered(id: string, limit: number): Promise<Buffer | undefined> {
    const path = join(this.#path, 'answers', id);
    const file = await readOwned(path, limit);
    if (file) rmSync(path, { force: true });
    return file?.bytes;
  }

  /** Clears away what nobody took, and what was never finished. */
  sweep(): void {
    for (const folder of ['threads', 'commands', 'answers']) {
      for (const name of this.#names(folder)) {
        if (folder === 'threads' && REPORT.test(name)) continue;
        const path = join(this.#path, folder, name);
        const stat = statSync(path, { throwIfNoEntry: false });
        if (!stat || systemClock.wall() - stat.mtimeMs < LEFTOVER) continue;
        try {
          unlinkSync(path);
        } catch (error) {
          if (codeOf(error) !== 'ENOENT') throw error;
        }
      }
    }
  }

  #names(folder: string): string[] {
    try {
      return readdirSync(join(this.#path, folder));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }
}
