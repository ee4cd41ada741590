/**
 * What tests use to start real processes and to wait for them. Everything started here ends with its test, by its process
 * id; and with this process, should the test never get that far.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** What a helper needs of AVA's `t`. */
export interface Scope {
  teardown(undo: () => unknown): void;
}

export interface SpawnOptions {
  readonly args?: readonly string[];
  /** Added to the environment of this process; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly execArgv?: readonly string[];
  readonly cwd?: string;
  /** The Node to run; default the one that runs the test. See `runtimes.ts`. */
  readonly node?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child that talks in lines on its standard output: JSON lines are messages, all others are text. */
export interface Child {
  readonly pid: number;
  /** The lines that are not JSON, as they came. */
  readonly lines: readonly string[];
  /** What came on the standard error output so far. */
  stderr(): string;
  /**
   * Takes the first message for which `matches` is true, among those that came and those to come; the others stay.
   * Rejects after `deadline` milliseconds (default 10,000), or when the child ends without it.
   */
  message<T = unknown>(matches?: (message: T) => boolean, deadline?: number): Promise<T>;
  /** Writes a JSON line to the child's standard input. */
  send(message: unknown): void;
  kill(signal?: NodeJS.Signals): void;
  /** How the child ended. Never rejects. */
  readonly exited: Promise<Exit>;
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();

const removeFolder = (folder: string): void => {
  folders.delete(folder);
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
};

let cleansUp = false;

/** AVA ends a test file that takes too long by SIGTERM, for which Node runs no `exit` listener unless told. */
function cleanUpAtExit(): void {
  if (cleansUp) return;
  cleansUp = true;
  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    for (const folder of folders) removeFolder(folder);
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
}

/**
 * Starts `file` (a path or a file URL; TypeScript too) in a Node process of its own.
 *
 * ```ts
 * const child = spawnNode(t, new URL('./fixtures/writer.js', import.meta.url), { args: ['rates'] });
 * await child.message((message: { ready?: true }) => message.ready === true);
 * child.kill('SIGKILL');
 * t.is((await child.exited).signal, 'SIGKILL');
 * ```
 */
export function spawnNode(scope: Scope, file: string | URL, options: SpawnOptions = {}): Child {
  cleanUpAtExit();
  const path = typeof file === 'string' && !file.startsWith('file:') ? file : fileURLToPath(file);
  const loader = path.endsWith('.ts') ? [`--import=${import.meta.resolve('tsx')}`] : [];
  const child = spawn(options.node ?? process.execPath, [...loader, ...(options.execArgv ?? []), path, ...(options.args ?? [])], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);

  const lines: string[] = [];
  const messages: unknown[] = [];
  let errors = '';
  let ended: Exit | undefined;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of waiting) look();
  };

  createInterface({ input: child.stdout }).on('line', (line) => {
    try {
      messages.push(JSON.parse(line));
    } catch {
      lines.push(line);
    }
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  // A child that is gone can't be written to; `exited` tells so.
  child.stdin.on('error', () => undefined);

  const exited = new Promise<Exit>((resolve) => {
    const end = (exit: Exit): void => {
      running.delete(child);
      ended = exit;
      resolve(exit);
      wake();
    };
    // `close` and not `exit`: by then all that the child wrote has been read.
    child.once('close', (code, signal) => end({ code, signal }));
    child.once('error', (error) => {
      errors += error.message;
      end({ code: null, signal: null });
    });
  });

  scope.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });

  return {
    pid: child.pid ?? -1,
    lines,
    stderr: () => errors,
    exited,
    send: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    message<T>(matches: (message: T) => boolean = () => true, deadline = 10_000): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          waiting.delete(look);
          act();
        };
        const fail = (why: string): void =>
          settle(() =>
            reject(new Error(`No such message from ${path}: ${why}. Its standard error output: ${errors.slice(-2000) || 'empty'}`)),
          );
        const look = (): void => {
          try {
            const at = messages.findIndex((message) => matches(message as T));
            if (at >= 0) settle(() => resolve(messages.splice(at, 1)[0] as T));
            else if (ended) fail(`it ended with ${ended.signal ?? ended.code}`);
          } catch (error) {
            settle(() => reject(error as Error));
          }
        };
        const timer = setTimeout(() => fail(`none within ${deadline} ms`), deadline);
        waiting.add(look);
        look();
      });
    },
  };
}

/**
 * Waits until `condition` gives something truthy, and answers it: the way to wait for what another thread or process does.
 *
 * @throws Error naming `what`, after `deadline` milliseconds (default 10,000)
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: { readonly deadline?: number; readonly what: string },
): Promise<Exclude<T, false | 0 | '' | null | undefined>> {
  const { deadline = 10_000, what } = options;
  const end = performance.now() + deadline;
  for (;;) {
    const result = await condition();
    if (result) return result as Exclude<T, false | 0 | '' | null | undefined>;
    if (performance.now() > end) throw new Error(`Waited ${deadline} ms in vain: ${what}`);
    await delay(5);
  }
}

/** A new folder (its real path), removed after the test. */
export function tempDir(scope: Scope): string {
  cleanUpAtExit();
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'advanced-caching-test-')));
  folders.add(folder);
  scope.teardown(() => removeFolder(folder));
  return folder;
}
