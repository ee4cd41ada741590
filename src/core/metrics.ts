/** A load that is followed by a tracer. */
export interface LoadTrace {
  /** Calls `load` once, at once, and returns what it returns: what the load does belongs to the trace. */
  run<T>(load: () => T): T;
  /** The load has ended: with a value, or with an error. */
  end(outcome: { readonly success: boolean; readonly errorType?: string }): void;
}

/**
 * The port for metrics. Who records: `cache()` one hit or miss a call, `InstrumentedStorage` one a store operation,
 * a writer one background refresh a run. A collector that throws never reaches a caller (see `guardMetrics`).
 * Every field but the cache's name is optional; keys are passed for collectors that log, and never become labels.
 */
export interface MetricsCollector {
  recordHit(cacheName: string, detail?: { key?: string; metadata?: Readonly<Record<string, unknown>> }): void;
  recordMiss(cacheName: string, detail?: { key?: string; metadata?: Readonly<Record<string, unknown>> }): void;
  recordSet(cacheName: string, detail?: { key?: string; valueSize?: number; metadata?: Readonly<Record<string, unknown>> }): void;
  recordDelete(cacheName: string, detail?: { key?: string; metadata?: Readonly<Record<string, unknown>> }): void;
  recordLatency(
    cacheName: string,
    detail?: { operation?: string; durationSeconds?: number; metadata?: Readonly<Record<string, unknown>> },
  ): void;
  recordError(cacheName: string, detail?: { operation?: string; errorType?: string; metadata?: Readonly<Record<string, unknown>> }): void;
  recordMemoryUsage(
    cacheName: string,
    detail?: { bytesUsed?: number; entryCount?: number; metadata?: Readonly<Record<string, unknown>> },
  ): void;
  recordBackgroundRefresh(
    cacheName: string,
    detail?: { success?: boolean; durationSeconds?: number; metadata?: Readonly<Record<string, unknown>> },
  ): void;
  /**
   * Optional: called when a loader of this thread is about to run, for collectors that trace. Of a loader that is a module, and so runs in
   * another thread, `recordBackgroundRefresh` tells afterwards, with the metadata `load: 'elsewhere'` and `errorType`.
   */
  traceLoad?(cacheName: string): LoadTrace | undefined;
}
