import { systemClock } from '../core/clock.js';
import type { Duration } from '../core/duration.js';
import { DuplicateWriterError, StoppedError } from '../core/errors.js';
import type { MetricsCollector } from '../core/metrics.js';
import { type ErrorSummary, summarize } from '../core/packed-error.js';
import { type OnError, report } from '../core/report.js';
import type { Serializer } from '../core/serializer.js';
import type { CacheStorage } from '../core/store.js';
import { fleetName } from '../link/fleet/name.js';
import { linkClient, type LinkHandle } from '../link/thread/link-client.js';
import { createKeyedReader } from '../keyed/reader.js';
import { emitPublish, emitTakeover } from '../metrics/events.js';
import { recordRefresh } from '../metrics/refresh.js';
import { announceRing, seekRing, withdrawRing } from '../mirror/directory.js';
import { holderOf, type Ring } from '../mirror/layout.js';
import { placeSettings } from './host-ring.js';
import type { Reader } from '../mirror/reader.js';
import { createMirror, type Mirror } from './mirror.js';
import { holdProcess, writers } from './registry.js';
import type { FleetPlan } from './fleet-options.js';
import { standForFleet } from './fleet-writer.js';
import type { WriterPlan } from './plan.js';
import type { Engine, WriterEvents } from './ring-writer.js';
import { RingSource } from './ring-source.js';
import { storeKeeper } from './store-keeper.js';
import { takeRing } from './writer-ring.js';

/** How far a writer reaches, and how many of it there are. */
export type Scope = 'process' | 'host' | 'fleet';

/**
 * `standby`: another process has the writer. `initializing`: no value was published yet. `live`: the last refresh succeeded.
 * `interrupted`: the last one failed, or Redis doesn't take what it brought; the value before is served. `closed`: stopped.
 */
export type WriterState = 'standby' | 'initializing' | 'live' | 'interrupted' | 'closed';

/** Plain data. Moments are Unix time in seconds, spans are seconds. */
export interface WriterStatus {
  readonly key: string;
  readonly name: string;
  readonly scope: Scope;
  readonly state: WriterState;
  readonly since: number;
  readonly epoch: number;
  readonly version: number;
  readonly createdAt: number | undefined;
  readonly age: number | undefined;
  /** Of this process. */
  readonly refreshes: number;
  readonly failures: number;
  readonly consecutiveFailures: number;
  /** Starts that were delayed because the refresh before outlasted its interval. */
  readonly late: number;
  readonly lastDuration: number | undefined;
  readonly nextAt: number | undefined;
  readonly lastError: ErrorSummary | undefined;
  /** Of scope `'fleet'`: the id of who writes, as far as this thread knows. */
  readonly writer?: string | undefined;
  /** Of scope `'fleet'`: for how long that one has its role if nothing more is heard of it, as far as this thread knows. */
  readonly leaseLeft?: number | undefined;
  /** Of scope `'fleet'`: how long the value took from its load to this process. */
  readonly lag?: number | undefined;
}

/** The writer's side: a function that answers the published value, and what can be asked of it. */
export interface Writer<T> {
  /** What readers see: `undefined` before the first publication. */
  (): T | undefined;
  readonly key: string;
  /**
   * Runs the loader now, or joins the run under way; resolves when its value is published.
   *
   * @throws (rejects) what made the refresh fail; StoppedError after `stop`, and while another process has the writer
   */
  refresh(): Promise<void>;
  /** As of a mirror. */
  ready(timeout?: Duration): Promise<T>;
  /** Ends the schedule, waiting for a refresh under way. Readers keep the value; of a host's or fleet's key another process takes over. Idempotent. */
  stop(): Promise<void>;
  status(): WriterStatus;
}

export interface WriterOptions {
  readonly plan: WriterPlan;
  readonly name: string;
  readonly scope: Scope;
  readonly store: CacheStorage | undefined;
  readonly metrics: MetricsCollector | undefined;
  readonly onError: OnError | undefined;
  readonly ref: boolean;
  /** For reading what was published, where it isn't one that a snapshot names. */
  readonly serializer: Serializer | undefined;
  /** Of scope `'fleet'`. */
  readonly fleet: FleetPlan | undefined;
  /** Whether the loader runs in another thread. */
  readonly isElsewhere: boolean;
  /** Makes what runs the loader. */
  readonly makeEngine: (ring: Ring, events: WriterEvents) => Engine;
}

/** What the lookups of a writer itself keep decoded. */
const WRITERS_MEMO = { maxEntries: 1000, maxBytes: 1024 * 1024 };

/** Registers a writer for a key and starts it. */
export function createWriter<T>(options: WriterOptions): Writer<T> {
  const { plan, name, scope, store, metrics, onError, fleet, isElsewhere } = options;
  const { key } = plan;
  const ringName = fleet ? fleetName(fleet.store, key) : key;
  if (writers.has(key)) throw new DuplicateWriterError(`'${key}' has a writer in this thread already`);
  const { ring, foreign, numbers, giveBack } = takeRing(plan, ringName, scope, onError);
  const startedAt = systemClock.wall();
  let state: WriterState = scope === 'process' ? 'initializing' : 'standby';
  let since = startedAt;
  let refreshes = 0;
  let failures = 0;
  let consecutiveFailures = 0;
  let lastDurationMs: number | undefined;
  let problem: { error: Error; at: number; kind?: string } | undefined;
  let link: LinkHandle | undefined;
  let stopped: Promise<void> | undefined;

  const setState = (next: WriterState): void => {
    if (state === next || state === 'closed') return;
    state = next;
    since = systemClock.wall();
  };
  const fail = (error: Error, kind?: string): void => {
    problem = { error, at: systemClock.wall(), ...(kind === undefined ? {} : { kind }) };
    report(error, onError, `the writer of '${key}'`);
  };
  const events: WriterEvents = {
    onPublished(meta, durationMs) {
      refreshes++;
      consecutiveFailures = 0;
      lastDurationMs = durationMs;
      setState('live');
      keeper?.keep(meta);
      recordRefresh(metrics, { name, key, durationSeconds: durationMs / 1000, isElsewhere });
      emitPublish({ cache: name, key, scope, epoch: meta.epoch, version: meta.version });
    },
    onFailed(error, durationMs) {
      failures++;
      consecutiveFailures++;
      lastDurationMs = durationMs;
      if (state === 'live') setState('interrupted');
      recordRefresh(metrics, { name, key, durationSeconds: durationMs / 1000, failure: { error }, isElsewhere });
      fail(error);
    },
  };
  // With a fleet, the store is the way of every publication.
  const keeper =
    store && !fleet ? storeKeeper(store, { key, name, metrics, onError, read: () => source.read(), ring: () => source.ring }) : undefined;
  const standing =
    fleet &&
    standForFleet({
      plan,
      fleet,
      name: ringName,
      makeEngine: options.makeEngine,
      events,
      ring: () => source.ring,
      state: () => state,
      setState,
      onProblem: fail,
      onGranted: (epoch) => emitTakeover({ cache: name, key, scope, epoch }),
      onDuplicate: (error) => {
        fail(error);
        void stop({ abort: true });
      },
    });
  const engine: Engine = standing?.engine ?? options.makeEngine(ring, events);

  if (scope === 'process') {
    try {
      engine.lead(numbers);
    } catch (error) {
      giveBack();
      throw error;
    }
  }
  // Of the host's keys the link thread says which ring is the process's.
  if (scope === 'process') announceRing(key, ring);
  const source = new RingSource<T>({
    key,
    name: ringName,
    ring,
    pollInterval: 1000,
    maxBytes: plan.maxBytes,
    freeze: true,
    serializer: options.serializer,
    onError,
    makeReader: plan.keyed ? (common) => createKeyedReader({ ...common, memo: WRITERS_MEMO }) as unknown as Reader<T> : undefined,
  });
  const release = options.ref ? holdProcess() : (): void => {};

  if (scope === 'host') {
    link = linkClient.want(
      { role: 'lead', key, maxBytes: plan.maxBytes, pollInterval: 1000, ring: () => source.ring, ...placeSettings() },
      {
        onGranted(lead) {
          setState('initializing');
          emitTakeover({ cache: name, key, scope, epoch: lead.epoch });
          try {
            engine.lead(lead);
          } catch (error) {
            fail(error as Error);
          }
        },
        onStandBy() {
          engine.standBy();
          setState('standby');
        },
        onDuplicate() {
          fail(new DuplicateWriterError(`'${key}' has a writer in another thread of this process`));
          void stop({ abort: true });
        },
        onProblem: fail,
      },
    );
  }
  standing?.start();
  // Two threads that registered the key at the same moment hear of each other here: the older ring stays.
  const stopListening = seekRing(key, (other) => {
    if (scope !== 'process' || other.instance === ring.instance || other.scope !== 'process') return;
    if (holderOf(other) === undefined || other.born > ring.born || foreign === other.instance) return;
    void stop({ abort: true });
    fail(new DuplicateWriterError(`'${key}' has a writer in another thread of this process`));
    withdrawRing(key, ring);
    announceRing(key, other);
  });

  function stop(how: { abort: boolean }): Promise<void> {
    // A stop that waits becomes one that doesn't.
    if (stopped && how.abort) void Promise.all([engine.stop(how), keeper?.stop(how)]);
    stopped ??= (async () => {
      setState('closed');
      stopListening();
      await engine.stop(how);
      giveBack();
      link?.drop();
      await keeper?.stop(how);
      await standing?.close();
      release();
      writers.delete(key);
      mirror.close();
    })();
    return stopped;
  }

  function status(): WriterStatus {
    const newest = source.read() === undefined ? undefined : source.meta();
    const schedule = engine.schedule();
    return {
      key,
      name,
      scope,
      state,
      since: since / 1000,
      epoch: newest?.epoch ?? 0,
      version: source.version(),
      createdAt: newest && newest.createdAt / 1000,
      age: newest && Math.max(0, systemClock.monotonic() - newest.createdAtMonotonic) / 1000,
      refreshes,
      failures,
      consecutiveFailures,
      late: schedule?.late ?? 0,
      lastDuration: lastDurationMs === undefined ? undefined : lastDurationMs / 1000,
      nextAt: schedule?.nextAt === undefined ? undefined : schedule.nextAt / 1000,
      lastError: problem && summarize(problem.error, problem.at, problem.kind),
      ...standing?.status(),
    };
  }

  const mirror: Mirror<T> = createMirror<T>(source, { key, ttl: undefined, onStale: 'serve', onError, onClose: () => {} });
  const read = (): T | undefined => source.read();
  const refresh = (): Promise<void> =>
    state === 'closed' ? Promise.reject(new StoppedError(`The writer of '${key}' is stopped`)) : engine.refresh();
  writers.set(key, { status, stop, refresh, read });
  return Object.defineProperty(
    Object.assign(read, {
      key,
      refresh,
      ready: (timeout?: Duration) => mirror.ready(timeout),
      stop: () => stop({ abort: false }),
      status,
    }),
    'name',
    { value: name },
  );
}
