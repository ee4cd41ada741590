/** The cached functions of all threads, those that are alike as one. */
import { together } from './caches.js';
import type { Pace } from './pace.js';
import type { CacheReport } from './report.js';
import type { Row } from './rows.js';
import type { Thread } from './threads.js';

/** When (Unix seconds), lookups a second, and the share of hits among them in percent; −1 where there were none. */
export type Point = readonly [at: number, rate: number, hitPercent: number];

export interface FunctionRow extends Row, Omit<CacheReport, 'id'> {
  readonly kind: 'function';
  readonly rate: number;
  /** Of the lookups of the last minute in which somebody looked; −1 where there were none. */
  readonly recentHitPercent: number;
  readonly points: readonly Point[];
  readonly threads: readonly {
    readonly at: string;
    readonly hits: number;
    readonly misses: number;
    readonly rate: number;
    readonly entries: number | undefined;
  }[];
  readonly threadCount: number;
}

const POINTS = 60;
/** Seconds. */
const RECENT = 60;
const LINES = 50;

interface Counted {
  readonly at: number;
  readonly hits: number;
  readonly misses: number;
  /** A second, in the time before `at`. */
  readonly hitRate: number;
  readonly missRate: number;
}

/** By thread and id. */
type CountedBy = Map<string, Counted>;

/** Rates over time, the newest last. A pause is one point of zero: it takes no memory. */
export class Rates {
  readonly points: Point[] = [];

  add(at: number, hitRate: number, missRate: number): void {
    const rate = hitRate + missRate;
    if (rate === 0 && (this.points.at(-1)?.[1] ?? 0) === 0) return;
    this.points.push([round(at), round(rate), shareOf(hitRate, rate)]);
    if (this.points.length > POINTS) this.points.shift();
  }

  recentHitPercent(now: number): number {
    let [lookups, hits] = [0, 0];
    for (const [at, rate, hitPercent] of this.points) {
      if (now - at > RECENT || rate === 0) continue;
      lookups += rate;
      hits += rate * hitPercent;
    }
    return shareOf(hits, lookups * 100);
  }
}

/** In percent; −1 of nothing. Rounded down: only what is everything is called 100. */
function shareOf(part: number, whole: number): number {
  return whole === 0 ? -1 : Math.floor((part / whole) * 10_000) / 100;
}

/** Enough digits for a chart. */
function round(value: number): number {
  return Math.round(value * 100) / 100;
}

export class Functions {
  #counted: CountedBy = new Map();
  #rates = new Map<string, Rates>();
  /** Of all functions together. */
  readonly total: Rates = new Rates();

  async rows(threads: readonly Thread[], now: number, pace: Pace): Promise<FunctionRow[]> {
    const merged = new Map<string, { report: CacheReport; hitRate: number; missRate: number; lines: FunctionRow['threads'][number][] }>();
    const counted: CountedBy = new Map();
    for (const { id: at, report: thread, state } of threads) {
      // What the dead have counted is lost with them, here as in any collector.
      if (state === 'died' || state === 'ended') continue;
      for (const report of thread.caches) {
        if (pace.isDue()) await pace.rest();
        const count = this.#count(`${at} ${report.id}`, report, thread.at, counted);
        const { hits, misses, entries } = report;
        const line = { at, hits, misses, rate: round(count.hitRate + count.missRate), entries };
        const one = merged.get(report.id);
        if (!one) {
          merged.set(report.id, { report, hitRate: count.hitRate, missRate: count.missRate, lines: [line] });
          continue;
        }
        one.report = together(one.report, report);
        one.hitRate += count.hitRate;
        one.missRate += count.missRate;
        one.lines.push(line);
      }
    }
    this.#counted = counted;
    this.#rates = new Map([...this.#rates].filter(([id]) => merged.has(id)));
    let [hitRate, missRate] = [0, 0];
    const rows: FunctionRow[] = [];
    for (const [id, one] of merged) {
      if (pace.isDue()) await pace.rest();
      hitRate += one.hitRate;
      missRate += one.missRate;
      let rates = this.#rates.get(id);
      if (!rates) this.#rates.set(id, (rates = new Rates()));
      rates.add(now, one.hitRate, one.missRate);
      rows.push({
        ...one.report,
        id: `f${id}`,
        kind: 'function',
        rate: round(one.hitRate + one.missRate),
        recentHitPercent: rates.recentHitPercent(now),
        points: rates.points,
        threads: one.lines.slice(0, LINES),
        threadCount: one.lines.length,
      });
    }
    this.total.add(now, hitRate, missRate);
    return rows;
  }

  /** Rates hold until the thread tells the next figures. */
  #count(name: string, { hits, misses }: CacheReport, at: number, counted: CountedBy): Counted {
    const before = this.#counted.get(name);
    let now = before;
    if (!now || !before || before.at !== at) {
      const seconds = before ? at - before.at : 0;
      const rate = (count: number): number => (seconds > 0 ? Math.max(0, count) / seconds : 0);
      now = { at, hits, misses, hitRate: rate(hits - (before?.hits ?? 0)), missRate: rate(misses - (before?.misses ?? 0)) };
    }
    counted.set(name, now);
    return now;
  }
}
