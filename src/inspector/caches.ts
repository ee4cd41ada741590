/** The cached functions of this thread, in figures. */
import { type CacheListing, listings } from '../cache/listing.js';
import type { CacheStorage } from '../core/store.js';
import { type CountingMetrics, ownTotalsOf } from '../metrics/counting.js';
import type { Distribution } from '../metrics/histogram.js';
import { cacheNameOf } from '../metrics/names.js';
import type { Totals } from '../metrics/totals.js';
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
  const totals = new Map<CountingMetrics, Totals>();
  const all = new Map<string, CacheReport>();
  for (const listing of listings()) {
    if (pace.isDue()) await pace.rest();
    const report = reportOf(listing, totals);
    const other = all.get(report.id);
    all.set(report.id, other ? together(other, report) : report);
  }
  return [...all.values()];
}

function reportOf(listing: CacheListing, known: Map<CountingMetrics, Totals>): CacheReport {
  const { name, template, ttl, stale, store, counts } = listing;
  const finite = (span: number): number | undefined => (Number.isFinite(span) ? span : undefined);
  let totals = counts && known.get(counts);
  if (counts && !totals) known.set(counts, (totals = ownTotalsOf(counts)));
  // Of functions of one name in one collector the figures are the same.
  const own = totals?.get(cacheNameOf(name));
  return {
    ...identityOf(listing),
    name,
    template,
    ttl: finite(ttl),
    stale: finite(stale),
    copies: 1,
    entries: entriesOf(store),
    isCounted: counts !== undefined,
    ...(own?.counts ?? NOTHING),
    errors: [...(own?.errors ?? [])].flatMap(([operation, types]) => [...types].map(([type, count]) => ({ operation, type, count }))),
    latencies: [...(own?.latency ?? [])].map(([operation, all]) => latencyOf(operation, all)),
  };
}

const NOTHING = { hits: 0, misses: 0, sets: 0, deletes: 0, refreshes: 0, failedRefreshes: 0 };

function latencyOf(operation: string, all: Distribution): LatencyReport {
  return { operation, count: all.count, avg: all.mean, p50: all.quantile(0.5), p95: all.quantile(0.95), p99: all.quantile(0.99) };
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
      (a, b) => ({ ...a, count: a.count + b.count }),
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
