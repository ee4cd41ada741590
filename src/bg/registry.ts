/** What this thread has running, for `bg.status()` and `bg.shutdown()`. */
import { systemClock } from '../core/clock.js';
import { LoaderThread } from './loader-engine.js';
import type { MirrorStatus } from './mirror.js';
import type { WriterStatus } from './writer.js';

export interface Stoppable {
  stop(how: { abort: boolean }): Promise<void>;
}

interface Registered<S> extends Stoppable {
  status(): S;
  /** Runs the loader now. */
  refresh(): Promise<void>;
  /** The value, or a Promise of it; `undefined` before the first one. */
  read(): unknown;
}

export const writers: Map<string, Registered<WriterStatus>> = new Map();
/** The functions of `bg` whose values stay in this thread. */
export const backgrounds: Set<Registered<WriterStatus>> = new Set();
/** Those of whole values are functions that answer it. */
export const mirrors: Set<{ close(): void; status(): MirrorStatus } | { (): unknown; close(): void; status(): MirrorStatus }> = new Set();

let dedicated: LoaderThread | undefined;

/** The dedicated thread of this thread's registrations, made when it is first asked for. */
export function dedicatedThread(): LoaderThread {
  dedicated ??= new LoaderThread(systemClock);
  return dedicated;
}

export function dedicatedThreadStatus(): ReturnType<LoaderThread['status']> | undefined {
  return dedicated?.status();
}

export async function stopDedicatedThread(timeout: number): Promise<void> {
  const thread = dedicated;
  dedicated = undefined;
  await thread?.stop(timeout);
}

/** Writers that keep the process alive share one timer, which does nothing else. */
let holders = 0;
let holding: NodeJS.Timeout | undefined;

export function holdProcess(): () => void {
  holders++;
  holding ??= setInterval(() => {}, 0x7fffffff);
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    holders--;
    if (holders > 0) return;
    clearInterval(holding);
    holding = undefined;
  };
}
