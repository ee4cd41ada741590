import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { systemClock, type Timer } from '../core/clock.js';
import { report, toError } from '../core/report.js';
import { type Command, LARGEST_OUTCOME, outcome, type Outcome, perform } from './command.js';
import { contributor } from './contributor.js';
import type { InspectorFolder } from './folder.js';
import { Model } from './model.js';
import { Pace } from './pace.js';
import { parse } from './shape.js';
import { type Thread, Threads, idOf } from './threads.js';

/** How often it looks (milliseconds); more often at first, so that a page that opens fills at once. */
const EVERY = 1000;
const AT_FIRST = 250;
const FIRST_LOOKS = 8;
/** A look takes at most this share of the thread's time, so with very much to look at it comes less often, */
const SHARE = 0.05;
/** but so often in any case, or the page would take it for dead (milliseconds). */
const LONGEST_EVERY = 5000;
const SWEEP_EVERY = 60;
/** How long a thread has to answer (milliseconds), and how often the answer is looked for. */
const ANSWER_WITHIN = 10_000;
const ANSWER_EVERY = 50;

const OWN_ID = idOf({ pid: process.pid, thread: threadId });

/** What became of a command, in one thread. */
export interface ThreadOutcome extends Outcome {
  readonly at: string;
}

/** Looks at all threads while a page is open, and only then. */
export class Hub {
  readonly model: Model;
  readonly #threads = new Threads();
  readonly #listeners = new Set<() => void>();
  #latest: Thread[] = [];
  #timer: Timer | undefined;
  #isLooking = false;
  #looks = 0;
  #trouble: string | undefined;

  constructor(showsMessages: boolean) {
    this.model = new Model(showsMessages);
  }

  /** Why other threads and processes can't be seen; `undefined` when they can. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Calls back after each look, until the answer is called. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#looks = 0;
      this.#arm(0);
    } else {
      // There is something to show at once.
      queueMicrotask(listener);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#timer?.cancel();
    };
  }

  /** Has a command done in the threads that it is for. Never rejects. */
  async ask(asked: Omit<Command, 'expires'>): Promise<ThreadOutcome[]> {
    const command: Command = { ...asked, expires: systemClock.wall() / 1000 + ANSWER_WITHIN / 1000 };
    const { writers, functions, readers } = this.#whoHas(asked.target);
    const targets = asked.action === 'refresh' ? writers : asked.action === 'value' ? readers.slice(0, 1) : functions;
    return Promise.all(
      targets.map(async ({ id, state, report: { pid, thread } }) => {
        if (state !== 'live') return { at: id, isDone: false, text: `This thread is ${state}` };
        const done = id === OWN_ID ? perform(command) : this.#askOther({ pid, thread }, command);
        return { at: id, ...(await done) };
      }),
    );
  }

  #whoHas(target: string) {
    const there = this.#latest.filter(({ state }) => state !== 'died' && state !== 'ended');
    const leads = ({ report: { writers } }: Thread): boolean =>
      writers.some(({ key, state }) => key === target && state !== 'standby' && state !== 'closed');
    const reads = ({ report: { mirrors } }: Thread): boolean => mirrors.some(({ key, version }) => key === target && version > 0);
    return {
      writers: there.filter(leads),
      readers: there.filter((thread) => reads(thread) || leads(thread)),
      functions: there.filter(({ report: { caches } }) => caches.some(({ id }) => id === target)),
    };
  }

  async #askOther(name: { pid: number; thread: number }, command: Command): Promise<Outcome> {
    const id = randomBytes(8).toString('hex');
    try {
      const folder = contributor.folder();
      await folder.command(name, id, JSON.stringify(command));
      for (let waited = 0; waited < ANSWER_WITHIN; waited += ANSWER_EVERY) {
        await delay(ANSWER_EVERY);
        const answer = await folder.answered(id, LARGEST_OUTCOME);
        if (answer) return parse(answer, outcome);
      }
      return { isDone: false, text: `No answer within ${ANSWER_WITHIN / 1000} s` };
    } catch (error) {
      return { isDone: false, text: `It can't be asked: ${toError(error).name}` };
    }
  }

  #arm(after: number): void {
    this.#timer?.cancel();
    this.#timer = systemClock.setTimer(() => void this.#look(), after);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const pace = new Pace();
    try {
      const folder = this.#folder();
      this.#latest = await this.#threads.look(folder, await contributor.own(), pace);
      await this.model.update(this.#latest, this.#threads.unreadable, systemClock.wall() / 1000, pace);
      if (++this.#looks % SWEEP_EVERY === 1) folder?.sweep();
      for (const listener of [...this.#listeners]) listener();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isLooking = false;
      const every = this.#looks < FIRST_LOOKS ? AT_FIRST : EVERY;
      if (this.#listeners.size > 0) this.#arm(Math.min(Math.max(every, pace.worked / SHARE), LONGEST_EVERY));
    }
  }

  #folder(): InspectorFolder | undefined {
    try {
      const folder = contributor.folder();
      folder.view();
      this.#trouble = undefined;
      return folder;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** The same trouble comes every second: it is reported once. */
  #fail(thrown: unknown): void {
    const { message } = toError(thrown);
    if (message !== this.#trouble) report(thrown, undefined, 'the inspector');
    this.#trouble = message;
  }
}
