/** Who counts in some words of memory. */
export interface Lane {
  /** The thread that counts here; `undefined` once it has ended. What it counted stays. */
  thread(): number | undefined;
}

/**
 * What some words count, as JSON can hold it. The first is the collector's name, the second what it is: `counts` of a cache, its `memory`,
 * an octave of a `latency`, the `error`s of a type; or nothing that is counted, but whether the thread is a `reporter`.
 */
export type SeriesKey =
  | readonly [collector: string, kind: 'reporter', exporter: string]
  | readonly [collector: string, kind: 'counts' | 'memory', cache: string]
  | readonly [collector: string, kind: 'latency', cache: string, operation: string, octave: number]
  | readonly [collector: string, kind: 'error', cache: string, operation: string, type: string];

/** For a thread that goes on in another's lane: what was of that thread alone begins anew. */
export function startAnew(key: SeriesKey, words: Int32Array): void {
  if (key[1] === 'memory') words.fill(0);
  if (key[1] === 'reporter') words[REPORTS] = 0;
}

/** The words of a `reporter`: whether the thread reports now, and whether one in this lane ever has. */
export const REPORTS = 0;
export const HAS_REPORTED = 1;
export const REPORTER_WORDS = 2;

/** Words that one thread counts in, and what they count. */
export interface Series {
  readonly key: SeriesKey;
  readonly words: Int32Array;
  readonly lane: Lane;
}

/** Where a collector keeps its counts. */
export interface Memory {
  /** Unix time in milliseconds: nothing was counted before. */
  readonly since: number;
  /** This thread's words for a key: zero at first, the same ones whenever it is asked. */
  open(key: SeriesKey, words: number): Int32Array;
  /** What every thread counts, in the order of its first appearance. It only grows. */
  series(): readonly Series[];
}
