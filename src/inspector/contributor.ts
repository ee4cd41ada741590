import { threadId } from 'node:worker_threads';
import { placeSettings } from '../bg/host-ring.js';
import { systemClock, type Timer } from '../core/clock.js';
import { report } from '../core/report.js';
import { hostPlace } from '../link/host/place.js';
import { Collector } from './collect.js';
import { command, LARGEST_COMMAND, perform } from './command.js';
import { InspectorFolder } from './folder.js';
import { Pace } from './pace.js';
import type { ThreadReport } from './report.js';
import { encodeReport } from './report-file.js';
import { parse } from './shape.js';

/** While nobody looks: how often this thread asks whether somebody does (milliseconds). */
const IDLE = 1000;
/** While somebody looks: how often it asks whether there is something to do. */
const WATCHED = 200;
const REPORT_EVERY = 1000;
/** Collecting a report takes at most this share of the thread's time, and writing it about as much: a large one comes less often. */
const SHARE = 0.05;
const LONGEST_EVERY = 5000;

/** What this thread contributes to every inspector of the application. Keeps nothing alive. */
class Contributor {
  readonly #joined = new Set<symbol>();
  readonly #self = { pid: process.pid, thread: threadId };
  #collector: Collector | undefined;
  #folder: InspectorFolder | undefined;
  #timer: Timer | undefined;
  #isRunning = false;
  #nextReport = 0;
  #mark = '';
  #problem: string | undefined;
  #latest: ThreadReport | undefined;
  /** What stands in this thread's file. */
  #told: ThreadReport | undefined;
  #collecting: Promise<ThreadReport> | undefined;

  readonly #onExit = (): void => {
    if (this.#told) this.#folder?.forget(this.#self);
  };

  /** Until the answer is called. */
  join(name: string | undefined): () => void {
    const mine = Symbol('joined');
    if (this.#joined.size === 0) process.once('exit', this.#onExit);
    this.#joined.add(mine);
    if (name !== undefined || !this.#collector) this.#collector = new Collector(name);
    this.#arm(0);
    return () => {
      if (!this.#joined.delete(mine) || this.#joined.size > 0) return;
      process.off('exit', this.#onExit);
      this.#timer?.cancel();
      this.#rest();
    };
  }

  /** Where the threads meet, once that is known. @throws StoreError where the directory can't be used */
  folder(): InspectorFolder {
    if (!this.#folder) {
      const { namespace, directory } = placeSettings();
      this.#folder = new InspectorFolder(hostPlace({ namespace, ...(directory === undefined ? {} : { directory }) }));
    }
    return this.#folder;
  }

  /** What this thread tells now, without the way through a file. For the thread that has the page. */
  async own(): Promise<ThreadReport> {
    this.#collector?.open();
    if (this.#latest && systemClock.monotonic() < this.#nextReport) return this.#latest;
    this.#collecting ??= this.#collect().finally(() => (this.#collecting = undefined));
    return this.#collecting;
  }

  #arm(delay: number): void {
    this.#timer?.cancel();
    this.#timer = systemClock.setTimer(() => void this.#look(), delay);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    let isViewed = false;
    try {
      const folder = this.folder();
      isViewed = folder.isViewed();
      if (isViewed) await this.#serve(folder);
      else this.#rest();
      this.#problem = undefined;
    } catch (error) {
      this.#tellOnce(error);
    } finally {
      this.#isRunning = false;
      if (this.#joined.size > 0) this.#arm(isViewed ? WATCHED : IDLE);
    }
  }

  async #serve(folder: InspectorFolder): Promise<void> {
    this.#collector?.open();
    const { ids, mark } = folder.asked(this.#self, this.#mark);
    this.#mark = mark;
    for (const id of ids) void this.#obey(folder, id);
    const told = await this.own();
    if (told === this.#told) return;
    if (!this.#told) folder.ensure();
    const parts = await encodeReport(told, new Pace());
    this.#told = told;
    await folder.tell(this.#self, parts);
    // It left while it wrote.
    if (this.#joined.size === 0) this.#rest();
  }

  async #obey(folder: InspectorFolder, id: string): Promise<void> {
    try {
      const bytes = await folder.take(this.#self, id, LARGEST_COMMAND);
      if (!bytes) return;
      const outcome = await perform(parse(bytes, command));
      await folder.answer(id, JSON.stringify(outcome));
      // So that the page shows what came of it.
      this.#nextReport = 0;
    } catch (error) {
      this.#tellOnce(error);
    }
  }

  async #collect(): Promise<ThreadReport> {
    const started = systemClock.monotonic();
    const pace = new Pace();
    const told = await (this.#collector as Collector).report(pace);
    const every = Math.min(Math.max(REPORT_EVERY, pace.worked / SHARE), LONGEST_EVERY);
    this.#nextReport = started + every;
    return (this.#latest = { ...told, every: every / 1000 });
  }

  /** Nobody looks. */
  #rest(): void {
    this.#collector?.close();
    this.#latest = undefined;
    if (!this.#told) return;
    this.#told = undefined;
    this.#folder?.forget(this.#self);
  }

  /** The same trouble comes every second. */
  #tellOnce(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#problem) return;
    this.#problem = message;
    report(error, undefined, 'the inspector');
  }
}

export const contributor: Contributor = new Contributor();
export type { Contributor };
