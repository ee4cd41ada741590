// @ts-check
/**
 * Runs every example as a reader would: `examples/NAME.js` or `.ts`, and `main.js` or `main.ts` of each folder there. One
 * passes when it ends by itself, with exit code 0, before its deadline.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DEADLINE = 60_000;
const root = fileURLToPath(new URL('..', import.meta.url));

/** @returns {string[]} */
function examples() {
  if (!existsSync(`${root}/examples`)) return [];
  return readdirSync(`${root}/examples`, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? [`${entry.name}/main.js`, `${entry.name}/main.ts`] : [entry.name]))
    .filter((name) => /\.[jt]s$/.test(name) && existsSync(`${root}/examples/${name}`))
    .sort();
}

let failed = 0;
for (const name of examples()) {
  console.log(`\n--- examples/${name}`);
  const result = spawnSync(process.execPath, [...(name.endsWith('.ts') ? ['--import=tsx'] : []), `examples/${name}`], {
    cwd: root,
    // What would run until Ctrl-C ends by itself, and takes no port that somebody needs.
    env: { ...process.env, DEMO_SECONDS: '5', PORT: '0' },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: DEADLINE,
    killSignal: 'SIGKILL',
  });
  if (result.status === 0) continue;
  failed += 1;
  const reason = result.error ? `didn't end within ${DEADLINE / 1000} s` : `ended with ${result.signal ?? result.status}`;
  console.error(`examples/${name} ${reason}`);
}
console.log(`\n${examples().length} examples, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
