import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { hostPlace, type HostPlace, type SocketKind } from '../../dist/link/host/place.js';
import type { Snapshot } from '../../dist/core/snapshot.js';

/** The other kind of socket is tested on this platform too. */
export const KINDS: readonly SocketKind[] =
  process.platform === 'linux' ? ['abstract', 'file'] : [process.platform === 'win32' ? 'pipe' : 'file'];

const MEMBER = fileURLToPath(new URL('fixtures/member.js', import.meta.url));

/** A directory that the test's end deletes. */
export function scratch(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'acl-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function scratchPlace(t: ExecutionContext, sockets?: SocketKind): HostPlace {
  return hostPlace({ namespace: t.title, directory: scratch(t), ...(sockets ? { sockets } : {}) });
}

export interface MemberEvent {
  readonly event: string;
  readonly pid: number;
  readonly id?: number;
  readonly epoch?: number;
  readonly version?: number;
  readonly last?: number;
  readonly whole?: boolean;
  readonly at?: number;
  readonly message?: string;
  readonly rss?: number;
  readonly fds?: number;
  readonly files?: readonly string[];
  readonly status?: {
    readonly state: string;
    readonly epoch: number;
    readonly version: number;
    readonly readers: number;
    readonly connections: number;
  };
}

/** A child process in the role of a candidate or follower, and all it told. */
export class Member {
  readonly events: MemberEvent[] = [];
  readonly child: ChildProcess;
  #lastId = 0;

  constructor(t: ExecutionContext, options: Record<string, unknown>) {
    this.child = fork(MEMBER, [JSON.stringify(options)], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', (message) => this.events.push(message as MemberEvent));
    t.teardown(async () => {
      await this.kill();
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  of(event: string): MemberEvent[] {
    return this.events.filter((told) => told.event === event);
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await gone;
  }

  /** Sends a command; resolves with what the member answers when it is done. */
  async ask(command: Record<string, unknown>): Promise<MemberEvent> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.child.send({ ...command, id });
    return until(() => this.events.find((told) => told.event === 'done' && told.id === id), `the answer to ${JSON.stringify(command)}`);
  }
}

/** Polls for a condition; rejects when the deadline passes. */
export async function until<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
  deadline = 30_000,
): Promise<T> {
  const end = Date.now() + deadline;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > end) throw new Error(`Not within ${deadline} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The snapshots that a member saw: whole each, never backward. */
export function checkHistory(t: ExecutionContext, member: Member): number {
  const seen = member.of('snapshot');
  for (const [index, { epoch = 0, version = 0, whole }] of seen.entries()) {
    t.true(whole, `torn: ${epoch}/${version}`);
    const before = seen[index - 1];
    if (before) t.true(epoch > before.epoch! || (epoch === before.epoch && version > before.version!), `backward: ${epoch}/${version}`);
  }
  return seen.length;
}

export function snapshotOf(epoch: number, version: number, bytes: Uint8Array = Buffer.from('"x"')): Snapshot {
  return { epoch, version, createdAt: 1_700_000_000_000, createdAtMonotonic: 1234.5, freshFor: Infinity, codec: 'json', bytes };
}
