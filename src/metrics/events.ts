/**
 * What happens, as events of `node:diagnostics_channel`: for tools that watch a process without its code knowing of them. Nothing is made
 * for a channel that nobody listens to.
 *
 * No event holds a value, an error's message, or a key of a cached function: of that a hash, by which two events of one key are seen to be.
 * The keys of `bg` are in clear, since they are names.
 *
 * As with every channel of Node, what a listener throws ends the process: it is not ours to catch.
 */
import { createHash } from 'node:crypto';
import { type Channel, channel } from 'node:diagnostics_channel';
import type { Freshness } from '../core/entry.js';
import { wordOf } from './names.js';

interface OfKey {
  /** The cache's name. */
  readonly cache: string;
  /** The first 8 hexadecimal digits of the SHA-256 of the key. */
  readonly keyHash: string;
}

/** `advanced-caching:hit` */
export interface HitEvent extends OfKey {
  /** Whether the value was stale, and is refreshed in the background. */
  readonly stale: boolean;
}

/** `advanced-caching:miss` */
export type MissEvent = OfKey;

/** `advanced-caching:load`: a loader has ended: a cached function's, that of `bg`, or of `bg.write`. */
export interface LoadEvent {
  readonly cache: string;
  /** Of a cached function. */
  readonly keyHash?: string;
  /** Of `bg` and `bg.write`. */
  readonly key?: string;
  readonly durationSeconds: number;
  readonly success: boolean;
}

/** `advanced-caching:publish`: a writer of this process has published a version, or found the value unchanged. */
export interface PublishEvent {
  readonly cache: string;
  readonly key: string;
  readonly scope: string;
  readonly epoch: number;
  readonly version: number;
}

/** `advanced-caching:takeover`: this process has become the writer of a key. */
export interface TakeoverEvent {
  readonly cache: string;
  readonly key: string;
  readonly scope: string;
  readonly epoch: number;
}

/** `advanced-caching:error`: something failed, whether or not a caller gets the error. */
export interface ErrorEvent {
  readonly cache: string;
  readonly operation: string;
  /** The name of the error's class. */
  readonly errorType: string;
  readonly code?: string;
}

/** For the hot path, which asks `hasSubscribers` itself. */
export const hits: Channel = channel('advanced-caching:hit');
const misses = channel('advanced-caching:miss');
export const loads: Channel = channel('advanced-caching:load');
const publishes = channel('advanced-caching:publish');
const takeovers = channel('advanced-caching:takeover');
const errors = channel('advanced-caching:error');

export function emitLookup(cache: string, key: string, worth: Freshness): void {
  if (worth === 'dead') {
    if (misses.hasSubscribers) misses.publish({ cache, keyHash: keyHash(key) } satisfies MissEvent);
  } else if (hits.hasSubscribers) hits.publish({ cache, keyHash: keyHash(key), stale: worth === 'stale' } satisfies HitEvent);
}

/** Of a cached function. */
export function emitLoad(cache: string, key: string, durationSeconds: number, success: boolean): void {
  if (loads.hasSubscribers) loads.publish({ cache, keyHash: keyHash(key), durationSeconds, success } satisfies LoadEvent);
}

/** Of `bg` and `bg.write`: a run of the loader. */
export function emitRefresh(cache: string, key: string, durationSeconds: number, failure?: { readonly error: unknown }): void {
  if (loads.hasSubscribers) loads.publish({ cache, key, durationSeconds, success: failure === undefined } satisfies LoadEvent);
  if (failure) emitError(cache, 'refresh', failure.error);
}

export function emitPublish(event: PublishEvent): void {
  if (publishes.hasSubscribers) publishes.publish(event);
}

export function emitTakeover(event: TakeoverEvent): void {
  if (takeovers.hasSubscribers) takeovers.publish(event);
}

export function emitError(cache: string, operation: string, error: unknown): void {
  if (!errors.hasSubscribers) return;
  const code = (error as { code?: unknown } | null | undefined)?.code;
  const isWord = typeof code === 'string' && wordOf(code, '') !== '';
  errors.publish({ cache, operation, errorType: errorTypeOf(error), ...(isWord ? { code } : {}) } satisfies ErrorEvent);
}

/** What metrics and events call an error: the name of its class, if that is one. */
export function errorTypeOf(error: unknown): string {
  return error instanceof Error ? wordOf(error.name, 'Error') : typeof error;
}

function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}
