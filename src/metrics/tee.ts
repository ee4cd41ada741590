import type { MetricsCollector } from '../core/metrics.js';
import { METHODS } from './guard.js';

/** A collector that tells two, the first one first. What fails in the second, or what it answers, is as if it were alone. */
export function tee(first: MetricsCollector, second: MetricsCollector): MetricsCollector {
  const both = {} as MetricsCollector;
  for (const method of METHODS) {
    both[method] = (cacheName: string, detail?: object): void => {
      first[method](cacheName, detail);
      // A Promise, perhaps, which is for the guard.
      return second[method](cacheName, detail);
    };
  }
  if (typeof second.traceLoad === 'function') both.traceLoad = (cacheName) => second.traceLoad?.(cacheName);
  return both;
}
