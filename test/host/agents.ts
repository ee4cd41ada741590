import type { ExecutionContext } from 'ava';
import { type Child, type Exit, type SpawnOptions, spawnNode, tempDir, until } from '../support/process.js';
import type { scope } from './fixtures/agent.js';

export type Scope = typeof scope;
export { until };

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** For a machine that is busy with other tests: nothing is asserted of it. */
const DEADLINE = 60_000;

/** Sends functions to an agent (test/host/fixtures/agent.js), or to a thread or process that it has. They can't close over anything. */
export class Agent {
  readonly child: Child;
  readonly #path: readonly string[];
  readonly #deadline: number;
  static #lastId = 0;

  constructor(child: Child, path: readonly string[] = [], deadline = DEADLINE) {
    this.child = child;
    this.#path = path;
    this.#deadline = deadline;
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Calls `fn` there, and answers what it gives (as JSON, or structured clone). */
  run<R, A extends unknown[]>(fn: (scope: Scope, ...args: A) => R, ...args: A): Promise<Awaited<R>> {
    return this.#order({ code: fn.toString(), args }) as Promise<Awaited<R>>;
  }

  /** Starts an agent inside this one. */
  async start(kind: 'thread' | 'fork' | 'cluster', name: string): Promise<Agent> {
    const path = [...this.#path, name];
    await this.#order({ start: kind, path });
    return new Agent(this.child, path, this.#deadline);
  }

  /** Polls `fn` there until it gives something truthy, and answers that. */
  until<R, A extends unknown[]>(what: string, fn: (scope: Scope, ...args: A) => R, ...args: A): ReturnType<typeof until<Awaited<R>>> {
    return until(() => this.run(fn, ...args), { what, deadline: this.#deadline });
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.child.kill(signal);
    return this.child.exited;
  }

  async #order(order: object): Promise<unknown> {
    const id = ++Agent.#lastId;
    this.child.send({ path: this.#path, ...order, id });
    const answer = await this.child.message<Answer>((message) => message.id === id, this.#deadline);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value;
  }
}

/** What starts agents that share a namespace of their own. */
export interface Host {
  readonly directory: string;
  start(options?: Pick<SpawnOptions, 'env' | 'execArgv' | 'node'>): Promise<Agent>;
}

export function makeHost(t: ExecutionContext, directory: string = tempDir(t)): Host {
  return {
    directory,
    start: async (options = {}) => {
      const child = spawnNode(t, new URL('./fixtures/agent.js', import.meta.url), {
        ...options,
        env: { ADVANCED_CACHING_DIRECTORY: directory, ADVANCED_CACHING_NAMESPACE: t.title, ...options.env },
      });
      const agent = new Agent(child);
      await child.message<Answer>(({ id }) => id === 0, DEADLINE);
      return agent;
    },
  };
}

/** Waits until the agent, which follows `key`, has a record of the process `pid`. */
export function sees(agent: Agent, key: string, pid: number): Promise<unknown> {
  return agent.until(
    `a record of ${pid} in ${agent.pid}`,
    ({ followed }, of, from) => followed.get(of)?.last()?.pid === from && followed.get(of)?.mirror.status().state === 'live',
    key,
    pid,
  );
}
