import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { MAJORS, RUNTIMES_ARE_FOR, runtime } from './runtimes.js';

for (const major of MAJORS) {
  test(`a Node ${major} can be started`, async (t) => {
    // Together, as test files that run in parallel ask for it.
    const [binary, again] = await Promise.all([runtime(major), runtime(major)]);
    t.is(binary, again);
    if (binary === undefined) {
      t.false(process.platform === 'linux' && process.arch === 'x64');
      t.log(RUNTIMES_ARE_FOR);
      return;
    }
    const { stdout } = await promisify(execFile)(binary, ['-p', 'process.versions.node']);
    t.regex(stdout, new RegExp(`^${major}\\.`));
  });
}
