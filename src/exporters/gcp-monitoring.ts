import { hostname } from 'node:os';
import { type Clock, type Timer, systemClock } from '../core/clock.js';
import { type Duration, toSeconds } from '../core/duration.js';
import { StoreError } from '../core/errors.js';
import { checkFunction, checkOptions, refuse, show } from '../core/options.js';
import { loadPeer } from '../core/peer.js';
import { type OnError, report } from '../core/report.js';
import { COUNTING_OPTIONS, CountingMetrics, type CountingOptions } from '../metrics/counting.js';
import type { Reporter } from '../metrics/memory/reporter.js';
import { backoffDelay } from '../scheduler/backoff.js';
import { type MonitoredResource, type TimeSeries, timeSeriesOf } from './gcp-series.js';

/** What is called of a `MetricServiceClient` of `@google-cloud/monitoring`. */
export interface GCPMonitoringClient {
  getProjectId(): Promise<string>;
  createTimeSeries(request: { name: string; timeSeries: never[] }, options: { timeout: number }): Promise<unknown>;
  close(): Promise<void>;
}

export interface GCPCloudMonitoringMetricsOptions extends CountingOptions {
  /** Default: that of the client's credentials. */
  readonly projectId?: string | undefined;
  /** A `MetricServiceClient`. Default: a new one, which finds its credentials in the environment, as the SDK does. */
  readonly client?: GCPMonitoringClient | undefined;
  /** What the metrics' types begin with. Default `'custom.googleapis.com/advanced_caching'`. */
  readonly prefix?: string | undefined;
  /** How often a point of each series is sent: 5 s or more. Default 60 s. */
  readonly interval?: Duration | undefined;
  /**
   * What the points are about. No two processes may write the series of one: default a `generic_task` of the location `global`, whose
   * `task_id` is the host's name and the process id.
   */
  readonly resource?: MonitoredResource | undefined;
  /** Gets the error of the first of several sendings in a row that fail. Default: a process warning. */
  readonly onError?: OnError | undefined;
  /** For tests: `fakeClock()` of `advanced-caching/testing`. Default: the system's. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = [...COUNTING_OPTIONS, 'projectId', 'client', 'prefix', 'interval', 'resource', 'onError', 'clock'];
const PREFIX = 'custom.googleapis.com/advanced_caching';
const INTERVAL = 60;
/** Cloud Monitoring takes one point of a series in 5 seconds. */
const MIN_INTERVAL = 5;
/** Cloud Monitoring takes as many series in one request. */
const BATCH = 200;
const CALL_TIMEOUT_MS = 30_000;
/** After failures the intervals between sendings grow up to as many. */
const SLOWEST = 16;
/** gRPC's codes for "not now": what follows in the same sending would be refused too. */
const NOT_NOW = new Map([
  [4, 'DEADLINE_EXCEEDED'],
  [8, 'RESOURCE_EXHAUSTED'],
  [14, 'UNAVAILABLE'],
]);

/**
 * Counts caches for Google Cloud Monitoring: a point of each series every `interval`, in requests of at most 200 series. Points are of
 * counts since the beginning, so a sending that fails loses nothing: the next one has it all, later after each failure in a row. One thread
 * of the process sends what all of them count. Nothing of it keeps the process alive: `await metrics.shutdown()` sends what is left.
 *
 * | metric | kind, unit | labels |
 * |---|---|---|
 * | `…/lookups` | cumulative, INT64 | `cache`, `result`: `hit`, `miss` |
 * | `…/operations` | cumulative, INT64 | `cache`, `op`: `set`, `delete` |
 * | `…/operation_duration` | cumulative, DISTRIBUTION, s | `cache`, `op` |
 * | `…/errors` | cumulative, INT64 | `cache`, `op`, `error_type` |
 * | `…/refreshes` | cumulative, INT64 | `cache`, `result`: `success`, `failure` |
 * | `…/memory/bytes` `…/memory/entries` | gauge, INT64 | `cache` |
 *
 * Costs: a cache that gets, sets and loads has about 10 series. Cloud Monitoring is paid by the samples that it takes in.
 *
 * @example
 * const metrics = new GCPCloudMonitoringMetrics({ projectId: 'my-project' });
 * const getUser = cache(60, { key: 'user:{id}', metrics })(async function getUser(id: number) { … });
 */
export class GCPCloudMonitoringMetrics extends CountingMetrics {
  readonly #client: GCPMonitoringClient;
  readonly #ownsClient: boolean;
  readonly #prefix: string;
  /** Milliseconds. */
  readonly #interval: number;
  readonly #resource: MonitoredResource | undefined;
  readonly #onError: OnError | undefined;
  readonly #clock: Clock;
  readonly #reporter: Reporter;
  #projectId: string | undefined;
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  /** When points were last sent, whether or not all of them arrived: on the monotonic clock. */
  #sentAt = -Infinity;
  #failures = 0;
  #ended: Promise<void> | undefined;

  /**
   * @throws TypeError or RangeError for options that can't be meant; MissingDependencyError where `@google-cloud/monitoring` isn't installed
   * and no client is given
   */
  constructor(options: GCPCloudMonitoringMetricsOptions = {}) {
    const checked = checkGcpOptions(options);
    super(options, `gcp:${checked.prefix}`);
    this.#projectId = options.projectId;
    this.#prefix = checked.prefix;
    this.#interval = checked.interval * 1000;
    this.#resource = options.resource;
    this.#onError = options.onError;
    this.#clock = options.clock ?? systemClock;
    this.#ownsClient = options.client === undefined;
    this.#client = options.client ?? connect(options.projectId);
    this.#reporter = this.reporter('GCPCloudMonitoringMetrics');
    this.#schedule(this.#interval);
  }

  /**
   * Sends what was counted, ends the timer, and closes the client if it is the collector's own. Where points were sent less than 5 s ago, it
   * waits, since Cloud Monitoring would refuse more; but for no longer than `timeout` (default 10 s) in all. Never rejects. Idempotent.
   */
  shutdown({ timeout = 10 }: { readonly timeout?: Duration } = {}): Promise<void> {
    const limit = toSeconds(timeout, 'timeout') * 1000;
    this.#ended ??= this.#end(limit);
    return this.#ended;
  }

  async #end(limit: number): Promise<void> {
    this.#timer?.cancel();
    const deadline = this.#clock.monotonic() + limit;
    const last = async (): Promise<void> => {
      await this.#sending;
      const due = this.#sentAt + MIN_INTERVAL * 1000;
      if (due > deadline) return;
      await this.#wait(due - this.#clock.monotonic());
      await this.#send();
    };
    // The loser of the race is done soon after: every call has a deadline.
    const timeUp = this.#alarm(limit);
    await Promise.race([last(), timeUp.passed]);
    timeUp.cancel();
    this.#reporter.retire();
    if (this.#ownsClient)
      await this.#client.close().catch((error: unknown) => report(error, this.#onError, 'the client of Cloud Monitoring'));
  }

  #schedule(delay: number): void {
    this.#timer = this.#clock.setTimer(() => {
      void this.#send().then(() => {
        if (this.#ended) return;
        const { base, max } = { base: 2 * this.#interval, max: SLOWEST * this.#interval };
        this.#schedule(this.#failures === 0 ? this.#interval : backoffDelay(this.#failures - 1, { base, max }));
      });
    }, delay);
    this.#timer.unref();
  }

  async #wait(ms: number): Promise<void> {
    if (ms > 0) await this.#alarm(ms).passed;
  }

  #alarm(ms: number): { readonly passed: Promise<void>; cancel(): void } {
    let timer: Timer | undefined;
    const passed = new Promise<void>((resolve) => {
      timer = this.#clock.setTimer(resolve, ms);
    });
    return { passed, cancel: () => timer?.cancel() };
  }

  /** One at a time. Never rejects. */
  #send(): Promise<void> {
    this.#sending ??= this.#sendAll()
      .then(
        () => {
          this.#failures = 0;
        },
        (error: unknown) => {
          if (this.#failures++ === 0)
            report(error, this.#onError, 'advanced-caching: metrics could not be sent to Cloud Monitoring (told once until they can)');
        },
      )
      .finally(() => {
        this.#sending = undefined;
      });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    if (!this.#reporter.isOne()) return;
    this.#projectId ??= await this.#client.getProjectId();
    const series = timeSeriesOf(this.totals(), {
      prefix: this.#prefix,
      resource: this.#resource ?? taskOf(this.#projectId),
      since: this.since,
      now: this.#clock.wall(),
    });
    this.#sentAt = this.#clock.monotonic();
    let failure: unknown;
    for (let at = 0; at < series.length; at += BATCH) {
      try {
        await this.#sendBatch(series.slice(at, at + BATCH));
      } catch (error) {
        failure ??= error;
        if (NOT_NOW.has((error as { code?: number }).code ?? 0)) break;
      }
    }
    if (failure !== undefined) throw refusal(failure);
  }

  async #sendBatch(series: TimeSeries[]): Promise<void> {
    const timeout = Math.min(CALL_TIMEOUT_MS, this.#interval);
    await this.#client.createTimeSeries({ name: `projects/${this.#projectId}`, timeSeries: series as never[] }, { timeout });
  }
}

function refusal(cause: unknown): StoreError {
  const { code } = cause as { code?: unknown };
  const why = typeof code === 'number' ? `gRPC code ${code}${NOT_NOW.has(code) ? `, ${NOT_NOW.get(code)}` : ''}` : 'no answer';
  return new StoreError(`Cloud Monitoring did not take the metrics (${why})`, { cause });
}

function taskOf(projectId: string): MonitoredResource {
  const labels = {
    project_id: projectId,
    location: 'global',
    namespace: 'default',
    job: 'advanced-caching',
    task_id: `${hostname()}:${process.pid}`,
  };
  return { type: 'generic_task', labels };
}

function connect(projectId: string | undefined): GCPMonitoringClient {
  const sdk = loadPeer<{ readonly MetricServiceClient: new (options: object) => GCPMonitoringClient }>(
    '@google-cloud/monitoring',
    'GCPCloudMonitoringMetrics',
  );
  return new sdk.MetricServiceClient(projectId === undefined ? {} : { projectId });
}

function checkGcpOptions(options: GCPCloudMonitoringMetricsOptions): { prefix: string; interval: number } {
  checkOptions('GCPCloudMonitoringMetrics', options, OPTIONS);
  const { projectId, client, prefix = PREFIX, interval = INTERVAL, resource, onError, clock } = options;
  if (projectId !== undefined && (typeof projectId !== 'string' || projectId === '')) refuse('projectId', 'a non-empty string', projectId);
  if (client !== undefined && typeof client?.createTimeSeries !== 'function') refuse('client', 'a MetricServiceClient', client);
  if (typeof prefix !== 'string' || !/^[a-z][\w.-]*(\/[\w.-]+)*$/.test(prefix)) {
    refuse('prefix', "a path such as 'custom.googleapis.com/my_app'", prefix);
  }
  const seconds = toSeconds(interval, 'interval');
  if (!(seconds >= MIN_INTERVAL && seconds < Infinity)) {
    throw new RangeError(
      `Expected \`interval\` to be ${MIN_INTERVAL} s or more (Cloud Monitoring takes no more points), got ${show(interval)}`,
    );
  }
  if (resource !== undefined && (typeof resource?.type !== 'string' || typeof resource.labels !== 'object' || resource.labels === null)) {
    refuse('resource', 'a monitored resource ({ type, labels })', resource);
  }
  checkFunction('onError', onError);
  if (clock !== undefined && typeof clock?.setTimer !== 'function') refuse('clock', 'a Clock', clock);
  return { prefix, interval: seconds };
}
