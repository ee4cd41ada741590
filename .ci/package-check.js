// @ts-check
/** What publint and "Are the types wrong?" say about the packed package. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pack } from './pack.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'advanced-caching-pack-'));
try {
  const tarball = pack(folder);
  const checks = [
    ['publint', 'run', tarball, '--strict'],
    // The package is ESM alone: `require()` of it works where Node allows that, and has no types of its own.
    ['attw', tarball, '--profile', 'esm-only'],
  ];
  for (const [tool, ...args] of checks) {
    const { status, error } = spawnSync(join(root, 'node_modules/.bin', String(tool)), args, {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    });
    if (error) throw error;
    if (status !== 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
