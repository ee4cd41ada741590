/** What one thread tells of itself, as it stands in its file. Moments are Unix time in seconds, spans are seconds. */
import { flag, list, matching, number, object, optional, type Shape, text } from './shape.js';

/** Writers, mirrors and cached functions of one thread, each; what is past it is only counted. */
export const MOST = 20_000;
/** Bytes of a file. */
export const LARGEST_REPORT: number = 32 * 1024 * 1024;

const name = text(200);
const key = text(8192);
const seconds = optional(number);

export interface ErrorReport {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly time: number;
}
const error: Shape<ErrorReport> = object({ name, code: optional(name), message: optional(text(2000)), time: number });

export interface WriterReport {
  readonly key: string;
  readonly name: string;
  readonly scope: string;
  readonly state: string;
  readonly since: number;
  readonly epoch: number;
  readonly version: number;
  readonly createdAt: number | undefined;
  readonly refreshes: number;
  readonly failures: number;
  readonly consecutiveFailures: number;
  readonly late: number;
  readonly lastDuration: number | undefined;
  readonly nextAt: number | undefined;
  readonly lastError: ErrorReport | undefined;
}
export const writerReport: Shape<WriterReport> = object({
  key,
  name,
  scope: name,
  state: name,
  since: number,
  epoch: number,
  version: number,
  createdAt: seconds,
  refreshes: number,
  failures: number,
  consecutiveFailures: number,
  late: number,
  lastDuration: seconds,
  nextAt: seconds,
  lastError: optional(error),
});

export interface MirrorReport {
  readonly key: string;
  readonly state: string;
  readonly since: number | undefined;
  readonly via: string | undefined;
  readonly epoch: number;
  readonly version: number;
  readonly createdAt: number | undefined;
  readonly isStale: boolean;
  /** Reads a second, those of the inspector left out. */
  readonly rate: number;
  readonly decodes: number;
  readonly fallbacks: number;
  readonly refused: number;
  readonly lastError: ErrorReport | undefined;
}
export const mirrorReport: Shape<MirrorReport> = object({
  key,
  state: name,
  since: seconds,
  via: optional(name),
  epoch: number,
  version: number,
  createdAt: seconds,
  isStale: flag,
  rate: number,
  decodes: number,
  fallbacks: number,
  refused: number,
  lastError: optional(error),
});

/** Seconds. */
export interface LatencyReport {
  readonly operation: string;
  readonly count: number;
  readonly avg: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}
const latency: Shape<LatencyReport> = object({ operation: name, count: number, avg: number, p50: number, p95: number, p99: number });

/** Cached functions that are alike (name, key, durations, kind of store) are one: a decorated class may have been made many times. */
export interface CacheReport {
  /** The same for functions that are alike, in all threads. */
  readonly id: string;
  readonly name: string;
  /** `undefined`: a function makes the keys. */
  readonly template: string | undefined;
  /** `undefined`: for ever. */
  readonly ttl: number | undefined;
  readonly stale: number | undefined;
  /** Its class; of a chain, those of its tiers. */
  readonly store: string;
  readonly copies: number;
  /** Whether hits and misses are known. */
  readonly isCounted: boolean;
  readonly hits: number;
  readonly misses: number;
  readonly sets: number;
  readonly deletes: number;
  readonly refreshes: number;
  readonly failedRefreshes: number;
  readonly entries: number | undefined;
  readonly errors: readonly { readonly operation: string; readonly type: string; readonly count: number }[];
  readonly latencies: readonly LatencyReport[];
}
export const cacheReport: Shape<CacheReport> = object({
  id: matching(/^[0-9a-f]{16}$/),
  name,
  template: optional(key),
  ttl: seconds,
  stale: seconds,
  store: name,
  copies: number,
  isCounted: flag,
  hits: number,
  misses: number,
  sets: number,
  deletes: number,
  refreshes: number,
  failedRefreshes: number,
  entries: optional(number),
  errors: list(60, object({ operation: name, type: name, count: number })),
  latencies: list(10, latency),
});

/** A thread that the library made. */
export interface HelperReport {
  readonly what: string;
  readonly state: string;
  readonly restarts: number;
  readonly lastError: string | undefined;
}
const helper: Shape<HelperReport> = object({ what: name, state: name, restarts: number, lastError: optional(name) });

/** What is of the thread itself. */
export interface ThreadHead {
  readonly pid: number;
  readonly thread: number;
  readonly task: { readonly path: string; readonly born: string; readonly space: string } | undefined;
  readonly name: string;
  readonly isMain: boolean;
  readonly node: string;
  readonly startedAt: number;
  /** When this was written, and after how long the next one is due. */
  readonly at: number;
  readonly every: number;
  /** Bytes. `rss` is the process's, the others are the thread's. */
  readonly memory: { readonly rss: number; readonly heapUsed: number; readonly heapTotal: number; readonly external: number };
  /** The event loop since the last report: delays in seconds, and the share of the time that it was busy. */
  readonly loop: { readonly p50: number; readonly p99: number; readonly max: number; readonly busy: number };
  readonly helpers: readonly HelperReport[];
  /** What was too much. */
  readonly leftOut: number;
}
export const threadHead: Shape<ThreadHead> = object({
  pid: number,
  thread: number,
  // It becomes a part of a path in /proc.
  task: optional(object({ path: matching(/^\d{1,10}\/task\/\d{1,10}$/), born: matching(/^\d{1,20}$/), space: name })),
  name,
  isMain: flag,
  node: name,
  startedAt: number,
  at: number,
  every: number,
  memory: object({ rss: number, heapUsed: number, heapTotal: number, external: number }),
  loop: object({ p50: number, p99: number, max: number, busy: number }),
  helpers: list(10, helper),
  leftOut: number,
});

export interface ThreadReport extends ThreadHead {
  readonly writers: readonly WriterReport[];
  readonly mirrors: readonly MirrorReport[];
  readonly caches: readonly CacheReport[];
}
