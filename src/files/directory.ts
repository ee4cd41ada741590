/** Directories that only this user may use. */
import { chmodSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { StoreError } from '../core/errors.js';
import { codeOf, UID } from './owned.js';

/** In a directory that anybody may write, only the sticky bit keeps others from renaming ours away after it was checked. */
export function checkBase(base: string): void {
  if (UID === undefined) return;
  const { mode } = statSync(base);
  if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) {
    throw new StoreError(
      `Won't use ${base}: every user may rename what is in it. Set \`directory\` to one of your own, or \`chmod +t\` it`,
    );
  }
}

/** Makes the directory where it is absent, 0700, and checks that it is ours alone. @throws StoreError that says what to do */
export function ownDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
    // The umask may have taken bits away that the owner needs.
    chmodSync(path, 0o700);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const stat = lstatSync(path);
  const cure = 'Delete it, or set `directory` to a directory of your own';
  if (!stat.isDirectory()) throw new StoreError(`Won't use ${path}: it is not a real directory. ${cure}`);
  if (UID === undefined) return;
  if (stat.uid !== UID) throw new StoreError(`Won't use ${path}: it belongs to the user ${stat.uid}, not to ${UID}. ${cure}`);
  if ((stat.mode & 0o077) !== 0) {
    throw new StoreError(
      `Won't use ${path}: others may use it (mode ${(stat.mode & 0o777).toString(8)}, not 700). \`chmod 700\` it after a look inside`,
    );
  }
}
