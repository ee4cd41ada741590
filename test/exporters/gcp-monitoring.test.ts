import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { cache } from '../../dist/index.js';
import { GCPCloudMonitoringMetrics, type GCPCloudMonitoringMetricsOptions } from '../../dist/exporters/index.js';
import { type FakeClock, fakeClock } from '../../dist/testing/index.js';
import { type Scope, spawnNode, until } from '../support/process.js';
import { type Monitoring, type WireSeries, startMonitoring } from './gcp-server.js';

let collectors = 0;

interface Setup extends Monitoring {
  readonly metrics: GCPCloudMonitoringMetrics;
  readonly clock: FakeClock;
  readonly errors: Error[];
  /** Lets time pass, and waits for the sendings that it brings about. */
  pass(seconds: number, requests: number): Promise<void>;
}

async function start(t: Scope, options: GCPCloudMonitoringMetricsOptions = {}): Promise<Setup> {
  const monitoring = await startMonitoring(t);
  // The counts are of this process's time: the clock begins after them.
  const clock = fakeClock(Date.now() + 10_000);
  const errors: Error[] = [];
  const metrics = new GCPCloudMonitoringMetrics({
    client: monitoring.client,
    clock,
    name: `test ${++collectors}`,
    onError: (error) => errors.push(error),
    ...options,
  });
  const pass = async (seconds: number, requests: number): Promise<void> => {
    const before = monitoring.requests.length;
    clock.advance(seconds * 1000);
    await until(() => monitoring.requests.length >= before + requests, { what: `${requests} requests` });
    // What follows a sending follows its answer.
    await until(() => clock.timers > 0, { what: 'the next timer' });
  };
  return Object.assign(monitoring, { metrics, clock, errors, pass });
}

function find(series: readonly WireSeries[], type: string, labels: Readonly<Record<string, string>>): WireSeries | undefined {
  return series.find(
    ({ metric }) =>
      metric.type === `custom.googleapis.com/advanced_caching/${type}` && JSON.stringify(metric.labels) === JSON.stringify(labels),
  );
}

const moment = ({ seconds, nanos }: { seconds: string; nanos: number }): number => Number(seconds) * 1000 + nanos / 1e6;

test('what is sent is what Cloud Monitoring reads: real protobuf, over gRPC', async (t) => {
  const { metrics, requests, pass, clock } = await start(t);
  const load = cache(60, { key: 'user:{}', metrics, name: 'getUser' })((id: number) => id);
  for (let i = 0; i < 20; i++) load(i % 3);
  for (let i = 0; i < 10; i++) metrics.recordLatency('getUser', { operation: 'query', durationSeconds: i < 5 ? 0.02 : 0.04 });
  metrics.recordError('getUser', { operation: 'load', errorType: 'RangeError' });
  metrics.recordBackgroundRefresh('flags', { success: false });
  metrics.recordMemoryUsage('getUser', { bytesUsed: 4096 });
  await pass(60, 1);

  const [request] = requests;
  t.is(request?.name, 'projects/test-project');
  const series = request?.timeSeries ?? [];
  const count = (type: string, labels: Record<string, string>): string | undefined =>
    find(series, type, labels)?.points[0]?.value.int64Value;
  t.is(count('lookups', { cache: 'getUser', result: 'hit' }), '17');
  t.is(count('lookups', { cache: 'getUser', result: 'miss' }), '3');
  t.is(count('operations', { cache: 'getUser', op: 'set' }), '3');
  t.is(count('errors', { cache: 'getUser', op: 'load', error_type: 'RangeError' }), '1');
  t.is(count('refreshes', { cache: 'flags', result: 'failure' }), '1');
  t.is(count('memory/bytes', { cache: 'getUser' }), '4096');
  t.is(count('memory/entries', { cache: 'getUser' }), '3');

  const lookups = find(series, 'lookups', { cache: 'getUser', result: 'hit' });
  t.like(lookups, { metricKind: 'CUMULATIVE', valueType: 'INT64', unit: '1' });
  t.is(lookups?.resource.type, 'generic_task');
  t.deepEqual(Object.keys(lookups?.resource.labels ?? {}).sort(), ['job', 'location', 'namespace', 'project_id', 'task_id']);
  t.true(lookups?.resource.labels['task_id']?.endsWith(`:${process.pid}`));
  const { startTime, endTime } = lookups?.points[0]?.interval ?? {};
  t.is(endTime && moment(endTime), clock.wall());
  t.true(startTime && moment(startTime) <= Date.now());
  const memory = find(series, 'memory/bytes', { cache: 'getUser' });
  t.like(memory, { metricKind: 'GAUGE', unit: 'By' });
  t.is(memory?.points[0]?.interval.startTime, null);

  const query = find(series, 'operation_duration', { cache: 'getUser', op: 'query' });
  t.like(query, { metricKind: 'CUMULATIVE', valueType: 'DISTRIBUTION', unit: 's' });
  const distribution = query?.points[0]?.value.distributionValue;
  t.is(distribution?.count, '10');
  t.true(Math.abs((distribution?.mean ?? 0) - 0.03) < 0.0003);
  t.true(Math.abs((distribution?.sumOfSquaredDeviation ?? 0) - 10 * 0.01 ** 2) < 0.0001);
  const { bounds } = distribution?.bucketOptions.explicitBuckets ?? { bounds: [] };
  const counts = (distribution?.bucketCounts ?? []).map(Number);
  t.is(counts.length, bounds.length + 1);
  t.is(counts[bounds.indexOf(0.025)], 5);
  t.is(counts[bounds.indexOf(0.05)], 5);

  for (const { metric } of series) {
    t.true(Object.keys(metric.labels).every((label) => ['cache', 'op', 'result', 'error_type'].includes(label)));
  }
});

/** 480 series: three requests. */
function fill(metrics: GCPCloudMonitoringMetrics): void {
  for (let i = 0; i < 80; i++) {
    for (const record of ['recordHit', 'recordMiss', 'recordSet', 'recordDelete'] as const) metrics[record](`cache ${i}`);
    for (const success of [true, false]) metrics.recordBackgroundRefresh(`cache ${i}`, { success });
  }
}

test('at most one point a series each interval, at most 200 series a request, each series once', async (t) => {
  const { metrics, requests, pass, clock } = await start(t, { interval: 30 });
  fill(metrics);
  await pass(29.9, 0);
  t.is(requests.length, 0);
  for (let round = 1; round <= 3; round++) {
    await pass(round === 1 ? 0.1 : 30, 3);
    t.is(requests.length, 3 * round);
    const sent = requests.slice(-3);
    t.true(sent.every(({ timeSeries }) => timeSeries.length <= 200));
    const series = sent.flatMap(({ timeSeries }) => timeSeries);
    t.is(series.length, 80 * 6);
    t.is(new Set(series.map(({ metric }) => JSON.stringify(metric))).size, series.length);
    t.true(
      series.every(
        ({ points }) => points.length === 1 && moment(points[0]?.interval.endTime ?? { seconds: '0', nanos: 0 }) === clock.wall(),
      ),
    );
  }
});

test('when it is told to slow down it does, tells of it once, and loses nothing', async (t) => {
  const monitoring = await start(t, { interval: 10 });
  const { metrics, requests, clock, errors } = monitoring;
  fill(metrics);
  monitoring.status = 8;
  /** Lets time pass until the timer fires, and waits for what it does; answers how long it took, in seconds. */
  const fire = async (count: number): Promise<number> => {
    const [begin, before] = [clock.monotonic(), requests.length];
    while (clock.timers > 0) clock.advance(100);
    const gap = (clock.monotonic() - begin) / 1000;
    await until(() => requests.length === before + count && clock.timers > 0, { what: 'the sending, and the next timer' });
    return gap;
  };
  const gaps: number[] = [];
  for (let failures = 0; failures < 6; failures++) gaps.push(await fire(1));
  t.is(requests.length, 6, 'a refusal of quota ends the sending: the batches after it are not tried');
  const between: [number, number][] = [
    [10, 10.2],
    [10, 20.2],
    [20, 40.2],
    [40, 80.2],
    [80, 160.2],
    [80, 160.2],
  ];
  for (const [i, [least, most]] of between.entries()) t.true((gaps[i] as number) >= least && (gaps[i] as number) <= most, gaps.join(' '));
  t.is(errors.length, 1);
  t.like(errors[0], { code: 'ERR_STORE', message: 'Cloud Monitoring did not take the metrics (gRPC code 8, RESOURCE_EXHAUSTED)' });

  monitoring.status = undefined;
  metrics.recordHit('cache 7');
  await fire(3);
  const sent = requests.slice(6).flatMap(({ timeSeries }) => timeSeries);
  t.is(find(sent, 'lookups', { cache: 'cache 7', result: 'hit' })?.points[0]?.value.int64Value, '2');
  const peace = await fire(3);
  t.true(peace >= 10 && peace < 10.2, 'the usual pace again');
  t.is(errors.length, 1);
});

test('another refusal concerns its own batch', async (t) => {
  const monitoring = await start(t, { interval: 10 });
  fill(monitoring.metrics);
  monitoring.status = 3;
  await monitoring.pass(10, 3);
  await until(() => monitoring.errors.length === 1, { what: 'the error' });
  t.regex(monitoring.errors[0]?.message ?? '', /\(gRPC code 3\)/);
});

test('shutdown sends what is left, not before 5 s after the last points, and only once', async (t) => {
  const { metrics, requests, pass, clock } = await start(t, { interval: 60 });
  metrics.recordHit('x');
  await pass(60, 1);
  clock.advance(2000);
  metrics.recordHit('x');
  const down = metrics.shutdown();
  t.is(metrics.shutdown(), down);
  // Its own deadline, and the moment at which Cloud Monitoring takes the next points.
  await until(() => clock.timers === 2, { what: 'both timers of the shutdown' });
  clock.advance(2999);
  t.is(clock.timers, 2);
  clock.advance(1);
  await down;
  t.is(requests.length, 2);
  t.is(find(requests[1]?.timeSeries ?? [], 'lookups', { cache: 'x', result: 'hit' })?.points[0]?.value.int64Value, '2');
  t.is(clock.timers, 0, 'nothing comes after it');
});

test('shutdown without points before sends at once; with a short timeout it does not wait', async (t) => {
  const first = await start(t);
  first.metrics.recordHit('x');
  await first.metrics.shutdown();
  t.is(first.requests.length, 1);

  const second = await start(t, { interval: 60 });
  second.metrics.recordHit('x');
  await second.pass(60, 1);
  await second.metrics.shutdown({ timeout: 1 });
  t.is(second.requests.length, 1);
});

test('a server that is gone: shutdown ends, and the error goes to onError', async (t) => {
  const monitoring = await start(t);
  monitoring.status = 14;
  monitoring.metrics.recordHit('x');
  await monitoring.metrics.shutdown();
  t.is(monitoring.errors.length, 1);
});

test('one thread of several sends', async (t) => {
  const { metrics, requests, pass } = await start(t, { name: 'threads' });
  metrics.recordHit('x');
  const worker = new Worker(new URL('../metrics/fixtures/counter.js', import.meta.url), { workerData: { name: 'threads' } });
  t.teardown(() => worker.terminate());
  await once(worker, 'message');
  worker.postMessage({ hits: 1000 });
  await once(worker, 'message');
  await pass(60, 1);
  t.is(find(requests[0]?.timeSeries ?? [], 'lookups', { cache: 'getUser', result: 'hit' })?.points[0]?.value.int64Value, '1000');
});

test('nothing of it keeps a process alive', async (t) => {
  const child = spawnNode(t, new URL('./fixtures/gcp-quiet.js', import.meta.url));
  t.is((await child.exited).code, 0, child.stderr());
});

test('options that can not be meant throw', (t) => {
  const client = { createTimeSeries() {}, close() {}, getProjectId() {} };
  const make = (options: object): GCPCloudMonitoringMetrics =>
    new GCPCloudMonitoringMetrics({ client: client as never, name: 'wrong', ...options });
  t.throws(() => make({ interval: 4 }), { instanceOf: RangeError, message: /`interval` to be 5 s or more/ });
  t.throws(() => make({ interval: Infinity }), { instanceOf: RangeError });
  t.throws(() => make({ projectId: '' }), { instanceOf: TypeError, message: /`projectId`/ });
  t.throws(() => make({ client: {} }), { instanceOf: TypeError, message: /`client` to be a MetricServiceClient/ });
  t.throws(() => make({ prefix: 'Custom/' }), { instanceOf: TypeError, message: /`prefix`/ });
  t.throws(() => make({ resource: { type: 'global' } }), { instanceOf: TypeError, message: /`resource`/ });
  t.throws(() => make({ onError: 1 }), { instanceOf: TypeError, message: /`onError`/ });
  t.throws(() => make({ clock: {} }), { instanceOf: TypeError, message: /`clock`/ });
  t.throws(() => make({ project: 'x' }), { instanceOf: TypeError, message: /'project'/ });
});
