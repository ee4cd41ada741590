import { performance } from 'node:perf_hooks';
import type { MetricsCollector } from '../core/metrics.js';
import { type OnError, report } from '../core/report.js';
import { guardMetrics } from '../metrics/guard.js';
import { NULL_METRICS } from '../metrics/null.js';

/** What one cached function tells its collector, under its name; without a collector each call is a check of one field. */
export class Recorder {
  /** Whether anything is recorded: who asks the clock only for that, asks this first. */
  readonly isOn: boolean;
  readonly #metrics: MetricsCollector | undefined;
  readonly #name: string;
  readonly #onError: OnError | undefined;
  #lastFailure: unknown;

  constructor(metrics: MetricsCollector | undefined, name: string, onError: OnError | undefined) {
    this.isOn = metrics !== undefined && metrics !== NULL_METRICS;
    this.#metrics = this.isOn ? guardMetrics(metrics as MetricsCollector, onError) : undefined;
    this.#name = name;
    this.#onError = onError;
  }

  /** A moment to measure from; 0 when nothing is recorded. */
  start(): number {
    return this.isOn ? performance.now() : 0;
  }

  lookup(key: string, isHit: boolean): void {
    if (isHit) this.#metrics?.recordHit(this.#name, { key });
    else this.#metrics?.recordMiss(this.#name, { key });
  }

  set(key: string): void {
    this.#metrics?.recordSet(this.#name, { key });
  }

  deleted(key: string): void {
    this.#metrics?.recordDelete(this.#name, { key });
  }

  latency(operation: string, started: number): void {
    this.#metrics?.recordLatency(this.#name, { operation, durationSeconds: since(started) });
  }

  /** An error that a caller gets. */
  error(operation: string, error: unknown): void {
    this.#metrics?.recordError(this.#name, { operation, errorType: error instanceof Error ? error.name : typeof error });
  }

  /** A store's error, which no caller gets. Counted each time; a store that refuses every call with one error is reported once. */
  storeFailed(operation: string, error: unknown): void {
    this.error(operation, error);
    if (error === this.#lastFailure) return;
    this.#lastFailure = error;
    report(error, this.#onError, `advanced-caching: the store of ${this.#name} failed to ${operation}`);
  }

  refreshed(started: number): void {
    this.#metrics?.recordBackgroundRefresh(this.#name, { success: true, durationSeconds: since(started) });
  }

  refreshFailed(started: number, error: unknown): void {
    this.#metrics?.recordBackgroundRefresh(this.#name, { success: false, durationSeconds: since(started) });
    this.error('refresh', error);
    report(error, this.#onError, `advanced-caching: a background refresh of ${this.#name} failed, the old value is kept`);
  }
}

function since(started: number): number {
  return (performance.now() - started) / 1000;
}
