/** docs/metrics.md and docs/grafana-dashboard.json name what the exporters export, and nothing else. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import test from 'ava';
import type { MetricsCollector } from '../../dist/index.js';
import { GCPCloudMonitoringMetrics, OpenTelemetryMetrics } from '../../dist/exporters/index.js';
import { tempDir } from '../support/process.js';
import { root } from '../support/root.js';
import { read } from '../support/sources.js';
import { startMonitoring } from './gcp-server.js';
import { noPrometheus, prometheus, seriesIn } from './support.js';

/** Everything that there is to tell. */
function record(metrics: MetricsCollector): void {
  metrics.recordHit('x');
  metrics.recordMiss('x');
  metrics.recordSet('x');
  metrics.recordDelete('x');
  metrics.recordLatency('x', { operation: 'get', durationSeconds: 0.001 });
  metrics.recordError('x', { operation: 'get', errorType: 'RangeError' });
  metrics.recordMemoryUsage('x', { bytesUsed: 1, entryCount: 1 });
  metrics.recordBackgroundRefresh('x', { success: true });
  metrics.recordBackgroundRefresh('x', { success: false });
}

/** By name: the labels. */
type Names = Record<string, string[]>;

function add(names: Names, name: string, labels: readonly string[]): void {
  names[name] = [...new Set([...(names[name] ?? []), ...labels])].sort();
}

/** The rows of the table whose first column has this heading: the names in backticks, and the labels in the last column. */
function documented(heading: string): Names {
  const page = read(join(root, 'docs/metrics.md'));
  const at = page.indexOf(`| ${heading}`);
  const table = page.slice(at, page.indexOf('\n\n', at)).split('\n').slice(2);
  const names: Names = {};
  for (const line of table) {
    const cells = line.split('|').slice(1, -1);
    const name = /`([^`]+)`/.exec(cells[0] ?? '')?.[1] ?? '';
    // After a colon stand the values of a label.
    const labels = [...(cells.at(-1) ?? '').replaceAll(/: (`\w+`(, )?)+/g, '').matchAll(/`([\w.]+)`/g)].map((match) => match[1] as string);
    add(names, name, labels);
  }
  return names;
}

async function exportedByPrometheus(): Promise<Names> {
  const { metrics, registry } = prometheus();
  record(metrics);
  const names: Names = {};
  for (const series of seriesIn(await registry.metrics())) {
    const labels = [...series.matchAll(/[{,](\w+)="/g)].map((match) => match[1] as string).filter((label) => label !== 'le');
    add(names, series.replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, ''), labels);
  }
  return names;
}

test('Prometheus', async (t) => {
  const names = Object.entries(await exportedByPrometheus()).map(([name, labels]) => [name.replace('advanced_caching_', '…_'), labels]);
  t.deepEqual(documented('metric | type'), Object.fromEntries(names) as Names);
});

test('OpenTelemetry', async (t) => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meterProvider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })] });
  t.teardown(() => meterProvider.shutdown());
  record(new OpenTelemetryMetrics({ meterProvider }));
  await meterProvider.forceFlush();
  const names: Names = {};
  for (const { descriptor, dataPoints } of exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? []) {
    for (const { attributes } of dataPoints) add(names, descriptor.name, Object.keys(attributes));
  }
  t.deepEqual(documented('instrument'), names);
});

test('Cloud Monitoring', async (t) => {
  const { client, requests } = await startMonitoring(t);
  const metrics = new GCPCloudMonitoringMetrics({ client });
  record(metrics);
  await metrics.shutdown();
  const names: Names = {};
  for (const { metric } of requests.flatMap(({ timeSeries }) => timeSeries)) {
    add(names, metric.type.replace('custom.googleapis.com/advanced_caching', ''), Object.keys(metric.labels));
  }
  t.deepEqual(documented('metric, below'), names);
});

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const dashboard = JSON.parse(read(join(root, 'docs/grafana-dashboard.json'))) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

test('the dashboard asks for what is exported, by its labels', async (t) => {
  const names = await exportedByPrometheus();
  const queries = [...expressions, ...dashboard.templating.list.flatMap(({ definition }) => definition ?? [])];
  const asked = new Set<string>();
  for (const query of queries) {
    for (const [, metric = '', selector = ''] of query.matchAll(/\$\{prefix\}(_\w+)(?:\{([^}]*)\})?/g)) {
      const name = `advanced_caching${metric}`.replace(/_(bucket|sum|count)$/, '');
      t.truthy(names[name], `${name} in ${query}`);
      for (const [, label = ''] of selector.matchAll(/(\w+)=/g)) t.true(names[name]?.includes(label), `${label} of ${name}`);
      asked.add(name);
    }
    for (const [, list = ''] of query.matchAll(/by \(([^)]*)\)/g)) {
      for (const label of list.split(', ')) t.true(['cache', 'op', 'result', 'error_type', 'le'].includes(label), label);
    }
  }
  t.deepEqual([...asked].sort(), Object.keys(names).sort(), 'and everything that is exported is on it');
});

(noPrometheus === undefined ? test : test.skip)('promtool reads every expression of the dashboard', (t) => {
  const file = join(tempDir(t), 'rules.yml');
  const rules = expressions.map((expr, i) => ({
    record: `panel:${i}`,
    expr: expr
      .replaceAll('${prefix}', 'advanced_caching')
      .replaceAll('$__rate_interval', '1m')
      .replaceAll(/"\$\w+"/g, '".*"'),
  }));
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
  t.is(status, 0, `${stdout}${stderr}`);
  t.true(rules.length > 10);
});
