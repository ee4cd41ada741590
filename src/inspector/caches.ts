/** The cached functions of this thread, in figures. */
import { type CacheListing, listings } from '../cache/listing.js';
import type { CacheStorage } from '../core/store.js';
import { InMemoryMetrics } from '../metrics/in-memory.js';
import type { MetricsStats } from '../metrics/stats.js';
import { ChainCache } from '../stores/chain.js';
import { InMemCache } from '../stores/in-mem.js';
import { shortHash } from './identity.js';
import type { Pace } from './pace.js';
import type { CacheReport, LatencyReport } from './report.js';

interface Identity {
  readonly id: string;
  readonly store: string;
}

const identities = new WeakMap<CacheListing, Identity>();

/** Functions that are alike have the same one, in every thread and process. */
export function identityOf(listing: CacheListing): Identity {
  let identity = identities.get(listing);
  if (!identity) {
    const { name, template, ttl, stale } = listing;
    const store = labelOf(listing.store);
    const id = shortHash(JSON.stringify([name, template ?? null, String(ttl), String(stale), store]));
    identities.set(listing, (identity = { id, store }));
  }
  return identity;
}

function labelOf(store: CacheStorage): string {
  if (store instanceof ChainCache) return store.tiers.map(labelOf).join(' → ');
  const { name } = store.constructor;
  return name === '' || name === 'Object' ? 'a store of your own' : name;
}

export async function cacheReports(pace: Pace): Promise<CacheReport[]> {
  const stats = new Map<InMemoryMetrics, MetricsStats>();
  const all = new Map<string, CacheReport>();
  for (const listing of listings()) {
    if (pace.isDue()) await pace.rest();
    const report = reportOf(listing, stats);
    const other = all.get(report.id);
    all.set(report.id, other ? together(other, report) : report);
  }
  return [...all.values()];
}

function reportOf(listing: CacheListing, known: Map<InMemoryMetrics, MetricsStats>): CacheReport {
  const { name, template, ttl, stale, store, metrics, tally } = listing;
  const finite = (span: number): number | undefined => (Number.isFinite(span) ? span : undefined);
  const head = { ...identityOf(listing), name, template, ttl: finite(ttl), stale: finite(stale), copies: 1, entries: entriesOf(store) };
  if (tally) {
    const { hits, misses, sets, deletes, refreshes, failedRefreshes } = tally;
    const latencies = Object.entries(tally.latencies()).map(([operation, latency]) => ({ operation, ...latency }));
    const errors = tally.errors().map((error) => ({ ...error }));
    return { ...head, isCounted: true, hits, misses, sets, deletes, refreshes, failedRefreshes, errors, latencies };
  }
  if (!(metrics instanceof InMemoryMetrics)) {
    const none = { hits: 0, misses: 0, sets: 0, deletes: 0, refreshes: 0, failedRefreshes: 0 };
    return { ...head, isCounted: false, ...none, errors: [], latencies: [] };
  }
  let stats = known.get(metrics);
  if (!stats) known.set(metrics, (stats = metrics.getStats()));
  return { ...head, isCounted: true, ...figuresOf(name, stats) };
}

/** The figures of a collector go by the name, so functions of one name have the same. */
function figuresOf(
  name: string,
  stats: MetricsStats,
): Pick<CacheReport, 'hits' | 'misses' | 'sets' | 'deletes' | 'refreshes' | 'failedRefreshes' | 'errors' | 'latencies'> {
  const counts = stats.caches[name];
  const refreshes = stats.backgroundRefresh[name];
  const prefix = `${name}.`;
  const operations = <T>(of: Record<string, T>): [string, T][] =>
    Object.entries(of)
      .filter(([key]) => key.startsWith(prefix) && !key.includes('.', prefix.length))
      .map(([key, value]) => [key.slice(prefix.length), value]);
  return {
    hits: counts?.hits ?? 0,
    misses: counts?.misses ?? 0,
    sets: counts?.sets ?? 0,
    deletes: counts?.deletes ?? 0,
    refreshes: refreshes?.success ?? 0,
    failedRefreshes: refreshes?.failure ?? 0,
    errors: operations(stats.errors).flatMap(([operation, types]) =>
      Object.entries(types).map(([type, count]) => ({ operation, type, count, time: 0 })),
    ),
    latencies: operations(stats.latency).map(([operation, { count, avgMs, p50Ms, p95Ms, p99Ms }]) => {
      return { operation, count, avg: avgMs / 1000, p50: p50Ms / 1000, p95: p95Ms / 1000, p99: p99Ms / 1000 };
    }),
  };
}

function entriesOf(store: CacheStorage): number | undefined {
  const tiers = store instanceof ChainCache ? store.tiers : [store];
  return tiers.find((tier) => tier instanceof InMemCache)?.size;
}

/** Two that are alike, as one. */
export function together(one: CacheReport, other: CacheReport): CacheReport {
  const sum = (field: 'copies' | 'hits' | 'misses' | 'sets' | 'deletes' | 'refreshes' | 'failedRefreshes'): number =>
    one[field] + other[field];
  return {
    ...one,
    copies: sum('copies'),
    isCounted: one.isCounted && other.isCounted,
    hits: sum('hits'),
    misses: sum('misses'),
    sets: sum('sets'),
    deletes: sum('deletes'),
    refreshes: sum('refreshes'),
    failedRefreshes: sum('failedRefreshes'),
    entries: one.entries === undefined ? other.entries : one.entries + (other.entries ?? 0),
    errors: merge(
      [...one.errors, ...other.errors],
      ({ operation, type }) => `${operation} ${type}`,
      (a, b) => {
        return { ...a, count: a.count + b.count, time: Math.max(a.time, b.time) };
      },
    ),
    latencies: merge([...one.latencies, ...other.latencies], ({ operation }) => operation, slower),
  };
}

/** Counts and averages add up; percentiles don't, so those of the slower one stand. */
function slower(one: LatencyReport, other: LatencyReport): LatencyReport {
  const count = one.count + other.count;
  const avg = count === 0 ? 0 : (one.avg * one.count + other.avg * other.count) / count;
  const most = (at: 'p50' | 'p95' | 'p99'): number => Math.max(one[at], other[at]);
  return { operation: one.operation, count, avg, p50: most('p50'), p95: most('p95'), p99: most('p99') };
}

function merge<T>(items: readonly T[], keyOf: (item: T) => string, join: (one: T, other: T) => T): T[] {
  const merged = new Map<string, T>();
  for (const item of items) {
    const key = keyOf(item);
    const there = merged.get(key);
    merged.set(key, there === undefined ? item : join(there, item));
  }
  return [...merged.values()];
}
