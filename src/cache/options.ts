import { type Duration, toSeconds } from '../core/duration.js';
import { checkFunction, checkOptions, refuse } from '../core/options.js';
import type { CacheStorage } from '../core/store.js';
import { checkKeyOption } from '../keys/compile.js';
import { checkMetrics } from '../metrics/guard.js';
import { checkStoreOption } from '../stores/resolve.js';
import type { AnyFunction, CacheOptions } from './types.js';

const NAMES = ['key', 'stale', 'store', 'metrics', 'name', 'params', 'onError'] as const satisfies readonly (keyof CacheOptions)[];

/**
 * Checks what `cache` is called with, before any function is there; answers the durations in seconds.
 *
 * @throws TypeError or RangeError that says what was expected and what came; KeyTemplateError for a template that can't be read
 */
export function checkCacheOptions(ttl: Duration, options: CacheOptions<CacheStorage>): { ttl: number; stale: number } {
  const seconds = toSeconds(ttl, 'ttl');
  checkOptions('cache', options, NAMES);
  checkKeyOption(options.key);
  const stale = toSeconds(options.stale ?? 0, 'stale');
  checkStoreOption(options.store);
  if (options.metrics !== undefined) checkMetrics(options.metrics);
  const { name, params } = options;
  if (name !== undefined && (typeof name !== 'string' || name === '')) refuse('name', 'a non-empty string', name);
  const areNames = params === undefined || (Array.isArray(params) && params.every((one) => typeof one === 'string'));
  if (!areNames) refuse('params', 'an array of parameter names', params);
  checkFunction('onError', options.onError);
  return { ttl: seconds, stale };
}

/**
 * Checks what the decorator is called with: a function, or a method and its context.
 *
 * @throws TypeError for anything else, a legacy decorator's arguments among it
 */
export function checkTarget(fn: unknown, context: unknown): asserts fn is AnyFunction {
  if (typeof context === 'string' || typeof context === 'symbol') {
    throw new TypeError('Expected @cache to be a standard decorator, got a call of the legacy kind: turn off `experimentalDecorators`');
  }
  const kind = typeof context === 'object' && context !== null ? (context as { kind?: unknown }).kind : undefined;
  if (kind !== undefined && kind !== 'method') refuse('@cache target', 'a method', kind);
  if (typeof fn !== 'function') refuse('fn', 'a function', fn);
}
