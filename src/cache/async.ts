import { type CacheEntry, type Freshness, freshness } from '../core/entry.js';
import { SingleFlight } from '../concurrency/single-flight.js';
import { Airborne } from './airborne.js';
import { RefreshLock } from './refresh-lock.js';
import type { Args, Call, Setup } from './setup.js';

interface Outcome {
  readonly value: unknown;
  readonly worth: Freshness;
}

/**
 * The decision table for an asynchronous store (see `cache.ts`). Calls of one key at one time share the lookup too: a thousand
 * callers cost the store one read, and one that looked before another's load was stored can't start a second load.
 */
export function asyncCall(setup: Setup): Call {
  const { fn, ttl, stale, store, clock, recorder } = setup;
  const lookups = new SingleFlight<string, Outcome>();
  const loads = new SingleFlight<string, unknown>();
  const writes = new Map<string, Promise<unknown>>();
  const refreshing = new Set<string>();
  const lock = new RefreshLock(store, clock, stale, (error) => recorder.storeFailed('lock', error));
  const airborne = new Airborne(store, {
    forget(key) {
      lookups.forget(key);
      loads.forget(key);
    },
    forgetAll() {
      lookups.forgetAll();
      loads.forgetAll();
    },
    writing: (key) => writes.get(key),
  });
  const now = (): number => clock.wall() / 1000;

  const onFault = (error: Error, isReported: boolean): void => {
    if (isReported) recorder.error('get', error);
    else recorder.storeFailed('get', error);
  };

  const find = async (key: string): Promise<CacheEntry | undefined> => {
    const started = recorder.start();
    try {
      return await store.getEntry(key, onFault);
    } catch (error) {
      recorder.storeFailed('get', error);
      return undefined;
    } finally {
      if (recorder.isOn) recorder.latency('get', started);
    }
  };

  /** Waits for the write: who has awaited a call finds its value in the store. */
  const keep = async (key: string, value: unknown): Promise<void> => {
    const started = recorder.start();
    let write: Promise<unknown> | undefined;
    try {
      const createdAt = now();
      write = Promise.resolve(store.setEntry(key, { value, freshUntil: createdAt + ttl, createdAt }, stale));
      writes.set(key, write);
      await write;
      recorder.set(key);
    } catch (error) {
      recorder.storeFailed('set', error);
    } finally {
      if (writes.get(key) === write) writes.delete(key);
      if (recorder.isOn) recorder.latency('set', started);
    }
  };

  const load = (self: unknown, args: Args, key: string): Promise<unknown> =>
    loads.run(key, async (flight) => {
      airborne.begin();
      try {
        const value = await recorder.load(key, () => Reflect.apply(fn, self, args) as unknown);
        if (flight.current) await keep(key, value);
        return value;
      } finally {
        airborne.end();
      }
    }) as Promise<unknown>;

  const loadForCaller = async (self: unknown, args: Args, key: string): Promise<unknown> => {
    try {
      return await load(self, args, key);
    } catch (error) {
      recorder.error('load', error);
      throw error;
    }
  };

  const refresh = async (self: unknown, args: Args, key: string): Promise<void> => {
    const release = await lock.take(key);
    // Another process refreshes it.
    if (!release) return;
    const started = recorder.start();
    try {
      // Claimed, now look again: another process may have refreshed it, or someone invalidated it, in between.
      const entry = await find(key);
      if (!entry || now() < entry.freshUntil || loads.joinable(key)) return;
      await load(self, args, key);
      recorder.refreshed(started);
    } catch (error) {
      recorder.refreshFailed(started, error);
    } finally {
      await release();
    }
  };

  const lookup = async (self: unknown, args: Args, key: string): Promise<Outcome> => {
    const entry = await find(key);
    const worth = entry ? freshness(entry, stale, now()) : 'dead';
    if (!entry || worth === 'dead') return { value: await loadForCaller(self, args, key), worth: 'dead' };
    if (worth === 'stale' && !refreshing.has(key) && !loads.joinable(key)) {
      refreshing.add(key);
      setImmediate(() => void refresh(self, args, key).finally(() => refreshing.delete(key)));
    }
    return { value: entry.value, worth };
  };

  return async (self, args, key) => {
    airborne.begin();
    try {
      const outcome = await lookups.run(key, () => lookup(self, args, key));
      recorder.lookup(key, outcome.worth);
      return outcome.value;
    } catch (error) {
      recorder.lookup(key, 'dead');
      throw error;
    } finally {
      airborne.end();
    }
  };
}
