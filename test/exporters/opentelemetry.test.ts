import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { metrics as globalMetrics, context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import test from 'ava';
import { InMemCache, bg, cache } from '../../dist/index.js';
import { OpenTelemetryMetrics, type OpenTelemetryMetricsOptions } from '../../dist/exporters/index.js';
import { AsyncStore } from '../helpers/async-store.js';
import { type Scope, until } from '../support/process.js';
import { decodeMetrics, pointsOf } from './otlp.js';
import { serve } from './support.js';

function providerFor(t: Scope, exporter: PushMetricExporter): MeterProvider {
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })] });
  t.teardown(() => provider.shutdown());
  return provider;
}

let collectors = 0;

/** A collector on an SDK that exports into memory; `read` collects once and answers the values, or the counts of histograms. */
function inMemory(t: Scope, options: OpenTelemetryMetricsOptions = {}) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meterProvider = providerFor(t, exporter);
  const metrics = new OpenTelemetryMetrics({ meterProvider, name: `test ${++collectors}`, tracing: false, ...options });
  t.teardown(() => metrics.shutdown());
  const collect = async () => {
    exporter.reset();
    await meterProvider.forceFlush();
    return exporter.getMetrics()[0]?.scopeMetrics[0];
  };
  const read = async (): Promise<Record<string, number>> => {
    const points: Record<string, number> = {};
    for (const metric of (await collect())?.metrics ?? []) {
      for (const { attributes, value } of metric.dataPoints as { attributes: object; value: number | { count: number } }[]) {
        const label = Object.entries(attributes).map(([name, one]) => `${name}=${one as string}`);
        points[`${metric.descriptor.name}{${label.join(',')}}`] = typeof value === 'number' ? value : value.count;
      }
    }
    return points;
  };
  return { metrics, collect, read, meterProvider };
}

function record(metrics: OpenTelemetryMetrics): void {
  const load = cache(60, { key: 'user:{}', metrics, name: 'getUser' })((id: number) => {
    if (id > 3) throw new RangeError('no such user');
    return id;
  });
  for (let i = 0; i < 20; i++) load(i % 3);
  attempt(() => load(4));
  load.invalidate(1);
  metrics.recordMemoryUsage('getUser', { bytesUsed: 4096 });
  metrics.recordBackgroundRefresh('flags', { success: true, durationSeconds: 0.012 });
}

function attempt(run: () => unknown): void {
  try {
    run();
  } catch {
    // The error is one of the figures.
  }
}

const EXPECTED: Readonly<Record<string, number>> = {
  'cache.lookups{cache.name=getUser,cache.result=hit}': 17,
  'cache.lookups{cache.name=getUser,cache.result=miss}': 4,
  'cache.operations{cache.name=getUser,cache.operation=set}': 3,
  'cache.operations{cache.name=getUser,cache.operation=delete}': 1,
  'cache.errors{cache.name=getUser,cache.operation=load,error.type=RangeError}': 1,
  'cache.refreshes{cache.name=flags,cache.result=success}': 1,
  'cache.operation.duration{cache.name=getUser,cache.operation=get}': 21,
  'cache.operation.duration{cache.name=getUser,cache.operation=load}': 4,
  'cache.operation.duration{cache.name=flags,cache.operation=refresh}': 1,
  'cache.memory.usage{cache.name=getUser}': 4096,
  'cache.memory.entries{cache.name=getUser}': 3,
};

test('the SDK collects the figures, under the documented names and units', async (t) => {
  const { metrics, read, collect } = inMemory(t, { meterName: 'myapp.cache' });
  record(metrics);
  t.like(await read(), EXPECTED);
  t.like(await read(), EXPECTED, 'nothing is told twice');
  metrics.recordHit('getUser');
  t.is((await read())['cache.lookups{cache.name=getUser,cache.result=hit}'], 18);
  const scope = await collect();
  t.is(scope?.scope.name, 'myapp.cache');
  t.deepEqual(Object.fromEntries((scope?.metrics ?? []).map(({ descriptor }) => [descriptor.name, descriptor.unit])), {
    'cache.lookups': '{lookup}',
    'cache.operations': '{operation}',
    'cache.errors': '{error}',
    'cache.refreshes': '{refresh}',
    'cache.operation.duration': 's',
    'cache.memory.usage': 'By',
    'cache.memory.entries': '{entry}',
  });
  const duration = scope?.metrics.find(({ descriptor }) => descriptor.name === 'cache.operation.duration');
  t.is(duration?.dataPointType, DataPointType.HISTOGRAM);
  const refresh = duration?.dataPoints.find(({ attributes }) => attributes['cache.operation'] === 'refresh')?.value as { sum: number };
  t.true(Math.abs(refresh.sum - 0.012) < 0.0001);
});

test('many durations are thinned evenly; one collection records no more than a thousand of an operation', async (t) => {
  const { metrics, collect } = inMemory(t);
  for (let i = 0; i < 50_000; i++) metrics.recordLatency('x', { operation: 'get', durationSeconds: i % 10 === 0 ? 0.3 : 0.002 });
  const histogram = (await collect())?.metrics.find(({ descriptor }) => descriptor.name === 'cache.operation.duration');
  const value = histogram?.dataPoints[0]?.value as { count: number; sum: number };
  t.is(value.count, 1000);
  t.true(Math.abs(value.sum / value.count - (0.1 * 0.3 + 0.9 * 0.002)) < 0.001);
});

test('threads without an SDK are told of by the one that has it', async (t) => {
  const { read } = inMemory(t, { name: 'one SDK' });
  const worker = new Worker(new URL('../metrics/fixtures/counter.js', import.meta.url), { workerData: { name: 'one SDK' } });
  t.teardown(() => worker.terminate());
  await once(worker, 'message');
  worker.postMessage({ hits: 1000 });
  await once(worker, 'message');
  const points = await read();
  t.is(points['cache.lookups{cache.name=getUser,cache.result=hit}'], 1000);
  t.is(points['cache.operation.duration{cache.name=getUser,cache.operation=work}'], 100);
});

test('of several threads with an SDK one reports; when it ends, the next goes on, and nothing is told twice', async (t) => {
  const { metrics, read } = inMemory(t, { name: 'two SDKs' });
  const worker = new Worker(new URL('./fixtures/sdk-thread.js', import.meta.url), { workerData: { name: 'two SDKs' } });
  t.teardown(() => worker.terminate());
  await once(worker, 'message');
  const ask = async (hits: number): Promise<number> => {
    worker.postMessage({ hits });
    return ((await once(worker, 'message')) as [{ hits: number }])[0].hits;
  };
  const mine = async (): Promise<number> => (await read())['cache.lookups{cache.name=getUser,cache.result=hit}'] ?? 0;
  metrics.recordHit('getUser');
  t.is(await mine(), 1);
  t.is(await ask(10), 0, 'this thread reports, so the other does not');
  t.is(await mine(), 11);
  metrics.shutdown();
  t.is(await ask(5), 5);
  metrics.recordHit('getUser');
  t.is(await ask(0), 6);
});

test('the OTLP exporter of the SDK brings them to a receiver, as protobuf', async (t) => {
  const bodies: Buffer[] = [];
  const address = await serve(t, (path, body, type) => {
    if (path === '/v1/metrics' && type === 'application/x-protobuf') bodies.push(body);
    return '';
  });
  const meterProvider = providerFor(t, new OTLPMetricExporter({ url: `http://${address}/v1/metrics` }));
  const metrics = new OpenTelemetryMetrics({ meterProvider, name: 'otlp', tracing: false });
  t.teardown(() => metrics.shutdown());
  record(metrics);
  await meterProvider.forceFlush();
  t.is(bodies.length, 1);
  const [scope] = decodeMetrics(bodies[0] as Buffer).resourceMetrics[0]?.scopeMetrics ?? [];
  t.is(scope?.scope.name, 'advanced-caching');
  t.like(pointsOf(scope?.metrics ?? []), EXPECTED);
  for (const { sum } of scope?.metrics ?? []) if (sum) t.true(sum.isMonotonic);
});

/** A tracer whose spans are kept. */
function traced(t: Scope): { tracerProvider: BasicTracerProvider; spans: () => ReadableSpan[] } {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  t.teardown(() => tracerProvider.shutdown());
  return { tracerProvider, spans: () => exporter.getFinishedSpans() };
}

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

for (const [kind, store] of [
  ['in memory', () => new InMemCache()],
  ['an asynchronous store', () => new AsyncStore()],
] as const) {
  test(`a span for each load, between the caller's and those of the load: ${kind}`, async (t) => {
    const { tracerProvider, spans } = traced(t);
    const tracer = tracerProvider.getTracer('test');
    const { metrics } = inMemory(t, { tracing: true, tracerProvider });
    const load = cache(60, { key: 'user:{}', metrics, name: 'getUser', store: store() })(async (id: number) => {
      const inside = tracer.startSpan('query');
      await new Promise((resolve) => setImmediate(resolve));
      inside.end();
      if (id === 2) throw new RangeError('secret user');
      return id;
    });
    await tracer.startActiveSpan('request', async (span) => {
      await Promise.all([load(1), load(1), load(1)]);
      await load(1);
      await t.throwsAsync(async () => load(2));
      span.end();
    });
    const byName = (name: string): ReadableSpan[] => spans().filter((span) => span.name === name);
    const [request] = byName('request');
    const loads = byName('cache.load');
    t.is(loads.length, 2);
    for (const [i, one] of loads.entries()) {
      t.is(one.parentSpanContext?.spanId, request?.spanContext().spanId);
      t.is(one.attributes['cache.name'], 'getUser');
      t.is(byName('query')[i]?.parentSpanContext?.spanId, one.spanContext().spanId);
    }
    t.is(loads[0]?.status.code, 0);
    t.like(loads[1], { status: { code: 2 }, attributes: { 'error.type': 'RangeError' } });
    t.deepEqual(loads[1]?.events, []);
    t.is(loads[1]?.status.message, undefined);
  });
}

test('a span for the load of a synchronous function, and for each run of bg and bg.write', async (t) => {
  const { tracerProvider, spans } = traced(t);
  const { metrics } = inMemory(t, { tracing: true, tracerProvider });
  const load = cache(60, { key: 'a', metrics, name: 'sync' })(() => 1);
  t.is(load() + load(), 2);
  const flags = bg(3600, { key: 'spans:flags', metrics, name: 'flags' })(async () => true);
  await flags();
  const rates = bg.write(3600, { key: 'spans:rates', metrics, name: 'rates', ref: false })(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return 1;
  });
  await rates.ready();
  await until(() => spans().length === 3, { what: 'three spans' });
  t.deepEqual(
    spans()
      .map((span) => `${span.name} ${span.attributes['cache.name'] as string}`)
      .sort(),
    ['cache.load flags', 'cache.load rates', 'cache.load sync'],
  );
  const [seconds = 0, nanos = 0] = spans().find((span) => span.attributes['cache.name'] === 'rates')?.duration ?? [];
  t.true(seconds + nanos / 1e9 > 0.015);
  await rates.stop();
  await flags.stop();
});

test('a run of bg and bg.write contains what its loader does; one that fails names its error, wherever it ran', async (t) => {
  const { tracerProvider, spans } = traced(t);
  const tracer = tracerProvider.getTracer('test');
  const { metrics } = inMemory(t, { tracing: true, tracerProvider });
  // None of these keeps a process alive.
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => clearInterval(alive));
  let fails = false;
  const loader = async (): Promise<number> => {
    tracer.startSpan('query').end();
    if (fails) throw new RangeError('secret');
    return 1;
  };
  const options = { metrics, onError() {} };
  const flags = bg(3600, { ...options, key: 'inside:flags', name: 'flags' })(loader);
  const rates = bg.write(3600, { ...options, key: 'inside:rates', name: 'rates', ref: false })(loader);
  const records = bg.write(3600, { ...options, key: 'inside:records', name: 'records', ref: false, keyed: true })(async function* () {
    yield ['a', await loader()] as const;
  });
  const slow = bg.write(3600, { ...options, key: 'inside:slow', name: 'slow', ref: false, timeout: '10ms', runImmediately: false })(
    () => new Promise<number>(() => {}),
  );
  const module = bg.write(3600, {
    ...options,
    key: 'inside:module',
    name: 'module',
    ref: false,
    runImmediately: false,
    loader: new URL('./fixtures/failing-loader.js', import.meta.url),
  });
  await Promise.all([flags(), rates.ready(), records.ready()]);
  fails = true;
  for (const { refresh } of [flags, rates, records, slow, module]) await t.throwsAsync(refresh());
  // A mirror's look into a store is no load.
  const store = new InMemCache();
  store.set('inside:polled', 1, 60);
  const mirror = bg.read('inside:polled', { store, metrics });
  await mirror.ready();

  for (const name of ['flags', 'rates', 'records']) {
    const [good, bad] = spans().filter((span) => span.attributes['cache.name'] === name);
    t.is(good?.status.code, 0, name);
    t.like(bad, { name: 'cache.load', status: { code: 2 }, attributes: { 'error.type': 'RangeError' } });
    const children = spans().filter((span) => span.name === 'query' && span.parentSpanContext?.spanId === good?.spanContext().spanId);
    t.is(children.length, 1, `the query of ${name}`);
  }
  const failed = (name: string): ReadableSpan[] => spans().filter((span) => span.attributes['cache.name'] === name);
  t.is(failed('slow').length, 1);
  t.like(failed('slow')[0], { status: { code: 2 }, attributes: { 'error.type': 'TimeoutError' } });
  t.is(failed('module').length, 1);
  t.like(failed('module')[0], { status: { code: 2 }, attributes: { 'error.type': 'RangeError' } });
  t.is(spans().filter((span) => span.name === 'cache.load').length, 8, 'and no other');
  mirror.close();
  await Promise.all([flags, rates, records, slow, module].map((one) => one.stop()));
});

test('a stale refresh is one span', async (t) => {
  const { tracerProvider, spans } = traced(t);
  const { metrics } = inMemory(t, { tracing: true, tracerProvider });
  const load = cache('1ms', { key: 'a', stale: 60, metrics, name: 'swr' })(() => 1);
  load();
  await until(
    () => {
      load();
      return refreshesOf(metrics) > 0;
    },
    { what: 'a refresh' },
  );
  const refreshes = refreshesOf(metrics);
  t.is(spans().length, 1 + refreshes);
});

function refreshesOf(metrics: OpenTelemetryMetrics): number {
  return (metrics as unknown as { totals(): Map<string, { counts: { refreshes: number } }> }).totals().get('swr')?.counts.refreshes ?? 0;
}

test('the global providers are the default', async (t) => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meterProvider = providerFor(t, exporter);
  const received: string[] = [];
  const address = await serve(t, (path, body) => {
    if (path === '/v1/traces') received.push(body.toString());
    return '{}';
  });
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter({ url: `http://${address}/v1/traces` }))],
  });
  globalMetrics.setGlobalMeterProvider(meterProvider);
  trace.setGlobalTracerProvider(tracerProvider);
  t.teardown(() => {
    globalMetrics.disable();
    trace.disable();
  });
  const metrics = new OpenTelemetryMetrics();
  t.teardown(() => metrics.shutdown());
  cache(60, { key: 'a', metrics, name: 'global' })(() => 1)();
  await meterProvider.forceFlush();
  t.true(exporter.getMetrics().length > 0);
  await tracerProvider.forceFlush();
  const { resourceSpans } = JSON.parse(received[0] ?? '{}') as { resourceSpans?: { scopeSpans: { spans: { name: string }[] }[] }[] };
  t.is(resourceSpans?.[0]?.scopeSpans[0]?.spans[0]?.name, 'cache.load');
  await tracerProvider.shutdown();
});

test('without an SDK nothing happens, and nothing fails', (t) => {
  const metrics = new OpenTelemetryMetrics({ name: 'no SDK' });
  const load = cache(60, { key: 'a', metrics })(() => 1);
  t.is(load() + load(), 2);
});

test('options that can not be meant throw', (t) => {
  const make = (options: object): OpenTelemetryMetrics => new OpenTelemetryMetrics({ name: 'wrong', ...options });
  t.throws(() => make({ meterName: '' }), { instanceOf: TypeError, message: /`meterName`/ });
  t.throws(() => make({ meter: {} }), { instanceOf: TypeError, message: /`meter` to be a Meter/ });
  t.throws(() => make({ meterProvider: {} }), { instanceOf: TypeError, message: /a MeterProvider/ });
  t.throws(() => make({ tracer: {} }), { instanceOf: TypeError, message: /`tracer` to be a Tracer/ });
  t.throws(() => make({ tracerProvider: 1 }), { instanceOf: TypeError, message: /a TracerProvider/ });
  t.throws(() => make({ tracing: 'yes' }), { instanceOf: TypeError, message: /`tracing`/ });
  t.throws(() => make({ meters: 1 }), { instanceOf: TypeError, message: /'meters'/ });
  const first = new OpenTelemetryMetrics({ name: 'twice' });
  t.throws(() => new OpenTelemetryMetrics({ name: 'twice' }), { instanceOf: TypeError, message: /one OpenTelemetryMetrics/ });
  first.shutdown();
  t.notThrows(() => new OpenTelemetryMetrics({ name: 'twice' }).shutdown());
});
