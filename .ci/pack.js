// @ts-check
/** The package as npm would publish it now, for all checks of it. Expects a built `dist`. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @typedef {Record<string, string | Record<string, string>>} Exports */

/** @returns {{ exports: Exports } & Record<string, unknown>} */
const manifest = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** @param {string | Record<string, string>} target what the exports map says of a door */
function hasSource(target) {
  if (typeof target === 'string') return existsSync(join(root, target));
  return existsSync(join(root, String(target['default']).replace('./dist/', 'src/').replace(/\.js$/, '.ts')));
}

/**
 * The specifiers that a consumer can import: each JavaScript door of the exports map. A door that the map already names
 * and that has no source yet is left out, and said so.
 *
 * @returns {string[]}
 */
export function doors() {
  const { exports, name } = manifest();
  return Object.keys(exports)
    .filter((door) => typeof exports[door] === 'object' && hasSource(exports[door]))
    .map((door) => String(name) + door.slice(1));
}

/**
 * Packs the project and answers the path of the tarball.
 *
 * @param {string} folder an existing, empty folder of the caller's: the tarball goes there
 * @returns {string}
 */
export function pack(folder) {
  const contents = manifest();
  const missing = Object.keys(contents.exports).filter((door) => !hasSource(contents.exports[door] ?? ''));
  let source = root;
  if (missing.length > 0) {
    console.error(`Packed without the doors that have no source yet: ${missing.join(', ')}`);
    source = join(folder, 'without-missing-doors');
    mkdirSync(source);
    for (const name of ['dist', 'src', 'LICENSE', 'README.md', 'CHANGELOG.md'])
      cpSync(join(root, name), join(source, name), { recursive: true });
    for (const door of missing) delete contents.exports[door];
    writeFileSync(join(source, 'package.json'), JSON.stringify(contents));
  }
  // No scripts: one that builds would take `dist` away from the tests that run beside this one.
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
      cwd: source,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      shell: process.platform === 'win32',
    }),
  );
  return join(folder, packed.filename);
}
