import { type Clock, systemClock } from '../core/clock.js';
import { type Duration, toSeconds } from '../core/duration.js';
import type { MetricsCollector } from '../core/metrics.js';
import { checkFunction, checkOptions, refuse } from '../core/options.js';
import type { OnError } from '../core/report.js';
import { isCacheStorage } from '../core/store.js';
import { checkMetrics, guardMetrics } from '../metrics/guard.js';
import type { TierContext } from './tier.js';

export interface ChainOptions {
  /** The longest life in each tier, in the tiers' order: `[60, 3600]`, `['1m', '1h']`. Default: no limit but the entry's own. */
  readonly ttls?: readonly Duration[];
  /** How long a tier may take for an operation before it is passed over; `Infinity` for no limit. Default 5 s. */
  readonly timeout?: Duration;
  /** Counts the failures of tiers, under `name`. For hits and misses wrap each tier in `InstrumentedStorage`. */
  readonly metrics?: MetricsCollector;
  /** What metrics and messages call this chain. Default `'chain'`. */
  readonly name?: string;
  /** Gets every failure of a tier. Default: a process warning, once until the tier works again. */
  readonly onError?: OnError;
  /** For tests: `fakeClock()` of `advanced-caching/testing`. Default: the system's. */
  readonly clock?: Clock;
}

const OPTIONS = ['ttls', 'timeout', 'metrics', 'name', 'onError', 'clock'] as const satisfies readonly (keyof ChainOptions)[];
const DEFAULT_TIMEOUT = 5;

export interface ChainSettings extends TierContext {
  /** Seconds, one for each tier. */
  readonly caps: readonly number[];
}

/** @throws TypeError or RangeError that says what was expected of the tiers and the options, and what came */
export function chainSettings(tiers: readonly unknown[], options: ChainOptions): ChainSettings {
  checkTiers(tiers);
  checkOptions('ChainCache', options, OPTIONS);
  const { name = 'chain', metrics, onError, clock = systemClock } = options;
  if (typeof name !== 'string' || name === '') refuse('name', 'a non-empty string', name);
  if (metrics !== undefined) checkMetrics(metrics);
  checkFunction('onError', onError);
  if (typeof clock?.wall !== 'function') refuse('clock', 'a Clock', clock);
  const timeout = toSeconds(options.timeout ?? DEFAULT_TIMEOUT, 'timeout');
  if (timeout === 0) throw new RangeError('Expected `timeout` to be above 0, got 0: `Infinity` is no limit');
  return {
    name,
    clock,
    timeout,
    metrics: metrics && guardMetrics(metrics, onError),
    onError,
    caps: capsOf(options.ttls, tiers.length),
  };
}

function checkTiers(tiers: readonly unknown[]): void {
  if (!Array.isArray(tiers) || tiers.length === 0) throw new TypeError('Expected a chain of one store or more, got none');
  for (const [level, store] of tiers.entries()) {
    if (!isCacheStorage(store)) refuse(`tier ${level + 1}`, 'a store (an object with every method of CacheStorage)', store);
    if (tiers.indexOf(store) < level)
      throw new TypeError(`Expected every tier to be a store of its own, got one twice (tier ${level + 1})`);
  }
}

/** @throws RangeError unless there is a duration above 0 for each tier */
function capsOf(ttls: readonly Duration[] | undefined, count: number): number[] {
  if (ttls === undefined) return new Array<number>(count).fill(Infinity);
  if (!Array.isArray(ttls)) refuse('ttls', 'an array of durations', ttls);
  if (ttls.length !== count) throw new RangeError(`Expected \`ttls\` to hold one duration a tier (${count}), got ${ttls.length}`);
  return (ttls as readonly Duration[]).map((ttl, level) => {
    const seconds = toSeconds(ttl, `ttls[${level}]`);
    if (seconds === 0) throw new RangeError(`Expected \`ttls[${level}]\` to be above 0, got 0: leave the tier out instead`);
    return seconds;
  });
}
