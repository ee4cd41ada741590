import { freshness } from '../core/entry.js';
import type { SyncCacheStorage } from '../core/store.js';
import { SingleFlight, isThenable } from '../concurrency/single-flight.js';
import { Node } from '../stores/node.js';
import type { NodeTable } from '../stores/node-table.js';
import { Airborne } from './airborne.js';
import type { Answers } from './answers.js';
import type { Args, Call, Setup } from './setup.js';

/** A value that is held, and until when it is fresh, on the clock of its source. */
interface Found {
  readonly value: unknown;
  readonly freshUntil: number;
}

/** Where the values are: the nodes of an `InMemCache`, or any synchronous store. */
interface Source {
  now(): number;
  find(key: string): Found | undefined;
  keep(key: string, value: unknown, isPromise: boolean): void;
}

/** The decision table for a synchronous store (see `cache.ts`): a synchronous function stays synchronous. */
export function syncCall(setup: Setup<SyncCacheStorage>, answers: Answers, table: NodeTable | undefined): Call {
  const { fn, stale, store, recorder } = setup;
  const source = table ? ofTable(setup, table) : ofStore(setup);
  const flights = new SingleFlight<string, unknown>();
  const refreshing = new Set<string>();
  const airborne = new Airborne(store, {
    forget: (key) => flights.forget(key),
    forgetAll: () => flights.forgetAll(),
    writing: () => undefined,
  });

  const find = (key: string): Found | undefined => {
    const started = recorder.startLookup();
    try {
      return source.find(key);
    } catch (error) {
      recorder.storeFailed('get', error);
      return undefined;
    } finally {
      recorder.lookedUp(started);
    }
  };

  const keep = (key: string, value: unknown, isPromise: boolean): void => {
    const started = recorder.start();
    try {
      source.keep(key, value, isPromise);
    } catch (error) {
      recorder.storeFailed('set', error);
      return;
    }
    if (!recorder.isOn) return;
    recorder.latency('set', started);
    recorder.set(key);
    // Without a bound nothing is measured.
    if (table) recorder.memory(table.bytes > 0 ? table.bytes : undefined, table.nodes.size);
  };

  const load = (self: unknown, args: Args, key: string): unknown => {
    airborne.begin();
    let result: unknown;
    try {
      result = flights.run(key, (flight) => {
        const made = recorder.load(key, () => Reflect.apply(fn, self, args) as unknown);
        if (!isThenable(made)) {
          answers.learn('plain');
          if (flight.current) keep(key, made, false);
          return made;
        }
        answers.learn('promise');
        return Promise.resolve(made).then((value) => {
          if (flight.current) keep(key, value, true);
          return value;
        });
      });
    } catch (error) {
      airborne.end();
      throw error;
    }
    if (isThenable(result))
      (result as Promise<unknown>).then(
        () => airborne.end(),
        () => airborne.end(),
      );
    else airborne.end();
    return result;
  };

  const loadForCaller = (self: unknown, args: Args, key: string): unknown => {
    const joined = flights.joinable(key);
    if (joined) return joined;
    if (!recorder.isOn) return load(self, args, key);
    try {
      const result = load(self, args, key);
      if (isThenable(result)) (result as Promise<unknown>).then(undefined, (error: unknown) => recorder.error('load', error));
      return result;
    } catch (error) {
      recorder.error('load', error);
      throw error;
    }
  };

  const refreshed = (key: string): void => {
    refreshing.delete(key);
    const node = table?.nodes.get(key);
    if (node?.refresher === answers) node.refresher = undefined;
  };

  const refresh = (self: unknown, args: Args, key: string): void => {
    const started = recorder.start();
    const failed = (error: unknown): void => recorder.refreshFailed(started, error);
    const found = find(key);
    // Someone else loaded it, or invalidated it, since it was seen stale.
    if (!found || source.now() < found.freshUntil || flights.joinable(key)) return refreshed(key);
    try {
      const result = load(self, args, key);
      if (isThenable(result)) {
        (result as Promise<unknown>).then(() => recorder.refreshed(started), failed).finally(() => refreshed(key));
        return;
      }
      recorder.refreshed(started);
    } catch (error) {
      failed(error);
    }
    refreshed(key);
  };

  return (self, args, key) => {
    const found = find(key);
    const worth = found ? freshness(found, stale, source.now()) : 'dead';
    recorder.lookup(key, worth);
    if (!found || worth === 'dead') return loadForCaller(self, args, key);
    if (worth === 'stale' && !refreshing.has(key) && !flights.joinable(key)) {
      refreshing.add(key);
      // Not in the caller's time: a synchronous function would make it wait.
      setImmediate(refresh, self, args, key);
    }
    if (!(found instanceof Node)) return answers.of(found.value);
    if (worth === 'stale' && table?.isSystem && refreshing.has(key)) found.refresher = answers;
    return answers.ofNode(found);
  };
}

function ofTable({ ttl, stale }: Setup, table: NodeTable): Source {
  return {
    now: () => table.now(),
    find(key) {
      const node = table.held(key);
      if (node) node.visited = 1;
      return node;
    },
    keep(key, value, isPromise) {
      const wall = table.wall();
      const node = table.put(key, value, ttl, ttl + stale, wall + ttl, wall);
      if (node && isPromise) node.promise = Promise.resolve(value);
    },
  };
}

function ofStore({ ttl, stale, store, clock }: Setup<SyncCacheStorage>): Source {
  return {
    now: () => clock.wall() / 1000,
    find: (key) => store.getEntry(key),
    keep(key, value) {
      const now = clock.wall() / 1000;
      store.setEntry(key, { value, freshUntil: now + ttl, createdAt: now }, stale);
    },
  };
}
