import { checkOptions, refuse, show } from '../core/options.js';
import { loadPeer } from '../core/peer.js';
import { COUNTING_OPTIONS, CountingMetrics, type CountingOptions } from '../metrics/counting.js';
import type { CacheTotals, Totals } from '../metrics/totals.js';

/** What is called of a `Registry` of prom-client. */
export interface PrometheusRegistry {
  // prom-client's metrics are classes, which this type must not know: `never` takes any of them.
  registerMetric(metric: never): void;
}

export interface PrometheusMetricsOptions extends CountingOptions {
  /** Where the metrics are registered. Default: prom-client's default registry. */
  readonly registry?: PrometheusRegistry | undefined;
  /** The first part of the metrics' names. Default `'advanced_caching'`. */
  readonly namespace?: string | undefined;
  /** The second part. Default: none. */
  readonly subsystem?: string | undefined;
  /** The upper bounds of the durations' buckets, in seconds, rising. Default: from 50 ns to 10 s. */
  readonly buckets?: readonly number[] | undefined;
}

const OPTIONS = [...COUNTING_OPTIONS, 'registry', 'namespace', 'subsystem', 'buckets'];
const BUCKETS = [5e-8, 1e-7, 2.5e-7, 1e-6, 5e-6, 2.5e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Of the parts of a histogram. */
  readonly metricName?: string;
}

/**
 * Counts caches for Prometheus, in a registry of prom-client (15). What is scraped is the sum over all threads of the process, whichever of
 * them answers; prom-client's `AggregatorRegistry` adds up the processes of a cluster. Nothing is done between scrapes.
 *
 * | metric | type | labels |
 * |---|---|---|
 * | `…_lookups_total` | counter | `cache`, `result`: `hit`, `miss` |
 * | `…_operations_total` | counter | `cache`, `op`: `set`, `delete` |
 * | `…_operation_duration_seconds` | histogram | `cache`, `op` |
 * | `…_errors_total` | counter | `cache`, `op`, `error_type` |
 * | `…_refreshes_total` | counter | `cache`, `result`: `success`, `failure` |
 * | `…_memory_bytes` `…_memory_entries` | gauge | `cache` |
 *
 * @example
 * const metrics = new PrometheusMetrics({ namespace: 'myapp', subsystem: 'cache' });
 * const getUser = cache(60, { key: 'user:{id}', metrics })(async function getUser(id: number) { … });
 * server.on('request', async (_, response) => response.end(await register.metrics())); // myapp_cache_lookups_total{cache="getUser",result="hit"} 1
 */
export class PrometheusMetrics extends CountingMetrics {
  /**
   * @throws TypeError or RangeError for options that can't be meant, also for a registry that has metrics of these names;
   * MissingDependencyError where `prom-client` isn't installed
   */
  constructor(options: PrometheusMetricsOptions = {}) {
    checkOptions('PrometheusMetrics', options, OPTIONS);
    const prefix = prefixOf(options);
    super(options, `prometheus:${prefix}`);
    const buckets = checkBuckets(options.buckets ?? BUCKETS);
    const registry = registryOf(options.registry);
    let snapshot: Totals | undefined;
    // A scrape asks all families in one go: they tell of one moment.
    const totals = (): Totals => {
      if (snapshot === undefined) queueMicrotask(() => (snapshot = undefined));
      return (snapshot ??= this.totals());
    };
    for (const family of families(prefix, buckets, totals)) {
      try {
        registry.registerMetric(family as never);
      } catch (cause) {
        throw new TypeError(
          `Expected \`registry\` to have no metric called ${family.name}, got one that does: give another \`namespace\` or \`subsystem\``,
          { cause },
        );
      }
    }
  }
}

function prefixOf({ namespace = 'advanced_caching', subsystem }: PrometheusMetricsOptions): string {
  for (const [name, part] of Object.entries({ namespace, subsystem })) {
    if (part !== undefined && (typeof part !== 'string' || !NAME.test(part)))
      refuse(name, 'letters, digits and underscores, no digit first', part);
  }
  return subsystem === undefined ? namespace : `${namespace}_${subsystem}`;
}

function checkBuckets(buckets: unknown): readonly number[] {
  if (!Array.isArray(buckets) || buckets.length === 0) refuse('buckets', 'an array of seconds', buckets);
  for (const [i, bound] of (buckets as readonly unknown[]).entries()) {
    const isAbove = typeof bound === 'number' && Number.isFinite(bound) && bound > (i === 0 ? 0 : (buckets[i - 1] as number));
    if (!isAbove) throw new RangeError(`Expected \`buckets\` to be rising numbers of seconds above 0, got ${show(bound)} at ${i}`);
  }
  return [...(buckets as readonly number[])];
}

function registryOf(registry: PrometheusRegistry | undefined): PrometheusRegistry {
  // Loaded also for a registry that is given: without the package something else was meant.
  const { register } = loadPeer<{ readonly register: PrometheusRegistry }>('prom-client', 'PrometheusMetrics');
  if (registry !== undefined && typeof registry?.registerMetric !== 'function') refuse('registry', 'a Registry of prom-client', registry);
  return registry ?? register;
}

/** What prom-client calls of a metric; its own aggregated ones are made in the same way. */
class Family {
  /** prom-client renames counters for a registry of OpenMetrics. */
  name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator = 'sum';
  readonly #read: (name: string) => Sample[];

  constructor(name: string, help: string, type: 'counter' | 'gauge' | 'histogram', read: (name: string) => Sample[]) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#read = read;
  }

  get(): object {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.#read(name) };
  }

  /** Of all threads: a registry that is reset has no say in that. */
  reset(): void {}
}

function families(prefix: string, buckets: readonly number[], totals: () => Totals): Family[] {
  const each = (of: (cache: string, totals: CacheTotals) => Sample[]) => (): Sample[] =>
    [...totals()].flatMap(([cache, one]) => of(cache, one));
  return [
    new Family(
      `${prefix}_lookups_total`,
      'Lookups in a cache, by what they found.',
      'counter',
      each((cache, { counts: { hits, misses } }) => [
        { labels: { cache, result: 'hit' }, value: hits },
        { labels: { cache, result: 'miss' }, value: misses },
      ]),
    ),
    new Family(
      `${prefix}_operations_total`,
      'Changes of a cache: values that were set and deleted.',
      'counter',
      each((cache, { counts: { sets, deletes } }) => [
        { labels: { cache, op: 'set' }, value: sets },
        { labels: { cache, op: 'delete' }, value: deletes },
      ]),
    ),
    new Family(
      `${prefix}_errors_total`,
      'Errors, by what was done and by their class.',
      'counter',
      each((cache, { errors }) =>
        [...errors].flatMap(([op, types]) => [...types].map(([error_type, value]) => ({ labels: { cache, op, error_type }, value }))),
      ),
    ),
    new Family(
      `${prefix}_refreshes_total`,
      'Refreshes in the background.',
      'counter',
      each((cache, { counts: { refreshes, failedRefreshes } }) => [
        { labels: { cache, result: 'success' }, value: refreshes },
        { labels: { cache, result: 'failure' }, value: failedRefreshes },
      ]),
    ),
    new Family(
      `${prefix}_memory_bytes`,
      'What the values in memory take, where it is measured.',
      'gauge',
      each((cache, { memory: { bytes } }) => (bytes === undefined ? [] : [{ labels: { cache }, value: bytes }])),
    ),
    new Family(
      `${prefix}_memory_entries`,
      'How many values are in memory.',
      'gauge',
      each((cache, { memory: { entries } }) => (entries === undefined ? [] : [{ labels: { cache }, value: entries }])),
    ),
    new Family(`${prefix}_operation_duration_seconds`, 'How long operations took.', 'histogram', (name) =>
      each((cache, { latency }) =>
        [...latency].flatMap(([op, all]) => {
          let below = 0;
          const counts = all.between(buckets);
          const part = (of: string, value: number, labels: Labels): Sample => ({ metricName: `${name}_${of}`, labels, value });
          return [
            ...[...buckets.map(String), '+Inf'].map((le, i) => part('bucket', (below += counts[i] as number), { le, cache, op })),
            part('sum', all.sum, { cache, op }),
            part('count', all.count, { cache, op }),
          ];
        }),
      )(),
    ),
  ];
}
