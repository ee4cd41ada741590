import type { Distribution } from './histogram.js';
import type { CacheTotals, Totals } from './totals.js';

/** What one cache did. */
export interface CacheCounts {
  hits: number;
  misses: number;
  sets: number;
  deletes: number;
  /** `hits` of all lookups, in percent; 0 before the first one. */
  hitRatePercent: number;
}

export interface LatencyStats {
  count: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  avgMs: number;
}

export interface MemoryStats {
  /** 0 also where they aren't measured: an `InMemCache` measures them when it has `maxBytes`. */
  bytes: number;
  entries: number;
  /** `bytes` in MiB. */
  mb: number;
}

export interface MetricsStats {
  /** Since the collector was made. */
  uptimeSeconds: number;
  caches: Record<string, CacheCounts>;
  /** By `name.operation`. */
  latency: Record<string, LatencyStats>;
  /** By `name.operation`: how many errors of each type. */
  errors: Record<string, Record<string, number>>;
  memory: Record<string, MemoryStats>;
  backgroundRefresh: Record<string, { success: number; failure: number }>;
}

const MS_PER_SECOND = 1000;

/** The totals in the structure of the guide. A section names a cache once there is something to say of it there. */
export function statsOf(totals: Totals, uptimeSeconds: number): MetricsStats {
  const section = <T>(of: (cache: CacheTotals, name: string) => [string, T][]): Record<string, T> =>
    Object.fromEntries([...totals].flatMap(([name, cache]) => of(cache, name)));
  return {
    uptimeSeconds,
    caches: section(({ counts: { hits, misses, sets, deletes } }, name) => {
      if (hits + misses + sets + deletes === 0) return [];
      return [[name, { hits, misses, sets, deletes, hitRatePercent: percent(hits, hits + misses) }]];
    }),
    latency: section(({ latency }, name) => [...latency].map(([operation, all]) => [`${name}.${operation}`, latencyOf(all)])),
    errors: section(({ errors }, name) => [...errors].map(([operation, types]) => [`${name}.${operation}`, Object.fromEntries(types)])),
    memory: section(({ memory: { bytes, entries } }, name) => {
      if (bytes === undefined && entries === undefined) return [];
      return [[name, { bytes: bytes ?? 0, entries: entries ?? 0, mb: (bytes ?? 0) / 2 ** 20 }]];
    }),
    backgroundRefresh: section(({ counts: { refreshes, failedRefreshes } }, name) =>
      refreshes + failedRefreshes === 0 ? [] : [[name, { success: refreshes, failure: failedRefreshes }]],
    ),
  };
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part * 100) / whole;
}

function latencyOf(all: Distribution): LatencyStats {
  return {
    count: all.count,
    p50Ms: all.quantile(0.5) * MS_PER_SECOND,
    p95Ms: all.quantile(0.95) * MS_PER_SECOND,
    p99Ms: all.quantile(0.99) * MS_PER_SECOND,
    avgMs: all.mean * MS_PER_SECOND,
  };
}
