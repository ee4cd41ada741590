import { Distribution } from '../metrics/histogram.js';
import type { CacheTotals, Totals } from '../metrics/totals.js';

/** What was counted since an earlier reading. Of the memory in use, which doesn't add up, what is now. */
export function increaseOf(now: Totals, before: Totals): Totals {
  return new Map([...now].map(([name, cache]) => [name, increaseOfCache(cache, before.get(name))]));
}

function increaseOfCache(now: CacheTotals, before: CacheTotals | undefined): CacheTotals {
  if (!before) return now;
  const counts = { ...now.counts };
  for (const count of Object.keys(counts) as (keyof typeof counts)[]) counts[count] -= before.counts[count];
  return {
    counts,
    memory: now.memory,
    latency: new Map(
      [...now.latency].map(([operation, all]) => [operation, all.since(before.latency.get(operation) ?? new Distribution())]),
    ),
    errors: new Map(
      [...now.errors].map(([operation, types]) => [
        operation,
        new Map([...types].map(([type, count]) => [type, count - (before.errors.get(operation)?.get(type) ?? 0)])),
      ]),
    ),
  };
}
