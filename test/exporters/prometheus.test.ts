import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type OpenMetricsContentType, Registry } from 'prom-client';
import { InMemCache, InMemoryMetrics, InstrumentedStorage, cache } from '../../dist/index.js';
import { PrometheusMetrics } from '../../dist/exporters/index.js';
import { spawnNode, tempDir, until } from '../support/process.js';
import { root } from '../support/root.js';
import { noPrometheus, prometheus, promtool, seriesIn, serve, valueIn } from './support.js';

const withPrometheus = noPrometheus === undefined ? test : test.skip;
if (noPrometheus !== undefined) console.warn(noPrometheus);

/** Everything that there is to tell, once. */
function record(metrics: PrometheusMetrics): void {
  const store = new InstrumentedStorage(new InMemCache({ maxBytes: 1_000_000 }), metrics, 'L1:memory');
  const load = cache(60, { key: 'user:{}', metrics, store, name: 'get "User"\\\n' })((id: number) => {
    if (id > 3) throw new RangeError('no such user');
    return id;
  });
  for (let i = 0; i < 20; i++) load(i % 3);
  try {
    load(4);
  } catch {
    // The error is one of the figures.
  }
  load.invalidate(1);
  metrics.recordBackgroundRefresh('flags', { success: true, durationSeconds: 0.012 });
  metrics.recordBackgroundRefresh('flags', { success: false, durationSeconds: 0.3 });
}

test('the figures are there, under the documented names', async (t) => {
  const { metrics, registry } = prometheus({ namespace: 'myapp', subsystem: 'cache' });
  record(metrics);
  const text = await registry.metrics();
  const expected = {
    'myapp_cache_lookups_total{cache="L1:memory",result="hit"}': 17,
    'myapp_cache_lookups_total{cache="L1:memory",result="miss"}': 4,
    'myapp_cache_operations_total{cache="L1:memory",op="set"}': 3,
    'myapp_cache_operations_total{cache="L1:memory",op="delete"}': 1,
    'myapp_cache_lookups_total{cache="get \\"User\\"\\\\\\n",result="hit"}': 17,
    'myapp_cache_errors_total{cache="get \\"User\\"\\\\\\n",op="load",error_type="RangeError"}': 1,
    'myapp_cache_refreshes_total{cache="flags",result="success"}': 1,
    'myapp_cache_refreshes_total{cache="flags",result="failure"}': 1,
    'myapp_cache_memory_entries{cache="L1:memory"}': 2,
    'myapp_cache_operation_duration_seconds_bucket{le="0.01",cache="flags",op="refresh"}': 0,
    'myapp_cache_operation_duration_seconds_bucket{le="0.025",cache="flags",op="refresh"}': 1,
    'myapp_cache_operation_duration_seconds_bucket{le="+Inf",cache="flags",op="refresh"}': 2,
    'myapp_cache_operation_duration_seconds_count{cache="flags",op="refresh"}': 2,
  };
  for (const [series, value] of Object.entries(expected)) t.is(valueIn(text, series), value, series);
  const sum = valueIn(text, 'myapp_cache_operation_duration_seconds_sum{cache="flags",op="refresh"}') ?? 0;
  t.true(Math.abs(sum - 0.312) < 0.003);
  t.true((valueIn(text, 'myapp_cache_memory_bytes{cache="L1:memory"}') ?? 0) > 100);
  t.is(await registry.metrics(), text, 'a scrape changes nothing');
});

test('only the documented names and labels are there', async (t) => {
  const { metrics, registry } = prometheus();
  record(metrics);
  const series = seriesIn(await registry.metrics());
  const names = new Set(series.map((one) => one.replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, '')));
  t.deepEqual([...names].sort(), [
    'advanced_caching_errors_total',
    'advanced_caching_lookups_total',
    'advanced_caching_memory_bytes',
    'advanced_caching_memory_entries',
    'advanced_caching_operation_duration_seconds',
    'advanced_caching_operations_total',
    'advanced_caching_refreshes_total',
  ]);
  const labels = new Set(series.flatMap((one) => [...one.matchAll(/[{,](\w+)="/g)].map((match) => match[1] as string)));
  t.deepEqual([...labels].sort(), ['cache', 'error_type', 'le', 'op', 'result']);
});

withPrometheus('promtool accepts the text, before and after there is something to tell', async (t) => {
  const { metrics, registry } = prometheus();
  t.is(promtool(await registry.metrics()), '');
  record(metrics);
  t.is(promtool(await registry.metrics()), '');
  t.regex(promtool('# TYPE a-b counter\na-b 1\n'), /exit code/, 'a wrong text is found');
});

test('a registry of OpenMetrics gets its own spelling', async (t) => {
  const registry = new Registry();
  (registry as unknown as Registry<OpenMetricsContentType>).setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const { metrics } = prometheus({ registry });
  record(metrics);
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = await registry.metrics();
    t.true(text.includes('# TYPE advanced_caching_lookups counter\nadvanced_caching_lookups_total{'));
    t.true(text.endsWith('# EOF\n'));
  }
});

withPrometheus('a real Prometheus scrapes it, and computes hit rate and quantiles from it', async (t) => {
  const { metrics, registry } = prometheus({ namespace: 'shop' });
  for (let i = 0; i < 75; i++) metrics.recordHit('getUser');
  for (let i = 0; i < 25; i++) metrics.recordMiss('getUser');
  for (let i = 0; i < 100; i++) metrics.recordLatency('getUser', { operation: 'load', durationSeconds: 0.02 });
  const target = await serve(t, () => registry.metrics());
  const folder = tempDir(t);
  const config = { scrape_configs: [{ job_name: 'test', scrape_interval: '200ms', static_configs: [{ targets: [target] }] }] };
  // JSON is YAML.
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const child = spawn(
    'prometheus',
    [`--config.file=${folder}/config.yml`, `--storage.tsdb.path=${folder}/data`, '--web.listen-address=127.0.0.1:0', '--log.level=info'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const api = await until(() => /msg="Listening on" address=(\S+)/.exec(log)?.[1], {
    what: `Prometheus listens (${log})`,
    deadline: 60_000,
  });
  const query = async (expression: string): Promise<number | undefined> => {
    const response = await fetch(`http://${api}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { data } = (await response.json()) as { data?: { result: { value: [number, string] }[] } };
    const value = data?.result[0]?.value[1];
    return value === undefined ? undefined : Number(value);
  };
  const rate = 'sum(shop_lookups_total{result="hit"}) / sum(shop_lookups_total)';
  t.is(await until(() => query(rate), { what: 'a scrape', deadline: 60_000 }), 0.75);
  const quantile = (await query('histogram_quantile(0.5, shop_operation_duration_seconds_bucket{op="load"})')) ?? 0;
  t.true(quantile > 0.01 && quantile <= 0.025);
  t.is(await query('up'), 1);
});

test.serial('a cluster is added up by the registry of prom-client, its threads by the library', async (t) => {
  const child = spawnNode(t, new URL('./fixtures/cluster.js', import.meta.url));
  const { text } = await child.message<{ text: string }>(undefined, 20_000);
  t.is(valueIn(text, 'shop_lookups_total{cache="getUser",result="hit"}'), 2 * 2 * 1000);
  t.is(valueIn(text, 'shop_lookups_total{cache="getUser",result="miss"}'), 2 * 2);
  t.is(valueIn(text, 'shop_operation_duration_seconds_count{cache="getUser",op="load"}'), 4);
  t.is(valueIn(text, 'shop_memory_entries{cache="getUser"}'), 4);
  if (noPrometheus === undefined) t.is(promtool(text), '');
  t.is((await child.exited).code, 0, child.stderr());
});

test.serial('a million keys make no more series than one, and names have a bound', async (t) => {
  const { metrics, registry } = prometheus();
  const load = cache(60, { key: 'user:{}', metrics, name: 'getUser', store: new InMemCache({ maxEntries: 1000 }) })((id: number) => id);
  load(0);
  load(0);
  const series = seriesIn(await registry.metrics());
  for (let id = 0; id < 1_000_000; id++) load(id);
  t.deepEqual(seriesIn(await registry.metrics()), series);

  for (let i = 0; i < 100_000; i++) {
    metrics.recordHit(`name ${i}`);
    metrics.recordError('getUser', { operation: `operation${i}`, errorType: `Type${i}` });
    metrics.recordLatency('getUser', { operation: `operation${i}`, durationSeconds: 1 });
  }
  const all = seriesIn(await registry.metrics());
  const valuesOf = (label: string): Set<string> => new Set(all.flatMap((one) => new RegExp(`\\b${label}="([^"]*)"`).exec(one)?.[1] ?? []));
  t.is(valuesOf('cache').size, 100 + 1);
  // Beside the bounded ones and other: set and delete, which are always there.
  t.true(valuesOf('op').size <= 16 + 1 + 2, [...valuesOf('op')].join(' '));
  t.is(valuesOf('error_type').size, 24 + 1);
  t.is(valueIn(await registry.metrics(), 'advanced_caching_lookups_total{cache="other",result="hit"}'), 100_000 - 99);
});

test('exporters and an InMemoryMetrics of one name tell of the same counts', async (t) => {
  const { registry } = prometheus({ name: 'together' });
  const metrics = new InMemoryMetrics({ name: 'together' });
  metrics.recordHit('x');
  t.is(valueIn(await registry.metrics(), 'advanced_caching_lookups_total{cache="x",result="hit"}'), 1);
});

test('options that can not be meant throw', (t) => {
  const make = (options: object): PrometheusMetrics => new PrometheusMetrics({ registry: new Registry(), ...options });
  t.throws(() => make({ namespace: 'my-app' }), { instanceOf: TypeError, message: /`namespace` to be letters/ });
  t.throws(() => make({ subsystem: '' }), { instanceOf: TypeError, message: /`subsystem`/ });
  t.throws(() => make({ buckets: [] }), { instanceOf: TypeError });
  t.throws(() => make({ buckets: [2, 1] }), { instanceOf: RangeError, message: /rising .* got 1 at 1/ });
  t.throws(() => make({ registry: {} }), { instanceOf: TypeError, message: /`registry` to be a Registry/ });
  t.throws(() => make({ prefix: 'x' }), { instanceOf: TypeError, message: /'prefix'/ });
  const registry = new Registry();
  new PrometheusMetrics({ registry });
  t.throws(() => new PrometheusMetrics({ registry }), { instanceOf: TypeError, message: /advanced_caching_lookups_total.*`namespace`/ });
});

test('without their packages the constructors say what to install', async (t) => {
  const folder = tempDir(t);
  cpSync(join(root, 'dist'), join(folder, 'library/dist'), { recursive: true });
  writeFileSync(join(folder, 'library/package.json'), '{"type":"module"}');
  writeFileSync(
    join(folder, 'main.mjs'),
    `import * as exporters from './library/dist/exporters/index.js';
    const errors = ['PrometheusMetrics', 'OpenTelemetryMetrics', 'GCPCloudMonitoringMetrics'].map((name) => {
      try { new exporters[name](); } catch ({ name, code, message }) { return { name, code, message }; }
    });
    console.log(JSON.stringify(errors));`,
  );
  const errors = await spawnNode(t, join(folder, 'main.mjs')).message<{ name: string; code: string; message: string }[]>();
  for (const [i, name] of ['prom-client', '@opentelemetry/api', '@google-cloud/monitoring'].entries()) {
    t.like(errors[i], { name: 'MissingDependencyError', code: 'ERR_MISSING_DEPENDENCY' });
    t.true(errors[i]?.message.endsWith(`npm install ${name}`));
  }
});
