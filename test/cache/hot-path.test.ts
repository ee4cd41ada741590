import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { root } from '../support/root.js';
import { MAJORS, RUNTIMES_ARE_FOR, runtime } from '../support/runtimes.js';

for (const major of MAJORS) {
  test.serial(`a hit of any kind allocates nothing, changes no hidden class and stays optimized, on Node ${major}`, async (t) => {
    t.timeout(5 * 60_000);
    const node = await runtime(major);
    if (node === undefined) {
      t.log(RUNTIMES_ARE_FOR);
      t.pass();
      return;
    }
    // It fails, with what it found as the message, where it finds a fault.
    const { stdout } = await promisify(execFile)(node, [join(root, '.ci/hot-path.js')]);
    t.true(stdout.split('\n').filter((line) => line.startsWith('ok')).length >= 17, stdout);
  });
}
