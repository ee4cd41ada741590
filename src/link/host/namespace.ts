/** Which application this is, when nobody says: two of them, or two releases side by side, must not meet by accident. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

/** Under this name the main thread leaves its answer to the threads that it starts later. */
const INHERITED = 'advanced-caching:namespace';

/** Options of node whose value is the next argument. After any other option the next argument is the script. */
const WITH_VALUE = new Set([
  '-r',
  '--require',
  '--import',
  '--loader',
  '--experimental-loader',
  '-C',
  '--conditions',
  '--env-file',
  '--env-file-if-exists',
  '--input-type',
  '--title',
  '--icu-data-dir',
  '--inspect-port',
  '--max-http-header-size',
  '--redirect-warnings',
  '--diagnostic-dir',
]);
const WITHOUT_SCRIPT = /^(-e|-p|-pe|-i|--eval|--print|--interactive)(=|$)/;

/** What the answer depends on. */
export interface ProcessFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The path of the main module; `undefined` for a REPL, `node -e` and a script on stdin. */
  readonly main: string | undefined;
  readonly cwd: string;
}

/**
 * The namespace of this process: `ADVANCED_CACHING_NAMESPACE`, else the real path of the application's root.
 * The same in all threads of a process, in cluster workers, and under PM2.
 */
export function defaultNamespace(): string {
  const told = process.env['ADVANCED_CACHING_NAMESPACE'];
  if (told !== undefined && told !== '') return told;
  const inherited = getEnvironmentData(INHERITED);
  if (typeof inherited === 'string') return inherited;
  const namespace = namespaceOf({ env: process.env, main: mainModule(), cwd: process.cwd() });
  if (isMainThread) setEnvironmentData(INHERITED, namespace);
  return namespace;
}

export function namespaceOf({ env, main, cwd }: ProcessFacts): string {
  const told = env['ADVANCED_CACHING_NAMESPACE'];
  if (told !== undefined && told !== '') return told;
  // Under PM2 the main module is PM2's own; it says which one it stands for.
  const script = env['pm_exec_path'] ?? main;
  return (script === undefined ? undefined : applicationRoot(resolve(cwd, script))) ?? applicationRoot(cwd) ?? real(cwd);
}

/** The real path of the nearest directory with a `package.json`, from `path` upwards. */
function applicationRoot(path: string): string | undefined {
  const start = real(path);
  // A command-line tool among the application's dependencies (`next start`) runs that application, not itself.
  const modules = start.indexOf(`${sep}node_modules${sep}`);
  let directory = modules > 0 ? start.slice(0, modules) : isDirectory(start) ? start : dirname(start);
  for (;;) {
    if (existsSync(join(directory, 'package.json'))) return directory;
    const parent = dirname(directory);
    if (parent === directory) return undefined;
    directory = parent;
  }
}

function mainModule(): string | undefined {
  if (isMainThread) return process.execArgv.some((arg) => WITHOUT_SCRIPT.test(arg)) ? undefined : script(process.argv[1]);
  // In a worker thread `argv[1]` is the file of the worker; the process's own command line is the kernel's to tell.
  try {
    return scriptOf(readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(1, -1));
  } catch {
    return script(process.argv[1]);
  }
}

/** The script among the arguments that node was started with. */
export function scriptOf(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] as string;
    if (WITHOUT_SCRIPT.test(arg)) return undefined;
    if (!arg.startsWith('-') || arg === '-') return script(arg);
    if (WITH_VALUE.has(arg)) index += 1;
  }
  return undefined;
}

function script(arg: string | undefined): string | undefined {
  return arg === '-' || arg === '' ? undefined : arg;
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // `node app` leaves a path without its `.js`; its directory is what counts.
    const parent = dirname(path);
    return parent === path ? path : join(real(parent), path.slice(parent.length).replace(/^[\\/]+/, ''));
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
