/** What a run of the loader of `bg` or `bg.write` tells: a collector, and the listeners of events. */
import type { LoadTrace, MetricsCollector } from '../core/metrics.js';
import { emitRefresh, errorTypeOf } from './events.js';

export interface RefreshRun {
  /** What metrics call it. */
  readonly name: string;
  readonly key: string;
  readonly durationSeconds: number;
  readonly failure?: { readonly error: unknown } | undefined;
  /** It ran in another thread, where no tracer of this one could follow it. */
  readonly isElsewhere?: boolean;
}

export function recordRefresh(
  metrics: MetricsCollector | undefined,
  { name, key, durationSeconds, failure, isElsewhere }: RefreshRun,
): void {
  const errorType = failure && errorTypeOf(failure.error);
  metrics?.recordBackgroundRefresh(name, {
    success: failure === undefined,
    durationSeconds,
    ...(isElsewhere ? { metadata: { load: 'elsewhere', errorType } } : {}),
  });
  if (errorType !== undefined) metrics?.recordError(name, { operation: 'refresh', errorType });
  emitRefresh(name, key, durationSeconds, failure);
}

/** Ends the trace of a run, if there is one. */
export function endTrace(trace: LoadTrace | undefined, failure?: { readonly error: unknown }): void {
  trace?.end(failure ? { success: false, errorType: errorTypeOf(failure.error) } : { success: true });
}

/** Has the collector's tracer follow a run; `undefined` where there is none. */
export function tracerOfRuns(metrics: MetricsCollector | undefined, name: string): RunTracer | undefined {
  if (typeof metrics?.traceLoad !== 'function') return undefined;
  return async (run) => {
    const trace = metrics.traceLoad?.(name);
    try {
      const result = await (trace ? trace.run(run) : run());
      endTrace(trace);
      return result;
    } catch (error) {
      endTrace(trace, { error });
      throw error;
    }
  };
}

export type RunTracer = <R>(run: () => Promise<R>) => Promise<R>;
