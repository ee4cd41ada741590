/** The values of `bg`: who writes each, who reads it, and how it was refreshed while somebody looked. */
import { shortHash } from './identity.js';
import type { Pace } from './pace.js';
import type { ErrorReport, MirrorReport, WriterReport } from './report.js';
import type { Row } from './rows.js';
import type { Thread } from './threads.js';

/**
 * One word for a value, the worst that is true. `failing`: its writer's last refresh failed. `stale`: a reader's value is too old.
 * `interrupted`: a reader doesn't hear its writer. `waiting`: there is no value yet. `gone`: only threads that ended had it.
 */
export type ValueState = 'live' | 'waiting' | 'stale' | 'interrupted' | 'failing' | 'closed' | 'gone';

/** `at`: the thread's id. */
type Located<T> = T & { readonly at: string };
type WriterLine = Located<Omit<WriterReport, 'key' | 'since'>>;
type MirrorLine = Located<Omit<MirrorReport, 'key' | 'since'>>;

/** When (Unix seconds), how long it took (seconds), and 1 for a refresh that succeeded. */
type Refresh = readonly [at: number, duration: number, isGood: 0 | 1];

export interface ValueRow extends Row {
  readonly kind: 'value';
  readonly key: string;
  readonly state: ValueState;
  readonly scope: string | undefined;
  readonly version: number;
  readonly createdAt: number | undefined;
  /** Those that write come first. */
  readonly writers: readonly WriterLine[];
  readonly readers: readonly MirrorLine[];
  readonly writerCount: number;
  readonly readerCount: number;
  /** Of all readers, a second. */
  readonly rate: number;
  readonly refreshes: readonly Refresh[];
}

const LINES = 50;
const REFRESHES = 40;

/** By thread and key: what was counted so far. */
type CountedBy = Map<string, { readonly refreshes: number; readonly failures: number }>;

interface Gathered {
  readonly writers: WriterLine[];
  readonly readers: MirrorLine[];
  isAlive: boolean;
}

export class Values {
  #counted: CountedBy = new Map();
  /** By key. */
  #refreshes = new Map<string, Refresh[]>();

  /** @param redact what may be told of an error */
  async rows(
    threads: readonly Thread[],
    redact: (error: ErrorReport | undefined) => ErrorReport | undefined,
    pace: Pace,
  ): Promise<ValueRow[]> {
    const gathered = new Map<string, Gathered>();
    const counted: CountedBy = new Map();
    for (const thread of threads) {
      const isAlive = thread.state !== 'died' && thread.state !== 'ended';
      const of = (key: string): Gathered => {
        let one = gathered.get(key);
        if (!one) gathered.set(key, (one = { writers: [], readers: [], isAlive }));
        one.isAlive ||= isAlive;
        return one;
      };
      for (const { key, since: _since, ...writer } of thread.report.writers) {
        if (pace.isDue()) await pace.rest();
        of(key).writers.push({ ...writer, lastError: redact(writer.lastError), at: thread.id, ...(isAlive ? {} : { state: 'gone' }) });
        this.#count(`${thread.id} ${key}`, key, writer, counted);
      }
      for (const { key, since: _since, ...mirror } of thread.report.mirrors) {
        if (pace.isDue()) await pace.rest();
        of(key).readers.push({ ...mirror, lastError: redact(mirror.lastError), at: thread.id, ...(isAlive ? {} : { state: 'gone' }) });
      }
    }
    this.#counted = counted;
    this.#refreshes = new Map([...this.#refreshes].filter(([key]) => gathered.has(key)));
    const rows: ValueRow[] = [];
    for (const [key, one] of gathered) {
      if (pace.isDue()) await pace.rest();
      rows.push(this.#row(key, one));
    }
    return rows;
  }

  #row(key: string, { writers, readers, isAlive }: Gathered): ValueRow {
    const leading = writers.filter(leads);
    const newest = [...writers, ...readers].reduce<WriterLine | MirrorLine | undefined>(
      (best, one) => (best && (best.createdAt ?? 0) >= (one.createdAt ?? 0) ? best : one),
      undefined,
    );
    return {
      id: `v${shortHash(key)}`,
      kind: 'value',
      key,
      state: isAlive ? stateOf(leading, writers, readers) : 'gone',
      scope: (leading[0] ?? writers[0])?.scope,
      version: newest?.version ?? 0,
      createdAt: newest?.createdAt,
      writers: [...leading, ...writers.filter((writer) => !leads(writer))].slice(0, LINES),
      readers: readers.sort((one, other) => compareIds(one.at, other.at)).slice(0, LINES),
      writerCount: writers.length,
      readerCount: readers.length,
      rate: readers.reduce((sum, { rate }) => sum + rate, 0),
      refreshes: this.#refreshes.get(key) ?? [],
    };
  }

  /** What this thread's writer did since the last look. Of many refreshes between two looks the last one is drawn. */
  #count(name: string, key: string, writer: Omit<WriterReport, 'key' | 'since'>, counted: CountedBy): void {
    const { refreshes, failures, createdAt, lastError, lastDuration = 0 } = writer;
    const before = this.#counted.get(name);
    counted.set(name, { refreshes, failures });
    // A failed one may end between two good ones, so it goes first.
    if (failures > (before?.failures ?? 0) && lastError) this.#draw(key, [lastError.time, lastDuration, 0]);
    if (refreshes > (before?.refreshes ?? 0) && createdAt !== undefined) this.#draw(key, [createdAt, lastDuration, 1]);
  }

  #draw(key: string, refresh: Refresh): void {
    let drawn = this.#refreshes.get(key);
    if (!drawn) this.#refreshes.set(key, (drawn = []));
    // Of a thread that was lost from sight meanwhile.
    if (drawn.some(([at]) => at === refresh[0])) return;
    drawn.push(refresh);
    if (drawn.length > REFRESHES) drawn.shift();
  }
}

/** Ids are `<pid>.<thread>`. */
function compareIds(one: string, other: string): number {
  return Number.parseInt(one, 10) - Number.parseInt(other, 10) || one.length - other.length || (one < other ? -1 : 1);
}

function leads({ state }: { readonly state: string }): boolean {
  return state !== 'standby' && state !== 'closed' && state !== 'gone';
}

function stateOf(leading: readonly WriterLine[], writers: readonly WriterLine[], readers: readonly MirrorLine[]): ValueState {
  if (leading.some(({ state }) => state === 'interrupted')) return 'failing';
  if (readers.some(({ isStale, state }) => isStale && state !== 'gone')) return 'stale';
  if (readers.some(({ state }) => state === 'interrupted')) return 'interrupted';
  const all = [...writers, ...readers].filter(({ state }) => state !== 'gone');
  if (all.every(({ state }) => state === 'closed')) return 'closed';
  if (all.some(({ version, state }) => version === 0 && state !== 'live' && state !== 'closed')) return 'waiting';
  return 'live';
}
