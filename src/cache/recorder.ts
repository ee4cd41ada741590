import { performance } from 'node:perf_hooks';
import { isThenable } from '../concurrency/single-flight.js';
import type { MetricsCollector } from '../core/metrics.js';
import { type OnError, report } from '../core/report.js';
import type { Freshness } from '../core/entry.js';
import { emitError, emitLoad, emitLookup, loads } from '../metrics/events.js';
import { Probe, since } from '../metrics/probe.js';
import { endTrace } from '../metrics/refresh.js';

/** What one cached function tells its collector, the listeners of its events, and, of what no caller gets, the reporter of errors. */
export class Recorder extends Probe {
  readonly #onError: OnError | undefined;
  #lastFailure: unknown;

  constructor(metrics: MetricsCollector | undefined, name: string, onError: OnError | undefined) {
    super(metrics, name, onError);
    this.#onError = onError;
  }

  /** One call of the function: what it found. */
  lookup(key: string, worth: Freshness): void {
    this.count(key, worth !== 'dead');
    emitLookup(this.name, key, worth);
  }

  /** Runs the function. What it answers is passed on; a thenable of its own as a Promise, since asking it twice might run it twice. */
  load(key: string, run: () => unknown): unknown {
    if (!this.isOn && !loads.hasSubscribers) return run();
    const trace = this.metrics?.traceLoad?.(this.name);
    const started = performance.now();
    const end = (failure?: { readonly error: unknown }): void => {
      this.latency('load', started);
      endTrace(trace, failure);
      emitLoad(this.name, key, since(started), failure === undefined);
    };
    let result: unknown;
    try {
      result = trace ? trace.run(run) : run();
    } catch (error) {
      end({ error });
      throw error;
    }
    if (!isThenable(result)) {
      end();
      return result;
    }
    const promise = Promise.resolve(result);
    promise.then(
      () => end(),
      (error: unknown) => end({ error }),
    );
    return promise;
  }

  override error(operation: string, error: unknown): void {
    super.error(operation, error);
    emitError(this.name, operation, error);
  }

  /** A store's error, which no caller gets. Counted each time; a store that refuses every call with one error is reported once. */
  storeFailed(operation: string, error: unknown): void {
    this.error(operation, error);
    if (error === this.#lastFailure) return;
    this.#lastFailure = error;
    report(error, this.#onError, `advanced-caching: the store of ${this.name} failed to ${operation}`);
  }

  refreshed(started: number): void {
    this.#refresh(started, true);
  }

  refreshFailed(started: number, error: unknown): void {
    this.#refresh(started, false);
    this.error('refresh', error);
    report(error, this.#onError, `advanced-caching: a background refresh of ${this.name} failed, the old value is kept`);
  }

  #refresh(started: number, success: boolean): void {
    this.metrics?.recordBackgroundRefresh(this.name, { success, durationSeconds: since(started) });
  }
}
