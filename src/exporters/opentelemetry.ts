import type { LoadTrace, MetricsCollector } from '../core/metrics.js';
import { checkBoolean, checkOptions, refuse } from '../core/options.js';
import { loadPeer } from '../core/peer.js';
import { COUNTING_OPTIONS, CountingMetrics, type CountingOptions } from '../metrics/counting.js';
import type { Reporter } from '../metrics/memory/reporter.js';
import { wordOf } from '../metrics/names.js';
import type { Totals } from '../metrics/totals.js';
import { increaseOf } from './increase.js';

type Attributes = Record<string, string>;

interface InstrumentOptions {
  readonly description: string;
  readonly unit: string;
  readonly advice?: { explicitBucketBoundaries: number[] };
}

interface Counter {
  add(value: number, attributes?: Attributes): void;
}

/** What is called of a `Meter` of `@opentelemetry/api`. */
export interface OpenTelemetryMeter {
  createCounter(name: string, options?: InstrumentOptions): Counter;
  createHistogram(name: string, options?: InstrumentOptions): { record(value: number, attributes?: Attributes): void };
  createObservableGauge(name: string, options?: InstrumentOptions): object;
  // `never`: the API's own types, which these must not know.
  addBatchObservableCallback(callback: never, observables: never[]): void;
  removeBatchObservableCallback(callback: never, observables: never[]): void;
}

/** What is called of a `Span`. */
export interface OpenTelemetrySpan {
  setAttribute(name: string, value: string): unknown;
  setStatus(status: { code: number }): unknown;
  end(): void;
}

/** What is called of a `Tracer` of `@opentelemetry/api`. */
export interface OpenTelemetryTracer {
  startSpan(name: string, options: { attributes: Attributes; startTime: number }): OpenTelemetrySpan;
  startActiveSpan<T>(name: string, options: { attributes: Attributes }, run: (span: OpenTelemetrySpan) => T): T;
}

export interface OpenTelemetryMetricsOptions extends CountingOptions {
  /** What the meter and the tracer are called, as the instrumentation's scope. Default `'advanced-caching'`. */
  readonly meterName?: string | undefined;
  /** Default: one of `meterProvider`. */
  readonly meter?: OpenTelemetryMeter | undefined;
  /** Default: the global one, so make the collector after the SDK has started. */
  readonly meterProvider?: { getMeter(name: string): OpenTelemetryMeter } | undefined;
  /** Default: one of `tracerProvider`. */
  readonly tracer?: OpenTelemetryTracer | undefined;
  /** Default: the global one. */
  readonly tracerProvider?: { getTracer(name: string): OpenTelemetryTracer } | undefined;
  /** Whether each load is a span. Default `true`: it costs next to nothing where no SDK traces. */
  readonly tracing?: boolean | undefined;
}

const OPTIONS = [...COUNTING_OPTIONS, 'meterName', 'meter', 'meterProvider', 'tracer', 'tracerProvider', 'tracing'];
const BUCKETS = [1e-7, 1e-6, 5e-6, 2.5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const STATUS_ERROR = 2;
/** Of an operation of a cache, at each collection: more of them are thinned to as many, evenly. */
const MOST_DURATIONS = 1000;

interface Api {
  readonly metrics: { getMeterProvider(): { getMeter(name: string): OpenTelemetryMeter } };
  readonly trace: { getTracerProvider(): { getTracer(name: string): OpenTelemetryTracer } };
}

/**
 * Counts caches for OpenTelemetry, through its API (`@opentelemetry/api` alone): the SDK is the application's. Each collection of the SDK
 * is told what all threads of the process have counted since the last. Where several threads have an SDK, one of them reports.
 *
 * | instrument | kind, unit | attributes |
 * |---|---|---|
 * | `cache.lookups` | counter, `{lookup}` | `cache.name`, `cache.result`: `hit`, `miss` |
 * | `cache.operations` | counter, `{operation}` | `cache.name`, `cache.operation`: `set`, `delete` |
 * | `cache.operation.duration` | histogram, `s` | `cache.name`, `cache.operation` |
 * | `cache.errors` | counter, `{error}` | `cache.name`, `cache.operation`, `error.type` |
 * | `cache.refreshes` | counter, `{refresh}` | `cache.name`, `cache.result`: `success`, `failure` |
 * | `cache.memory.usage` | gauge, `By` | `cache.name` |
 * | `cache.memory.entries` | gauge, `{entry}` | `cache.name` |
 *
 * Each load is a span `cache.load` with `cache.name`, and with `error.type` where it failed. What a cached function does is inside its span.
 *
 * @example
 * const metrics = new OpenTelemetryMetrics({ meterName: 'myapp.cache' });
 * const getUser = cache(60, { key: 'user:{id}', metrics })(async function getUser(id: number) { … });
 */
export class OpenTelemetryMetrics extends CountingMetrics {
  /** Of the port: a span for each load. */
  readonly traceLoad?: (cacheName: string) => LoadTrace;
  readonly #tracer: OpenTelemetryTracer | undefined;
  readonly #stop: () => void;

  /**
   * @throws TypeError or RangeError for options that can't be meant; MissingDependencyError where `@opentelemetry/api` isn't installed and
   * no meter or tracer is given
   */
  constructor(options: OpenTelemetryMetricsOptions = {}) {
    checkOptions('OpenTelemetryMetrics', options, OPTIONS);
    const { meterName = 'advanced-caching', tracing = true } = options;
    if (typeof meterName !== 'string' || meterName === '') refuse('meterName', 'a non-empty string', meterName);
    checkBoolean('tracing', options.tracing);
    super(options, `opentelemetry:${meterName}`);
    const meter = meterOf(options, meterName);
    this.#tracer = tracing ? tracerOf(options, meterName) : undefined;
    const tracer = this.#tracer;
    if (tracer) this.traceLoad = (cacheName) => traceLoad(tracer, cacheName);
    this.#stop = feed(meter, () => this.totals(), this.reporter('OpenTelemetryMetrics'));
  }

  override recordBackgroundRefresh(cacheName: string, detail: Parameters<MetricsCollector['recordBackgroundRefresh']>[1] = {}): void {
    super.recordBackgroundRefresh(cacheName, detail);
    const { success = true, durationSeconds, metadata } = detail;
    // A load in this thread has had its span; of one in the library's own thread it is made afterwards.
    if (!this.#tracer || durationSeconds === undefined || metadata?.['load'] !== 'elsewhere') return;
    const span = this.#tracer.startSpan('cache.load', {
      attributes: { 'cache.name': cacheName },
      startTime: Date.now() - durationSeconds * 1000,
    });
    endSpan(span, success, metadata['errorType']);
  }

  /** Nothing is told to the meter any more; the counts stay. */
  shutdown(): void {
    this.#stop();
  }
}

function api(): Api {
  return loadPeer<Api>('@opentelemetry/api', 'OpenTelemetryMetrics');
}

function meterOf({ meter, meterProvider }: OpenTelemetryMetricsOptions, name: string): OpenTelemetryMeter {
  if (meter !== undefined && typeof meter?.createHistogram !== 'function') refuse('meter', 'a Meter', meter);
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function')
    refuse('meterProvider', 'a MeterProvider', meterProvider);
  return meter ?? (meterProvider ?? api().metrics.getMeterProvider()).getMeter(name);
}

function tracerOf({ tracer, tracerProvider }: OpenTelemetryMetricsOptions, name: string): OpenTelemetryTracer {
  if (tracer !== undefined && typeof tracer?.startActiveSpan !== 'function') refuse('tracer', 'a Tracer', tracer);
  if (tracerProvider !== undefined && typeof tracerProvider?.getTracer !== 'function') {
    refuse('tracerProvider', 'a TracerProvider', tracerProvider);
  }
  return tracer ?? (tracerProvider ?? api().trace.getTracerProvider()).getTracer(name);
}

function traceLoad(tracer: OpenTelemetryTracer, cacheName: string): LoadTrace {
  let span: OpenTelemetrySpan | undefined;
  return {
    run: (load) =>
      tracer.startActiveSpan('cache.load', { attributes: { 'cache.name': cacheName } }, (started) => {
        span = started;
        return load();
      }),
    end({ success, errorType }) {
      if (span) endSpan(span, success, errorType);
    },
  };
}

/** Without the error itself: its message may hold what is nobody's business. */
function endSpan(span: OpenTelemetrySpan, success: boolean, errorType: unknown): void {
  if (!success) span.setStatus({ code: STATUS_ERROR });
  if (typeof errorType === 'string') span.setAttribute('error.type', wordOf(errorType, 'Error'));
  span.end();
}

/** Makes the instruments, and tells them at each collection what came since the last one; answers how to stop that. */
function feed(meter: OpenTelemetryMeter, totals: () => Totals, reporter: Reporter): () => void {
  const lookups = meter.createCounter('cache.lookups', { unit: '{lookup}', description: 'Lookups in a cache, by what they found.' });
  const operations = meter.createCounter('cache.operations', { unit: '{operation}', description: 'Values that were set and deleted.' });
  const errors = meter.createCounter('cache.errors', { unit: '{error}', description: 'Errors, by what was done and by their class.' });
  const refreshes = meter.createCounter('cache.refreshes', { unit: '{refresh}', description: 'Refreshes in the background.' });
  const durations = meter.createHistogram('cache.operation.duration', {
    unit: 's',
    description: 'How long operations took.',
    advice: { explicitBucketBoundaries: BUCKETS },
  });
  const bytes = meter.createObservableGauge('cache.memory.usage', { unit: 'By', description: 'What the values in memory take.' });
  const entries = meter.createObservableGauge('cache.memory.entries', { unit: '{entry}', description: 'How many values are in memory.' });

  let told: Totals | undefined;
  const collect = (result: { observe(instrument: object, value: number, attributes: Attributes): void }): void => {
    const now = totals();
    // What another thread has told until now is told.
    told ??= reporter.hasPredecessor() ? now : new Map();
    const news = increaseOf(now, told);
    told = now;
    if (!reporter.isOne()) return;
    for (const [name, { counts, latency, errors: failed, memory }] of news) {
      const of = (more: Attributes = {}): Attributes => ({ 'cache.name': name, ...more });
      const add = (counter: Counter, count: number, attributes: Attributes): void => {
        // What never happened is no series.
        if (count > 0) counter.add(count, of(attributes));
      };
      add(lookups, counts.hits, { 'cache.result': 'hit' });
      add(lookups, counts.misses, { 'cache.result': 'miss' });
      add(operations, counts.sets, { 'cache.operation': 'set' });
      add(operations, counts.deletes, { 'cache.operation': 'delete' });
      add(refreshes, counts.refreshes, { 'cache.result': 'success' });
      add(refreshes, counts.failedRefreshes, { 'cache.result': 'failure' });
      for (const [operation, types] of failed) {
        for (const [type, count] of types) add(errors, count, { 'cache.operation': operation, 'error.type': type });
      }
      for (const [operation, all] of latency) {
        const attributes = of({ 'cache.operation': operation });
        for (const { seconds, count } of all.sample(MOST_DURATIONS)) for (let i = 0; i < count; i++) durations.record(seconds, attributes);
      }
      if (memory.bytes !== undefined) result.observe(bytes, memory.bytes, of());
      if (memory.entries !== undefined) result.observe(entries, memory.entries, of());
    }
  };
  const gauges = [bytes, entries] as never[];
  meter.addBatchObservableCallback(collect as never, gauges);
  return () => {
    meter.removeBatchObservableCallback(collect as never, gauges);
    reporter.retire();
  };
}
