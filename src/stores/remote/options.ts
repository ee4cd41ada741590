import { type Clock, systemClock } from '../../core/clock.js';
import { type Duration, toSeconds } from '../../core/duration.js';
import { checkBoolean, checkCount, checkFunction, checkOptions, refuse } from '../../core/options.js';
import type { OnError } from '../../core/report.js';
import type { Serializer } from '../../core/serializer.js';
import { DEFAULT_MAX_BYTES } from '../../core/snapshot.js';
import { type SerializerOption, resolveSerializer } from '../../serializers/resolve.js';
import { type Seal, type SecretOption, sealOf } from './seal.js';

/** What every store takes that keeps its entries as bytes elsewhere. */
export interface RemoteOptions {
  /** Default `'json'`. */
  readonly serializer?: SerializerOption;
  /**
   * Seals each entry with an HMAC-SHA256 of its key and its bytes: what anybody else wrote, changed or moved is a miss, and not even decoded. A string
   * or a `Uint8Array` of 16 bytes or more; of several the first one seals and all are accepted, for the time of a change. Default: none, and the
   * bytes are those of the Python library.
   */
  readonly secret?: SecretOption;
  /** Where a value's bytes are what this store wrote last under the key, only prolong its life. Default false. */
  readonly dedupeWrites?: boolean;
  /** How long an operation may take before it rejects with a `TimeoutError`. Default 1 s for reads, 2 s for writes. */
  readonly timeout?: Duration | { readonly read?: Duration; readonly write?: Duration };
  /** No entry of more bytes is written, and a larger one found is a miss. Default 64 MiB. */
  readonly maxBytes?: number;
  /**
   * After so many failures in a row the store isn't asked for `cooldown`, then one call tries: everything else rejects at once.
   * Default `{ failures: 5, cooldown: 1 }`; `false` for none.
   */
  readonly breaker?: false | { readonly failures?: number; readonly cooldown?: Duration };
  /** Hears of what was found and is no entry (a `WireFormatError`; the caller gets a miss). Default: `cache()` reports it, or a process warning. */
  readonly onError?: OnError;
  /** For tests: `fakeClock()` of `advanced-caching/testing`. Default: the system's. */
  readonly clock?: Clock;
}

/** The same, checked, in milliseconds. */
export interface RemoteSettings {
  readonly serializer: Serializer;
  readonly seal: Seal | undefined;
  readonly dedupeWrites: boolean;
  readonly readMs: number;
  readonly writeMs: number;
  readonly maxBytes: number;
  readonly breaker: { readonly failures: number; readonly cooldown: number } | undefined;
  readonly onError: OnError | undefined;
  readonly clock: Clock;
}

const NAMES = ['serializer', 'secret', 'dedupeWrites', 'timeout', 'maxBytes', 'breaker', 'onError', 'clock'];

const READ_TIMEOUT = 1;
const WRITE_TIMEOUT = 2;
const FAILURES = 5;
const COOLDOWN = 1;

/**
 * @param own the names of the options that the store has besides these
 * @throws TypeError or RangeError for options that can't be meant, MissingDependencyError for a serializer whose package is missing
 */
export function remoteSettings(store: string, options: RemoteOptions, own: readonly string[] = []): RemoteSettings {
  checkOptions(store, options, [...own, ...NAMES]);
  const { dedupeWrites = false, maxBytes = DEFAULT_MAX_BYTES, breaker = {}, onError, clock = systemClock } = options;
  checkBoolean('dedupeWrites', dedupeWrites);
  if (maxBytes !== Infinity) checkCount('maxBytes', maxBytes);
  checkFunction('onError', onError);
  if (typeof clock?.monotonic !== 'function') refuse('clock', 'a Clock', clock);
  return {
    serializer: resolveSerializer(options.serializer),
    seal: sealOf('entry', options),
    dedupeWrites,
    ...timeouts(options.timeout),
    maxBytes,
    breaker: breaker === false ? undefined : breakerSettings(breaker),
    onError,
    clock,
  };
}

function timeouts(timeout: RemoteOptions['timeout']): { readMs: number; writeMs: number } {
  const isPair = typeof timeout === 'object' && timeout !== null;
  if (isPair) checkOptions('timeout', timeout, ['read', 'write']);
  const { read = READ_TIMEOUT, write = WRITE_TIMEOUT } = isPair ? timeout : timeout === undefined ? {} : { read: timeout, write: timeout };
  return { readMs: positive('timeout', read) * 1000, writeMs: positive('timeout', write) * 1000 };
}

function breakerSettings(breaker: Exclude<RemoteOptions['breaker'], false | undefined>): { failures: number; cooldown: number } {
  checkOptions('breaker', breaker, ['failures', 'cooldown']);
  const { failures = FAILURES, cooldown = COOLDOWN } = breaker;
  checkCount('breaker.failures', failures);
  return { failures, cooldown: positive('breaker.cooldown', cooldown) * 1000 };
}

function positive(name: string, duration: Duration): number {
  const seconds = toSeconds(duration, name);
  if (seconds === 0) throw new RangeError(`Expected \`${name}\` to be longer than 0`);
  return seconds;
}
