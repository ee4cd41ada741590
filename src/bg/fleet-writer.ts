import { DuplicateWriterError } from '../core/errors.js';
import { FleetAgent } from '../link/fleet/agent.js';
import type { Ring } from '../mirror/layout.js';
import { FleetEngine } from './fleet-engine.js';
import type { FleetPlan } from './fleet-options.js';
import { placeSettings } from './host-ring.js';
import type { WriterPlan } from './plan.js';
import type { Engine, WriterEvents } from './ring-writer.js';
import type { WriterState, WriterStatus } from './writer.js';

export interface FleetStandingOptions {
  readonly plan: WriterPlan;
  readonly fleet: FleetPlan;
  /** Under which the ring is found. */
  readonly name: string;
  readonly makeEngine: (ring: Ring, events: WriterEvents) => Engine;
  readonly events: WriterEvents;
  /** The ring that readers of this process read. */
  ring(): Ring;
  state(): WriterState;
  setState(state: WriterState): void;
  onProblem(error: Error, kind?: string): void;
  onGranted(epoch: number): void;
  /** Another thread of the process has the writer. */
  onDuplicate(error: Error): void;
}

/** A writer's part in the fleet: it stands by, or runs the loader for all hosts. */
export interface FleetStanding {
  readonly engine: Engine;
  start(): void;
  status(): Pick<WriterStatus, 'writer' | 'leaseLeft' | 'lag'>;
  /** Gives the role up; others take over at once. */
  close(): Promise<void>;
}

export function standForFleet(options: FleetStandingOptions): FleetStanding {
  const { plan, fleet, name, events, setState, onProblem } = options;
  let agent: FleetAgent | undefined;
  /** Whether Redis takes what is published, and whether the last load went well. */
  let isTaken = true;
  let isLoaded = false;

  const engine = new FleetEngine(
    plan,
    options.makeEngine,
    {
      publish: (snapshot) => (agent as FleetAgent).publish(snapshot),
      confirm: (confirmation) => (agent as FleetAgent).confirm(confirmation),
    },
    {
      ...events,
      onPublished: (meta, durationMs) => {
        isTaken = isLoaded = true;
        events.onPublished(meta, durationMs);
      },
      onFailed: (error, durationMs) => {
        isLoaded = false;
        events.onFailed(error, durationMs);
      },
      onHeldBack: () => take(false),
    },
  );

  function take(is: boolean): void {
    isTaken = is;
    if (!isTaken && options.state() === 'live') setState('interrupted');
    else if (isTaken && isLoaded && options.state() === 'interrupted') setState('live');
  }

  function standBy(): void {
    engine.standBy();
    setState('standby');
  }

  return {
    engine,
    start() {
      agent = new FleetAgent({
        store: fleet.store,
        key: plan.key,
        name,
        ...placeSettings(),
        via: 'host',
        interval: fleet.leaseMs / 3,
        maxBytes: plan.maxBytes,
        leaseMs: fleet.leaseMs,
        ring: () => options.ring(),
        onProblem,
        writer: {
          onGranted(grant) {
            isTaken = true;
            isLoaded = false;
            setState('initializing');
            options.onGranted(grant.epoch);
            try {
              engine.lead({ epoch: grant.epoch, version: grant.last?.version ?? 0 }, grant.last);
            } catch (error) {
              onProblem(error as Error);
            }
          },
          onFollowing: standBy,
          onLost: standBy,
          onState: (state) => take(state === 'live'),
          onDuplicate: () => options.onDuplicate(new DuplicateWriterError(`'${plan.key}' has a writer in another thread of this process`)),
        },
      });
    },
    status() {
      const { writer, redis } = agent?.status() ?? {};
      const lag = agent?.hostLink()?.lag ?? redis?.lag;
      return { writer, leaseLeft: seconds(redis?.leaseLeft), lag: seconds(lag) };
    },
    close: () => agent?.close() ?? Promise.resolve(),
  };
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
