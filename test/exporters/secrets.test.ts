/** A secret in keys, values and addresses appears in nothing that the library tells of itself. */
import diagnostics from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import test from 'ava';
import {
  ChainCache,
  InMemCache,
  InMemoryMetrics,
  InstrumentedStorage,
  type MetricsCollector,
  RedisCache,
  bg,
  cache,
  health,
} from '../../dist/index.js';
import { GCPCloudMonitoringMetrics, OpenTelemetryMetrics, PrometheusMetrics } from '../../dist/exporters/index.js';
import { until } from '../support/process.js';
import { noRedis, startRedis } from '../support/redis.js';
import { startMonitoring } from './gcp-server.js';

const SECRET = 'k4nari3nvogel';

/** Everything that an object holds, also what JSON leaves out: messages, stacks, causes. */
function everything(value: unknown): string {
  return inspect(value, { depth: 20, showHidden: true, maxArrayLength: null, maxStringLength: null }) + JSON.stringify(value);
}

const withRedis = noRedis === undefined ? test : test.skip;

withRedis('a planted secret is in no metric, span, event, error, status or warning', async (t) => {
  const warnings: Error[] = [];
  const heard: unknown[] = [];
  const errors: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  const onEvent = (event: unknown): void => void heard.push(event);
  process.on('warning', onWarning);
  const channels = ['load', 'hit', 'miss', 'publish', 'takeover', 'error'].map((name) => `advanced-caching:${name}`);
  for (const name of channels) diagnostics.subscribe(name, onEvent);
  t.teardown(() => {
    process.off('warning', onWarning);
    for (const name of channels) diagnostics.unsubscribe(name, onEvent);
  });

  const registry = new Registry();
  const exported = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meterProvider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: exported, exportIntervalMillis: 3_600_000 })],
  });
  const spans = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const monitoring = await startMonitoring(t);
  const collectors = [
    new InMemoryMetrics({ name: 'secrets' }),
    new PrometheusMetrics({ registry, name: 'secrets:prometheus' }),
    new OpenTelemetryMetrics({ meterProvider, tracerProvider, name: 'secrets:opentelemetry' }),
    new GCPCloudMonitoringMetrics({ client: monitoring.client, name: 'secrets:gcp' }),
  ] as const;

  const redis = await startRedis(t, ['--requirepass', SECRET]);
  const client = redis.client({ password: SECRET, enableOfflineQueue: true });
  const unreachable = new Redis(`redis://user:${SECRET}@127.0.0.1:1`, {
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    lazyConnect: true,
  });
  unreachable.on('error', () => undefined);
  t.teardown(() => unreachable.disconnect());
  await client.lpush(`v1:list:${SECRET}`, SECRET);
  await client.set(`v1:foreign:${SECRET}`, SECRET);

  for (const metrics of collectors as readonly MetricsCollector[]) {
    // The errors of the first are process warnings.
    const onError = metrics === collectors[0] ? undefined : (error: Error): void => void errors.push(error);
    const over = { metrics, name: 'getUser', ...(onError && { onError }) };
    const user = cache(60, { key: 'user:{}', ...over })((id: string) => ({ id, token: SECRET }));
    user(SECRET);
    user(SECRET);
    user.invalidate(SECRET);

    const store = new RedisCache(client, { prefix: 'v1:' });
    const chain = ChainCache.build(
      new InstrumentedStorage(new InMemCache(), metrics, 'L1'),
      new InstrumentedStorage(store, metrics, 'L2'),
      { metrics, ...(onError && { onError }) },
    );
    for (const kind of ['list', 'foreign']) {
      const load = cache(60, { key: `${kind}:{}`, ...over, store: chain })(async (id: string) => ({ token: id }));
      await load(SECRET);
      await load(SECRET);
    }
    // What JSON can't hold, over a store that has bytes.
    await cache(60, { key: 'big:{}', ...over, store })(async (id: string) => ({ id, n: 1n }))(SECRET);
    // A store that can't be reached.
    await cache(60, { key: 'far:{}', ...over, store: new RedisCache(unreachable, { prefix: 'v1:' }) })(async (id: string) => id)(SECRET);
    // An error that calls itself by a secret: metrics know it by its class alone.
    const odd = Object.assign(new Error('odd'), { name: `Odd ${SECRET}`, code: `no ${SECRET}` });
    const failing = cache(60, { key: 'odd:{}', ...over, onError: () => undefined })((id: string): string => {
      if (id.length > 0) throw odd;
      return id;
    });
    t.throws(() => failing(SECRET));
    for (const wrong of [undefined, `${SECRET}${'x'.repeat(70_000)}`, `${SECRET}\ud800`, { [SECRET]: SECRET }]) {
      const error = t.throws(() => user(wrong as string));
      errors.push(error);
    }
    const flags = bg(3600, { key: 'secrets:flags', metrics, onError })(async () => ({ token: SECRET }));
    await flags();
    await flags.stop();
    const rates = bg.write(3600, { key: 'secrets:rates', metrics, onError, ref: false, maxBytes: 10 })(async () => ({ token: SECRET }));
    await t.throwsAsync(rates.ready('50ms'));
    heard.push(health());
    await rates.stop();
  }

  await meterProvider.forceFlush();
  await collectors[3].shutdown();
  await until(() => monitoring.requests.length > 0, { what: 'a request to Cloud Monitoring' });
  const told = {
    stats: [collectors[0].getStats(), collectors[0].getThreadStats()],
    prometheus: await registry.metrics(),
    openTelemetry: exported.getMetrics(),
    spans: spans
      .getFinishedSpans()
      .map(({ name, attributes, status, events, resource }) => ({ name, attributes, status, events, resource })),
    googleCloud: monitoring.requests,
    events: heard,
    warnings,
    errors,
  };
  for (const [what, all] of Object.entries(told)) {
    const text = everything(all);
    t.true(text.length > 2, `${what} has something to tell`);
    const at = text.indexOf(SECRET);
    t.is(at, -1, `${what}: …${text.slice(Math.max(0, at - 300), at + 50)}`);
  }
  t.true(everything([new Error(SECRET)]).includes(SECRET), 'one that is there is found');
  t.true(errors.length > 10 && warnings.length > 2 && heard.length > 20, `${errors.length} ${warnings.length} ${heard.length}`);
  collectors[2].shutdown();
  await Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()]);
});
