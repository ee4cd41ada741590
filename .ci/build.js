// @ts-check
/** Makes `dist/`: the declarations by `tsc`, the JavaScript by `tsc` into `build/`, without comments, and out of that by `bundle.js`. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {string[]} args */
function node(...args) {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** @param {string} folder */
const remove = (folder) => rmSync(join(root, folder), { recursive: true, force: true });

const tsc = ['node_modules/typescript/bin/tsc', '-p', 'src'];
remove('dist');
remove('build');
node(...tsc);
node(...tsc, '--outDir', 'build', '--emitDeclarationOnly', 'false', '--removeComments');
node('.ci/bundle.js');
remove('build');
