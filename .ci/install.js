// @ts-check
/**
 * Installs the dependencies when there are none yet, or when package-lock.json is newer than what is installed; so that
 * one command does all its own set-up in a fresh clone. Runs before anything is installed: Node alone, no package.
 */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {string} file */
const changedAt = (file) => statSync(`${root}/${file}`, { throwIfNoEntry: false })?.mtimeMs ?? 0;

// npm writes this file at the end of every install: an interrupted one leaves none, or an older one.
if (changedAt('node_modules/.package-lock.json') < changedAt('package-lock.json')) {
  const { status, error } = spawnSync('npm', ['ci'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
