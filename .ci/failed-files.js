// @ts-check
/** Prints the test files that have failures in the TAP report of AVA that comes in, one a line. */
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../test/', import.meta.url));
const SEPARATOR = ' › ';

/** AVA names a test by the folders and the file that it is in, and its title, which may have separators of its own. @param {string} name */
function fileOf(name) {
  const parts = name.split(SEPARATOR);
  for (let length = 1; length <= parts.length; length++) {
    const file = `${parts.slice(0, length).join('/')}.test.ts`;
    if (statSync(root + file, { throwIfNoEntry: false })?.isFile()) return `test/${file}`;
  }
  return undefined;
}

const failed = [...readFileSync(0, 'utf8').matchAll(/^not ok \d+ - (.*)$/gm)].map(([, name = '']) => fileOf(name) ?? `unknown: ${name}`);
for (const file of new Set(failed)) console.log(file);
