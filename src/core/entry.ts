/** A cached value with the two moments that decide what it is worth. */
export interface CacheEntry<T = unknown> {
  readonly value: T;
  /** Unix time in seconds (fractional) until which the value is fresh; `Infinity` for ever. */
  readonly freshUntil: number;
  /** Unix time in seconds (fractional) at which the value was made. */
  readonly createdAt: number;
}

/**
 * What an entry is worth at a moment: `fresh` before `freshUntil`, `stale` in the window of `stale` seconds after it,
 * `dead` past both. The one place that decides it.
 */
export type Freshness = 'fresh' | 'stale' | 'dead';

export function freshness(entry: Pick<CacheEntry, 'freshUntil'>, stale: number, now: number): Freshness {
  if (now < entry.freshUntil) return 'fresh';
  return now < entry.freshUntil + stale ? 'stale' : 'dead';
}
