// What caches tell of themselves: one collector for several functions, a collector of your own, none at all, each tier of a chain, all threads
// of the process, and the exporters.
//   node --import=tsx examples/metrics-and-exporters.ts
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Registry } from 'prom-client';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  ChainCache,
  InMemCache,
  InMemoryMetrics,
  InstrumentedStorage,
  LocalFileCache,
  type MetricsCollector,
  NULL_METRICS,
  S3Cache,
  bg,
  cache,
} from 'advanced-caching';
import { OpenTelemetryMetrics, PrometheusMetrics } from 'advanced-caching/exporters';
import { tempDir } from '../test/support/process.js';
import { S3_BUCKET, s3Client, s3Server } from '../test/support/s3.js';

const ends: (() => unknown)[] = [];
const scope = { teardown: (end: () => unknown) => void ends.unshift(end) };

function title(text: string): void {
  console.log(`\n${text}\n${'-'.repeat(text.length)}`);
}

function row(name: unknown, ...figures: unknown[]): void {
  console.log(String(name).padEnd(20), ...figures.map((figure) => String(figure).padStart(9)));
}

const percent = (rate: number): string => `${rate.toFixed(0)}%`;

title('One collector for several functions');
const metrics = new InMemoryMetrics({ name: 'example' });
const getUser = cache(60, { key: 'user:{id}', metrics })(async function getUser(id: number) {
  await new Promise((resolve) => setTimeout(resolve, 5));
  return { id, name: `User ${id}` };
});
const getPrice = cache(60, { key: 'price:{symbol}', metrics })(function getPrice(symbol: string) {
  if (symbol === '?') throw new RangeError('no such symbol');
  return symbol.length;
});
const flags = bg(3600, { key: 'flags', metrics, name: 'flags' })(async () => ({ darkMode: true }));

for (let i = 0; i < 200; i++) await getUser(i % 10);
for (let i = 0; i < 1000; i++) getPrice(['ACME', 'INIT', 'HAL'][i % 3] as string);
try {
  getPrice('?');
} catch {
  // Counted, and the caller's to handle.
}
await flags();

const stats = metrics.getStats();
row('cache', 'hits', 'misses', 'sets', 'hit rate');
for (const [name, { hits, misses, sets, hitRatePercent }] of Object.entries(stats.caches))
  row(name, hits, misses, sets, percent(hitRatePercent));
console.log();
row('latency, ms', 'count', 'p50', 'p95', 'p99');
for (const [name, { count, p50Ms, p95Ms, p99Ms }] of Object.entries(stats.latency)) {
  row(name, count, ...[p50Ms, p95Ms, p99Ms].map((ms) => ms.toPrecision(2)));
}
console.log('\nerrors', JSON.stringify(stats.errors), 'refreshes', JSON.stringify(stats.backgroundRefresh));

title('A collector of your own: an object with the methods that you want');
const print: MetricsCollector = {
  ...NULL_METRICS,
  recordHit: (cacheName) => console.log(`hit   ${cacheName}`),
  recordMiss: (cacheName) => console.log(`miss  ${cacheName}`),
};
const printed = cache(60, { key: 'greeting:{name}', metrics: print, name: 'greet' })((name: string) => `Hello ${name}`);
printed('Ada');
printed('Ada');

title('What it costs (roughly; npm run bench -- metrics-cost measures it)');
const HITS = 3_000_000;
for (const [name, collector] of [
  ['none', undefined],
  ['NULL_METRICS', NULL_METRICS],
  ['InMemoryMetrics', new InMemoryMetrics()],
] as const) {
  const hit = cache(60, { key: 'fast', name: 'fast', ...(collector && { metrics: collector }) })(() => 1);
  for (let i = 0; i < HITS; i++) hit();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const started = performance.now();
  for (let i = 0; i < HITS; i++) hit();
  row(name, `${(((performance.now() - started) * 1e6) / HITS).toFixed(1)} ns`);
}

title('Each tier of a chain');
const tiers = new InMemoryMetrics();
const memory = new InMemCache();
const chain = ChainCache.build(
  new InstrumentedStorage(memory, tiers, 'L1:memory'),
  new InstrumentedStorage(new LocalFileCache(tempDir(scope)), tiers, 'L2:files'),
  new InstrumentedStorage(new S3Cache({ bucket: S3_BUCKET, client: s3Client(scope, await s3Server(scope)) }), tiers, 'L3:s3'),
  { ttls: [60, 300, 3600] },
);
const getCatalog = cache(3600, { key: 'catalog:{page}', store: chain })(async (page: number) => ({ page }));
for (let i = 0; i < 92; i++) {
  // A restart, that empties the memory.
  if (i === 50) memory.clear();
  await getCatalog(i % 5);
}
row('tier', 'hits', 'misses', 'sets', 'hit rate');
for (const [name, { hits, misses, sets, hitRatePercent }] of Object.entries(tiers.getStats().caches)) {
  row(name, hits, misses, sets, percent(hitRatePercent));
}
console.log('Nearly all hits should be in the first tier: else it forgets too early.');

title('All threads of the process: each counts for itself, any of them reads the sum');
const thread = `import('advanced-caching').then(({ InMemoryMetrics, cache }) => {
  const hit = cache(60, { key: 'work', metrics: new InMemoryMetrics({ name: 'example' }), name: 'work' })(() => 1);
  for (let i = 0; i < 100_000; i++) hit();
});`;
await Promise.all([1, 2, 3].map(() => once(new Worker(thread, { eval: true, execArgv: [] }), 'exit')));
const { work } = metrics.getStats().caches;
console.log('hits', work?.hits, 'misses', work?.misses);

title('Exporters: the same counts, by their name');
const registry = new Registry();
new PrometheusMetrics({ registry, namespace: 'myapp', subsystem: 'cache', name: 'example' });
const text = await registry.metrics();
console.log(
  text
    .split('\n')
    .filter((line) => /^myapp_cache_(lookups|errors)_total/.test(line))
    .join('\n'),
);

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const meterProvider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })] });
new OpenTelemetryMetrics({ meterProvider, name: 'example' });
await meterProvider.forceFlush();
for (const { descriptor, dataPoints } of exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? []) {
  console.log(`${descriptor.name} (${descriptor.unit}): ${dataPoints.length} series`);
}

await meterProvider.shutdown();
await flags.stop();
for (const end of ends) await end();
