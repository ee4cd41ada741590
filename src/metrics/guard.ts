import type { LoadTrace, MetricsCollector } from '../core/metrics.js';
import { refuse } from '../core/options.js';
import { type OnError, report } from '../core/report.js';

type CollectorMethod = Exclude<keyof MetricsCollector, 'traceLoad'>;

/** What every collector has. */
export const METHODS: readonly CollectorMethod[] = [
  'recordHit',
  'recordMiss',
  'recordSet',
  'recordDelete',
  'recordLatency',
  'recordError',
  'recordMemoryUsage',
  'recordBackgroundRefresh',
];

/** @throws TypeError unless `value` has every method of a collector */
export function checkMetrics(value: unknown): asserts value is MetricsCollector {
  const collector = value as Record<string, unknown> | null;
  if (typeof collector !== 'object' || collector === null) refuse('metrics', 'a MetricsCollector', value);
  for (const method of METHODS) {
    if (typeof collector[method] !== 'function') refuse('metrics', `a MetricsCollector with the method ${method}`, value);
  }
}

/** The collectors behind the guards. */
const guarded = new WeakMap<MetricsCollector, MetricsCollector>();

/** The collector itself, behind a guard or not. */
export function unguarded(collector: MetricsCollector): MetricsCollector {
  return guarded.get(collector) ?? collector;
}

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
  if (typeof collector.traceLoad === 'function') {
    guard.traceLoad = (cacheName) => {
      try {
        const trace = collector.traceLoad?.(cacheName);
        return trace && guardTrace(trace, fail);
      } catch (error) {
        fail(error);
        return undefined;
      }
    };
  }
  guarded.set(guard, collector);
  return guard;
}

/** The load runs once, and its outcome is the caller's, whatever the tracer does. */
function guardTrace(trace: LoadTrace, fail: (error: unknown) => void): LoadTrace {
  return {
    run<T>(load: () => T): T {
      let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
      const once = (): T => {
        try {
          outcome ??= { value: load() };
        } catch (error) {
          outcome = { error };
        }
        if (outcome && 'value' in outcome) return outcome.value;
        throw (outcome as { error: unknown }).error;
      };
      try {
        trace.run(once);
      } catch (error) {
        if (!(outcome && 'error' in outcome && outcome.error === error)) fail(error);
      }
      return once();
    },
    end(outcome) {
      try {
        trace.end(outcome);
      } catch (error) {
        fail(error);
      }
    },
  };
}
