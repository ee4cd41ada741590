import test from 'ava';
import { spawnNode, tempDir } from '../support/process.js';
import { MAJORS, runtime, RUNTIMES_ARE_FOR } from '../support/runtimes.js';
import { fixture, place } from './support.js';

for (const major of MAJORS) {
  test.serial(`a read allocates nothing and, once optimized, stays so, on Node ${major}`, async (t) => {
    t.timeout(5 * 60_000);
    const node = await runtime(major);
    if (node === undefined) {
      t.log(RUNTIMES_ARE_FOR);
      t.pass();
      return;
    }
    const env = { ...place, ADVANCED_CACHING_DIRECTORY: tempDir(t) };
    const child = spawnNode(t, fixture('hot.js'), { node, env, execArgv: ['--expose-gc', '--trace-deopt'] });
    const result = await child.message<{ hits: number; grown: number; version: number; reads: number }>(() => true, 120_000);
    t.deepEqual(await child.exited, { code: 0, signal: null });
    t.is(result.hits, 10_000_000);
    t.true(result.version >= 36);
    t.true(result.reads >= 18_000_000, `${result.reads} reads counted`);
    // A number in a heap object would be 12 bytes a read: 120 MB.
    t.true(result.grown < 1_000_000, `${result.grown} bytes`);
    const steady = child.lines.slice(child.lines.indexOf('steady'), child.lines.indexOf('over'));
    t.deepEqual(
      steady.filter((line) => line.includes('bailout') && !line.includes('<JSFunction spin')),
      [],
      'in the steady state nothing is thrown back',
    );
    const all = child.lines.filter((line) => line.includes('bailout') && /<JSFunction read\b/.test(line));
    t.log(`${all.length} deoptimizations of read() while it warmed up`);
    t.true(all.length <= 4, all.join('\n'));
  });
}
