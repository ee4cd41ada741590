import { performance } from 'node:perf_hooks';
import type { MetricsCollector } from '../core/metrics.js';
import type { OnError } from '../core/report.js';
import { tallyOf } from './counting.js';
import { errorTypeOf } from './events.js';
import { guardMetrics, unguarded } from './guard.js';
import { NULL_METRICS } from './null.js';
import type { Tally } from './tally.js';

/** What one cache tells its collector, under its name; without a collector each call is a check of one field. */
export class Probe {
  /** Whether anything is recorded: who asks the clock only for that, asks this first. */
  readonly isOn: boolean;
  /** Counts hits and misses, where the collector has one. */
  readonly tally: Tally | undefined;
  protected readonly metrics: MetricsCollector | undefined;
  protected readonly name: string;

  constructor(metrics: MetricsCollector | undefined, name: string, onError: OnError | undefined) {
    this.isOn = metrics !== undefined && metrics !== NULL_METRICS;
    this.metrics = this.isOn ? guardMetrics(metrics as MetricsCollector, onError) : undefined;
    this.tally = this.metrics && tallyOf(unguarded(this.metrics), name);
    this.name = name;
  }

  /** A moment to measure from; 0 when nothing is recorded. */
  start(): number {
    return this.isOn ? performance.now() : 0;
  }

  /** As `start`, for a lookup in memory: 0 also when this one isn't timed. */
  startLookup(): number {
    return this.isOn && (this.tally === undefined || this.tally.isTimed) ? performance.now() : 0;
  }

  /** The lookup that began at `started` is done; 0 for one that isn't timed. Before it is counted. */
  lookedUp(started: number): void {
    if (started === 0) return;
    const now = performance.now();
    const durationSeconds = (now - started) / 1000;
    if (this.tally) this.tally.timed(durationSeconds, now);
    else this.metrics?.recordLatency(this.name, { operation: 'get', durationSeconds });
  }

  /** One lookup, and what came of it; `isOneOfMany` for one of those that are timed together. */
  count(key: string, isHit: boolean, isOneOfMany = false): void {
    if (this.tally && isOneOfMany) this.tally.add(isHit ? 'hits' : 'misses');
    else if (this.tally) this.tally.lookup(isHit);
    else if (isHit) this.metrics?.recordHit(this.name, { key });
    else this.metrics?.recordMiss(this.name, { key });
  }

  set(key: string): void {
    this.metrics?.recordSet(this.name, { key });
  }

  deleted(key: string): void {
    this.metrics?.recordDelete(this.name, { key });
  }

  latency(operation: string, started: number): void {
    this.metrics?.recordLatency(this.name, { operation, durationSeconds: since(started) });
  }

  memory(bytesUsed: number | undefined, entryCount: number): void {
    this.metrics?.recordMemoryUsage(this.name, { entryCount, ...(bytesUsed === undefined ? {} : { bytesUsed }) });
  }

  error(operation: string, error: unknown): void {
    this.metrics?.recordError(this.name, { operation, errorType: errorTypeOf(error) });
  }
}

/** Seconds. */
export function since(started: number): number {
  return (performance.now() - started) / 1000;
}
