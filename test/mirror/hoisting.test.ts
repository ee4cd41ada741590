import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { runtime } from '../support/runtimes.js';

const program = fileURLToPath(new URL('./threads/hoist.js', import.meta.url));

for (const major of [20, 22, 24, 26] as const) {
  test.serial(`a thread that only spins on read() sees each publish, on Node ${major}`, async (t) => {
    t.timeout(180_000);
    const node = await runtime(major);
    if (node === undefined) {
      t.log(`no Node ${major} here: not tried`);
      t.pass();
      return;
    }
    const { stdout } = await promisify(execFile)(node, [program], { timeout: 170_000 });
    const results = JSON.parse(stdout) as { way: string; seen: number }[];
    t.is(results.find(({ way }) => way === 'reader')?.seen, 5);
    t.is(results.find(({ way }) => way === 'reader inlined')?.seen, 5);
    // Not promised, since nothing depends on it: whether this engine left a bare plain read in its loop.
    t.log(`a bare plain read in a loop saw ${results.find(({ way }) => way === 'raw')?.seen} of 5`);
  });
}
