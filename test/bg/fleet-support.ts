/**
 * Fleets of real processes: hosts (each a directory and so a key space of its own), a real Redis, and the agents of test/host, which check
 * everything that they read: whole, never backward, one content for each number.
 */
import type { ExecutionContext } from 'ava';
import type { MirrorStatus, WriterStatus } from '../../dist/index.js';
import { type Agent, type Host, makeHost, until } from '../host/agents.js';
import { startRedis, type RedisServer } from '../support/redis.js';

export { type Agent, type Host, makeHost, until };

export interface Fleet {
  readonly server: RedisServer;
  /** Two hosts. */
  readonly a: Host;
  readonly b: Host;
}

export async function makeFleet(t: ExecutionContext): Promise<Fleet> {
  return { server: await startRedis(t), a: makeHost(t), b: makeHost(t) };
}

export interface Part {
  /** Registers the writer of 'k', with these options. */
  readonly write?: { readonly interval?: number; readonly lease?: number; readonly size?: number; readonly scope?: string };
  /** Follows 'k' through the store, with these options; `false`: without a store. */
  readonly read?: { readonly interval?: number; readonly via?: string; readonly maxBytes?: number } | false;
  /** By how much the process's wall clock is wrong. */
  readonly hours?: number;
}

const SKEW = new URL('./fixtures/skew.js', import.meta.url).href;

/** A process of a host. It speaks to the Redis at `address`. */
export async function join(host: Host, address: string, { write, read, hours = 0 }: Part): Promise<Agent> {
  const agent = await host.start({ env: { REDIS: address, SKEW_HOURS: String(hours) }, execArgv: hours ? ['--import', SKEW] : [] });
  await agent.run(
    async (scope, writing, reading) => {
      if (writing || reading) {
        const store = await scope.openStore();
        Object.assign(scope.box, { store });
        if (writing)
          scope.write('k', { scope: 'fleet', store, ...(writing.scope && writing.scope !== 'fleet' ? {} : { lease: 1 }), ...writing });
        if (reading) scope.follow('k', { store, interval: 30, ...reading });
      }
      if (reading === false) scope.follow('k');
    },
    write,
    // JSON has no undefined.
    read ?? null,
  );
  return agent;
}

export const writerOf = (agent: Agent): Promise<WriterStatus> => agent.run(({ writers }) => writers.get('k').status());

export const mirrorOf = (agent: Agent): Promise<MirrorStatus> =>
  agent.run(({ followed }) => followed.get('k')?.mirror.status() as unknown as MirrorStatus);

export const pidSeen = (agent: Agent): Promise<number | undefined> => agent.run(({ followed }) => followed.get('k')?.last()?.pid);

/** Waits until the agent's writer is the fleet's. */
export const leads = (agent: Agent): Promise<unknown> =>
  agent.until(`${agent.pid} leads`, ({ writers }) => writers.get('k').status().state === 'live');

/** Waits until the agent has read a value of the process `pid`. */
export const sees = (agent: Agent, pid: number): Promise<unknown> =>
  agent.until(`a value of ${pid} in ${agent.pid}`, ({ followed }, from) => followed.get('k')?.last()?.pid === from, pid);

/** Waits until the agent has a later version than now. */
export async function goesOn(...agents: readonly Agent[]): Promise<void> {
  await Promise.all(
    agents.map(async (agent) => {
      const { epoch, version } = await mirrorOf(agent);
      await agent.until(
        `a version after ${epoch}/${version} in ${agent.pid}`,
        ({ followed }, e, v) => {
          const status = followed.get('k')?.mirror.status();
          return status && (status.epoch > e || (status.epoch === e && status.version > v));
        },
        epoch,
        version,
      );
    }),
  );
}

/** What none of them may ever see. */
export async function neverWrong(t: ExecutionContext, ...agents: readonly Agent[]): Promise<void> {
  for (const agent of agents) {
    t.like(await agent.run(({ followed }) => followed.get('k')?.seen), { backward: 0, torn: 0, foreign: 0, threw: 0 });
    t.deepEqual(await agent.run(({ faults }) => faults), []);
  }
}
