// @ts-check
/**
 * Runs the benchmarks, each in a process of its own, one after the other.
 *
 *     npm run bench                        all of them
 *     npm run bench -- cache-hits          those whose names are given
 *     npm run bench -- --quick             few rounds: shows that they run, and no more
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const parts = ['harness.js', 'run.js'];
const all = readdirSync(here)
  .filter((name) => name.endsWith('.js') && !parts.includes(name))
  .map((name) => name.slice(0, -3))
  .sort();
const asked = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const unknown = asked.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`No benchmark is called ${unknown.join(', ')}. There are: ${all.join(', ')}`);
  process.exit(1);
}

console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'an unknown processor'}, ${process.platform} ${process.arch}`,
);
for (const name of asked.length > 0 ? asked : all) {
  console.log(`\n${name}`);
  const options = process.argv.slice(2).filter((word) => word.startsWith('--'));
  const { status, signal } = spawnSync(process.execPath, [`${here}${name}.js`, ...options], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) continue;
  console.error(`${name} ended with ${signal ?? status}`);
  process.exitCode = 1;
}
