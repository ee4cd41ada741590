/** A machine that a test can suspend: processes that see its clocks move as they do then. See `fixtures/suspended.c`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { openSync, closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Scope, tempDir } from './process.js';

const COMPILER = process.env['CC'] ?? 'gcc';

/** Why there is none here, for the title of a skipped test. */
export const NO_MACHINE: string | undefined =
  process.platform !== 'linux'
    ? 'the clocks of Linux'
    : spawnSync(COMPILER, ['--version']).status !== 0
      ? `it takes a C compiler (CC), and there is no ${COMPILER}`
      : undefined;

/** Longer than any clock of ours is trusted unseen, and shorter than the kernel takes to freeze all threads and to let them go on. */
const FREEZE_MS = 20;

export interface Machine {
  /** For a process that is to run on it. */
  readonly env: Readonly<Record<string, string>>;
  /** Suspends it for so many milliseconds, which are over when this resolves. */
  suspend(ms: number): Promise<void>;
  /** Sets its wall clock ahead, or back. */
  setWall(ms: number): void;
  /** So much time goes by while it runs. What waits in the kernel, as an event loop does, goes on when something else wakes it. */
  pass(ms: number): void;
}

/** @param suspendedBefore for how long it was suspended in the past: milliseconds */
export function machine(scope: Scope, suspendedBefore = 0): Machine {
  const folder = tempDir(scope);
  const library = join(folder, 'suspended.so');
  const source = fileURLToPath(new URL('./fixtures/suspended.c', import.meta.url));
  execFileSync(COMPILER, ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);

  const path = join(folder, 'clocks');
  const file = openSync(path, 'w+');
  scope.teardown(() => closeSync(file));
  const moved = { passed: 0, suspended: suspendedBefore, set: 0 };
  const show = (): void => {
    const nanoseconds = [moved.passed, moved.suspended, moved.set].map((ms) => BigInt(Math.round(ms * 1e6)));
    writeSync(file, new BigInt64Array(nanoseconds), 0, 24, 0);
  };
  show();

  return {
    env: { LD_PRELOAD: library, MACHINE_CLOCKS: path },
    async suspend(ms) {
      moved.suspended += ms;
      await delay(FREEZE_MS);
      show();
    },
    setWall(ms) {
      moved.set += ms;
      show();
    },
    pass(ms) {
      moved.passed += ms;
      show();
    },
  };
}
