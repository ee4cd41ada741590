import { type ErrorRow, Faults } from './faults.js';
import { type Point, type FunctionRow, Functions } from './functions.js';
import type { Pace } from './pace.js';
import { type Row, Rows } from './rows.js';
import type { ThreadReport } from './report.js';
import type { Thread, ThreadState } from './threads.js';
import { type ValueRow, Values } from './values.js';

export interface ThreadRow
  extends Row,
    Pick<ThreadReport, 'pid' | 'thread' | 'name' | 'isMain' | 'node' | 'startedAt' | 'memory' | 'loop' | 'helpers'> {
  readonly kind: 'thread';
  readonly at: string;
  readonly state: ThreadState;
  readonly since: number;
  readonly writers: number;
  readonly mirrors: number;
  readonly functions: number;
  readonly leftOut: number;
  /** The longest delay of the event loop in each of the last looks, in seconds. */
  readonly delays: readonly number[];
}

/** The figures above everything. */
export interface Totals {
  readonly values: number;
  /** Values that are not as they should be. */
  readonly troubled: number;
  readonly functions: number;
  readonly processes: number;
  readonly threads: number;
  readonly lostThreads: number;
  readonly errors: number;
  /** Lookups of cached functions, a second. */
  readonly rate: number;
  /** Reads of mirrors, a second. */
  readonly reads: number;
  readonly recentHitPercent: number;
  readonly points: readonly Point[];
  /** Seconds. */
  readonly longestDelay: number;
  readonly unreadable: number;
}

const DELAYS = 40;

/** What is shown, made of what the threads tell. It keeps what charts need, for as long as what they are about is there. */
export class Model {
  readonly rows: Rows = new Rows();
  readonly #values = new Values();
  readonly #functions = new Functions();
  readonly #faults: Faults;
  #delays = new Map<string, { at: number; delays: number[] }>();
  #totals: Totals | undefined;

  /** @param showsMessages see {@link Faults} */
  constructor(showsMessages: boolean) {
    this.#faults = new Faults(showsMessages);
  }

  /** As of the last update. */
  get totals(): Totals | undefined {
    return this.#totals;
  }

  async update(threads: readonly Thread[], unreadable: number, now: number, pace: Pace): Promise<void> {
    const values = await this.#values.rows(threads, (error) => this.#faults.redact(error), pace);
    const functions = await this.#functions.rows(threads, now, pace);
    const lines = this.#threads(threads);
    const errors = await this.#faults.rows(threads, now, pace);
    // In the order in which a page that opens wants to have them.
    await this.rows.replace([...lines, ...errors, ...values, ...functions], pace);
    this.#totals = this.#sum(lines, values, functions, errors, unreadable, now);
  }

  #threads(threads: readonly Thread[]): ThreadRow[] {
    this.#delays = new Map([...this.#delays].filter(([id]) => threads.some((thread) => thread.id === id)));
    return threads.map(({ id, state, since, report }) => {
      const { pid, thread, name, isMain, node, startedAt, memory, loop, helpers, leftOut, writers, mirrors, caches } = report;
      return {
        id: `t${id}`,
        kind: 'thread',
        at: id,
        pid,
        thread,
        name,
        isMain,
        node,
        startedAt,
        memory,
        loop,
        helpers,
        leftOut,
        state,
        since,
        writers: writers.length,
        mirrors: mirrors.length,
        functions: caches.length,
        delays: this.#delaysOf(id, report),
      };
    });
  }
  #delaysOf(id: string, { at, loop }: ThreadReport): number[] {
    let known = this.#delays.get(id);
    if (!known) this.#delays.set(id, (known = { at: 0, delays: [] }));
    if (known.at === at) return known.delays;
    known.at = at;
    known.delays.push(Math.round(loop.max * 1e4) / 1e4);
    if (known.delays.length > DELAYS) known.delays.shift();
    return known.delays;
  }

  #sum(
    threads: readonly ThreadRow[],
    values: readonly ValueRow[],
    functions: readonly FunctionRow[],
    errors: readonly ErrorRow[],
    unreadable: number,
    now: number,
  ): Totals {
    const there = threads.filter(({ state }) => state !== 'died' && state !== 'ended');
    const { total } = this.#functions;
    return {
      values: values.length,
      troubled: values.filter(({ state }) => state === 'failing' || state === 'stale' || state === 'interrupted').length,
      functions: functions.length,
      processes: new Set(there.map(({ pid }) => pid)).size,
      threads: there.length,
      lostThreads: threads.filter(({ state }) => state !== 'live' && state !== 'ended').length,
      errors: errors.reduce((sum, { count }) => sum + count, 0),
      rate: functions.reduce((sum, { rate }) => sum + rate, 0),
      reads: values.reduce((sum, { rate }) => sum + rate, 0),
      recentHitPercent: total.recentHitPercent(now),
      points: total.points,
      longestDelay: Math.max(0, ...there.map(({ loop }) => loop.max)),
      unreadable,
    };
  }
}
