import { type Duration, toSeconds } from '../core/duration.js';
import { checkBoolean, checkFunction, checkKey, checkOneOf, refuse, show } from '../core/options.js';
import type { OnError } from '../core/report.js';
import { guardMetrics, checkMetrics } from '../metrics/guard.js';
import type { MetricsCollector } from '../core/metrics.js';
import type { Scope } from './writer.js';

/** The options that `bg` and `bg.write` share. */
export interface RefreshOptions {
  /** The key of the value: no placeholders, since there is one value. */
  readonly key: string;
  /** How long a value counts as fresh; default twice the interval. It is served on when it is older. */
  readonly ttl?: Duration | undefined;
  /** What metrics call it; default the name of the function, else the key. */
  readonly name?: string | undefined;
  readonly metrics?: MetricsCollector | undefined;
  /** Gets the error of each failed refresh; default a process warning. What it throws is reported, and hurts nobody. */
  readonly onError?: OnError | undefined;
  /** Whether the first refresh runs at once (default) or after one interval. */
  readonly runImmediately?: boolean | undefined;
  /** Default `'process'`. `'fleet'` needs a `store`, a RedisCache that the hosts share. */
  readonly scope?: Scope | undefined;
  /**
   * With scope `'fleet'`: how long the writer keeps its role when nothing is heard of it, so how long a takeover takes at most. It
   * renews it at a third of that. Default 10 s.
   */
  readonly lease?: Duration | undefined;
}

/** @throws TypeError for what isn't a key, or has the braces of a template */
export function checkStaticKey(key: unknown): asserts key is string {
  checkKey('key', key);
  if (/\{[^}]*\}/.test(key)) {
    throw new TypeError(`Expected \`key\` to be without placeholders (there is one value, whoever asks), got ${show(key)}`);
  }
}

/** Milliseconds. */
export function milliseconds(duration: Duration, name: string): number {
  return toSeconds(duration, name) * 1000;
}

/** An interval in milliseconds: a duration that a timer can keep. @throws RangeError */
export function intervalOf(interval: Duration): number {
  const ms = milliseconds(interval, 'interval');
  if (!Number.isFinite(ms)) throw new RangeError(`Expected \`interval\` to be finite, got ${show(interval)}`);
  return ms;
}

/** Checks what `bg` and `bg.write` have in common, and guards the collector. */
export function checkRefreshOptions(options: RefreshOptions): MetricsCollector | undefined {
  checkStaticKey(options.key);
  checkFunction('onError', options.onError);
  checkBoolean('runImmediately', options.runImmediately);
  checkOneOf('scope', options.scope, ['process', 'host', 'fleet']);
  if (options.name !== undefined && typeof options.name !== 'string') refuse('name', 'a string', options.name);
  if (options.metrics === undefined) return undefined;
  checkMetrics(options.metrics);
  return guardMetrics(options.metrics, options.onError);
}

/** How long a value counts as fresh, in milliseconds. */
export function freshFor(ttl: Duration | undefined, interval: number): number {
  if (ttl !== undefined) return milliseconds(ttl, 'ttl');
  return interval > 0 ? 2 * interval : Number.POSITIVE_INFINITY;
}
