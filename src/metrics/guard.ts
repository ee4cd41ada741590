import type { MetricsCollector } from '../core/metrics.js';
import { refuse } from '../core/options.js';
import { type OnError, report } from '../core/report.js';

const METHODS = [
  'recordHit',
  'recordMiss',
  'recordSet',
  'recordDelete',
  'recordLatency',
  'recordError',
  'recordMemoryUsage',
  'recordBackgroundRefresh',
] as const satisfies readonly (keyof MetricsCollector)[];

/** @throws TypeError unless `value` has every method of a collector */
export function checkMetrics(value: unknown): asserts value is MetricsCollector {
  const collector = value as Record<string, unknown> | null;
  if (typeof collector !== 'object' || collector === null) refuse('metrics', 'a MetricsCollector', value);
  for (const method of METHODS) {
    if (typeof collector[method] !== 'function') refuse('metrics', `a MetricsCollector with the method ${method}`, value);
  }
}

const guarded = new WeakSet<MetricsCollector>();

/**
 * A collector whose faults never reach a caller: the first error of each guard is reported (`onError`, or a process warning), the
 * rest are dropped. A collector that answers a Promise is guarded too.
 */
export function guardMetrics(collector: MetricsCollector, onError?: OnError): MetricsCollector {
  if (guarded.has(collector)) return collector;
  let isReported = false;
  const fail = (error: unknown): void => {
    if (isReported) return;
    isReported = true;
    report(error, onError, 'a metrics collector threw (reported once)');
  };
  const guard = {} as MetricsCollector;
  for (const method of METHODS) {
    guard[method] = (cacheName: string, detail?: object): void => {
      try {
        const answer: unknown = collector[method](cacheName, detail);
        if (answer instanceof Promise) answer.catch(fail);
      } catch (error) {
        fail(error);
      }
    };
  }
  guarded.add(guard);
  return guard;
}
