import { systemClock, type Timer } from '../core/clock.js';
import { toSeconds, type Duration } from '../core/duration.js';
import { checkBoolean, checkOptions } from '../core/options.js';
import { agentsClosed } from '../link/fleet/agent.js';
import { linkClient } from '../link/thread/link-client.js';
import { closeDirectory } from '../mirror/directory.js';
import { background, type BackgroundFactory } from './background.js';
import { readKeyed } from './keyed-read.js';
import type { MirrorStatus } from './mirror.js';
import { read } from './read.js';
import { backgrounds, dedicatedThreadStatus, mirrors, stopDedicatedThread, writers } from './registry.js';
import { write, type Write } from './write.js';
import type { WriterStatus } from './writer.js';

export interface ShutdownOptions {
  /** Whether refreshes under way are waited for (default) or aborted. */
  readonly wait?: boolean;
  /** How long they are waited for before they are aborted; default 10 s. */
  readonly timeout?: Duration;
}

/** Every writer and mirror of this thread, and the threads that it made, as plain data. */
export interface BackgroundStatus {
  readonly writers: readonly WriterStatus[];
  readonly mirrors: readonly MirrorStatus[];
  readonly threads: {
    readonly loaders: ReturnType<typeof dedicatedThreadStatus>;
    readonly link: ReturnType<typeof linkClient.status>;
  };
}

/** `live`: the process does its work. `ready`: every mirror and writer has a value. */
export interface Health extends BackgroundStatus {
  readonly live: boolean;
  readonly ready: boolean;
}

/** Follows a value; `read.keyed` follows records. */
export type Read = typeof read & { readonly keyed: typeof readKeyed };

export interface Bg extends BackgroundFactory {
  write: Write;
  read: Read;
  /**
   * Stops every writer, mirror, thread and socket that this thread made. Idempotent; leaves nothing that keeps the process
   * alive, and may be followed by new registrations. Keys of the host go to another process at once.
   */
  shutdown(options?: ShutdownOptions): Promise<void>;
  status(): BackgroundStatus;
}

function status(): BackgroundStatus {
  return {
    writers: [...writers.values(), ...backgrounds].map((writer) => writer.status()),
    mirrors: [...mirrors].map((mirror) => mirror.status()),
    threads: { loaders: dedicatedThreadStatus(), link: linkClient.status() },
  };
}

/** Whether a writer or mirror can answer; one without a schedule has no value to wait for. */
export function hasValue({ version, state }: { readonly version: number; readonly state: string }): boolean {
  return version > 0 || state === 'live';
}

/**
 * What a health endpoint wants to know.
 *
 * @example
 * server.on('request', (_, response) => response.writeHead(health().ready ? 200 : 503).end());
 */
export function health(): Health {
  const all = status();
  return { live: true, ready: all.writers.every(hasValue) && all.mirrors.every(hasValue), ...all };
}

let shuttingDown: Promise<void> | undefined;

function shutdown(options: ShutdownOptions = {}): Promise<void> {
  checkOptions('bg.shutdown', options, ['wait', 'timeout']);
  checkBoolean('wait', options.wait);
  const timeout = toSeconds(options.timeout ?? 10, 'timeout') * 1000;
  shuttingDown ??= end(options.wait ?? true, timeout).finally(() => {
    shuttingDown = undefined;
  });
  return shuttingDown;
}

/** What an aborted loader gets to end by itself (milliseconds). */
const ABORT_MS = 100;

async function end(wait: boolean, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  const left = (): number => Math.max(0, deadline - performance.now());
  const all = [...writers.values(), ...backgrounds];
  await within(Promise.all(all.map((writer) => writer.stop({ abort: !wait }))), left());
  await within(Promise.all(all.map((writer) => writer.stop({ abort: true }))), ABORT_MS);
  for (const mirror of mirrors) mirror.close();
  // A loader that didn't end in time ends with its thread; one that runs in this thread has lost its schedule all the same.
  await stopDedicatedThread(wait ? left() : 0);
  // Of mirrors: those of writers have ended with them.
  await within(agentsClosed(), Math.max(left(), ABORT_MS));
  await linkClient.close(Math.max(left(), 1000));
  closeDirectory();
}

/** Waits for `work`, but not for ever. */
async function within(work: Promise<unknown>, limit: number): Promise<void> {
  let timer: Timer | undefined;
  await Promise.race([
    work,
    new Promise((resolve) => {
      timer = systemClock.setTimer(() => resolve(undefined), limit);
    }),
  ]);
  timer?.cancel();
}

/**
 * Values that are refreshed in the background. `bg` itself keeps a function's result fresh in this thread; `bg.write` and
 * `bg.read` share it with every thread of every process.
 *
 * @example
 * const flags = bg(300, { key: 'flags' })(loadFlags);                     // await flags()
 * bg.write(60, { key: 'rates', scope: 'host' })(fetchRates);              // one process runs it
 * const rates = bg.read('rates');                                         // rates(): Rates | undefined
 */
export const bg: Bg = Object.assign(((...args: Parameters<BackgroundFactory>) => background(...args)) as BackgroundFactory, {
  write,
  read: Object.assign(((...args) => read(...args)) as typeof read, { keyed: readKeyed }),
  shutdown,
  status,
});
