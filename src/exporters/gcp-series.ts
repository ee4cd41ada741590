import type { Distribution } from '../metrics/histogram.js';
import type { Totals } from '../metrics/totals.js';

/** The bounds of the durations' buckets, in seconds. */
const BOUNDS = [1e-7, 1e-6, 5e-6, 2.5e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

type Labels = Readonly<Record<string, string>>;

interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

/** A `google.monitoring.v3.TimeSeries` with one point. */
export interface TimeSeries {
  readonly metric: { readonly type: string; readonly labels: Labels };
  readonly resource: MonitoredResource;
  readonly metricKind: 'CUMULATIVE' | 'GAUGE';
  readonly valueType: 'INT64' | 'DISTRIBUTION';
  readonly unit: string;
  readonly points: readonly [
    { readonly interval: { readonly startTime?: Timestamp; readonly endTime: Timestamp }; readonly value: object },
  ];
}

export interface MonitoredResource {
  readonly type: string;
  readonly labels: Labels;
}

/** What all series of one moment have in common. Moments are Unix time in milliseconds. */
export interface SeriesContext {
  readonly prefix: string;
  readonly resource: MonitoredResource;
  /** From when the counts are. */
  readonly since: number;
  readonly now: number;
}

/** One point for each series. */
export function timeSeriesOf(totals: Totals, { prefix, resource, since, now }: SeriesContext): TimeSeries[] {
  const endTime = timestamp(Math.max(now, since + 1));
  const cumulative = { startTime: timestamp(since), endTime };

  /** What never happened isn't sent: samples are what Cloud Monitoring is paid for. */
  const counter = (name: string, labels: Labels, count: number): TimeSeries[] => {
    if (count === 0) return [];
    const points = [{ interval: cumulative, value: { int64Value: String(count) } }] as const;
    return [{ metric: { type: `${prefix}/${name}`, labels }, resource, metricKind: 'CUMULATIVE', valueType: 'INT64', unit: '1', points }];
  };
  const gauge = (name: string, unit: string, labels: Labels, value: number | undefined): TimeSeries[] => {
    if (value === undefined) return [];
    const points = [{ interval: { endTime }, value: { int64Value: String(Math.round(value)) } }] as const;
    return [{ metric: { type: `${prefix}/${name}`, labels }, resource, metricKind: 'GAUGE', valueType: 'INT64', unit, points }];
  };
  const durations = (labels: Labels, all: Distribution): TimeSeries => ({
    metric: { type: `${prefix}/operation_duration`, labels },
    resource,
    metricKind: 'CUMULATIVE',
    valueType: 'DISTRIBUTION',
    unit: 's',
    points: [{ interval: cumulative, value: { distributionValue: distributionOf(all) } }],
  });

  return [...totals].flatMap(([cache, { counts, latency, errors, memory }]) => [
    ...counter('lookups', { cache, result: 'hit' }, counts.hits),
    ...counter('lookups', { cache, result: 'miss' }, counts.misses),
    ...counter('operations', { cache, op: 'set' }, counts.sets),
    ...counter('operations', { cache, op: 'delete' }, counts.deletes),
    ...counter('refreshes', { cache, result: 'success' }, counts.refreshes),
    ...counter('refreshes', { cache, result: 'failure' }, counts.failedRefreshes),
    ...[...errors].flatMap(([op, types]) =>
      [...types].flatMap(([error_type, count]) => counter('errors', { cache, op, error_type }, count)),
    ),
    ...[...latency].map(([op, all]) => durations({ cache, op }, all)),
    ...gauge('memory/bytes', 'By', { cache }, memory.bytes),
    ...gauge('memory/entries', '1', { cache }, memory.entries),
  ]);
}

function distributionOf(all: Distribution): object {
  const { mean } = all;
  let sumOfSquaredDeviation = 0;
  for (const { seconds, count } of all) sumOfSquaredDeviation += count * (seconds - mean) ** 2;
  return {
    count: String(all.count),
    mean,
    sumOfSquaredDeviation,
    bucketOptions: { explicitBuckets: { bounds: BOUNDS } },
    bucketCounts: all.between(BOUNDS).map(String),
  };
}

function timestamp(ms: number): Timestamp {
  const whole = Math.floor(ms);
  return { seconds: Math.floor(whole / 1000), nanos: (whole % 1000) * 1e6 };
}
