import type { MetricsCollector } from '../core/metrics.js';

const nothing = (): void => {};

/** Records nothing. `cache()` treats it as no collector at all, so it costs nothing. */
export const NULL_METRICS: MetricsCollector = Object.freeze({
  recordHit: nothing,
  recordMiss: nothing,
  recordSet: nothing,
  recordDelete: nothing,
  recordLatency: nothing,
  recordError: nothing,
  recordMemoryUsage: nothing,
  recordBackgroundRefresh: nothing,
});
