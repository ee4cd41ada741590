/** Who counts in some words of memory. */
export interface Lane {
  /** The thread that counts here; `undefined` once it has ended. What it counted stays. */
  thread(): number | undefined;
}

/**
 * What some words count, as JSON can hold it. The first is the collector's name, the second what it is: `counts` of a cache, its `memory`,
 * an octave of a `latency`, the `error`s of a type.
 */
export type SeriesKey =
  | readonly [collector: string, kind: 'counts' | 'memory', cache: string]
  | readonly [collector: string, kind: 'latency', cache: string, operation: string, octave: number]
  | readonly [collector: string, kind: 'error', cache: string, operation: string, type: string];

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
