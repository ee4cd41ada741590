import { systemClock } from '../core/clock.js';
import { FleetAgent } from '../link/fleet/agent.js';
import { fleetName } from '../link/fleet/name.js';
import type { MetricsCollector } from '../core/metrics.js';
import type { RedisCache } from '../stores/redis/redis-cache.js';
import { placeSettings } from './host-ring.js';
import type { FleetConnection, RingSourceOptions } from './ring-source.js';

export interface FleetReading {
  readonly key: string;
  readonly store: RedisCache;
  readonly via: 'host' | 'direct';
  /** Milliseconds; 0: only the first look, and what is announced. */
  readonly interval: number;
  readonly runImmediately: boolean;
  readonly maxBytes: number;
  readonly metrics: MetricsCollector | undefined;
}

/** What makes a RingSource read a fleet's value: its name, and the thread's part in bringing it here. */
export function fleetReading({
  key,
  store,
  via,
  interval,
  runImmediately,
  maxBytes,
  metrics,
}: FleetReading): Required<Pick<RingSourceOptions<never>, 'name' | 'connect'>> {
  const name = fleetName(store, key);
  return {
    name,
    connect: ({ ring, fail }) =>
      delayed(runImmediately ? 0 : interval, () => {
        const agent: FleetAgent = new FleetAgent({
          store,
          key,
          name,
          ...placeSettings(),
          via,
          interval: interval > 0 ? interval : Number.POSITIVE_INFINITY,
          maxBytes,
          ring,
          onProblem: (error, kind) => {
            metrics?.recordBackgroundRefresh(key, { success: false });
            fail(error, kind);
          },
          onRefreshed: () => metrics?.recordBackgroundRefresh(key, { success: true }),
        });
        return agent;
      }),
  };
}

/** A connection that is made after `ms` milliseconds. */
function delayed(ms: number, make: () => FleetAgent): FleetConnection {
  let agent: FleetAgent | undefined;
  const timer = ms > 0 ? systemClock.setTimer(() => (agent = make()), ms) : undefined;
  if (timer) timer.unref();
  else agent = make();
  return {
    hostLink: () => agent?.hostLink(),
    status: () => agent?.status() ?? { via: 'host', writer: undefined, redis: undefined },
    close: () => {
      timer?.cancel();
      void agent?.close();
    },
  };
}
