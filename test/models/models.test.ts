/**
 * The protocols of the mirror and of the link through Redis, checked by machine: Spin walks through every interleaving of the models, and axiom_litmus.py
 * through every execution that a memory model allows. What is expected to fail belongs to the proof: it shows that the
 * model would find the fault.
 */
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { root } from '../support/root.js';

const run = promisify(execFile);
const folder = join(root, 'test/models');
const DEADLINE = 60_000;

const isThere = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const spin = process.platform !== 'win32' && isThere('spin', '-V') && isThere('gcc', '--version') && isThere('nice', 'true');
const python = isThere('python3', '--version');
const withSpin = spin ? test.serial : test.skip;
const withPython = python ? test : test.skip;
const needs = (there: boolean, what: string): string => (there ? '' : ` (skipped: needs ${what})`);

interface Verdict {
  readonly model: string;
  readonly defines: string;
  readonly holds: boolean;
  readonly what: string;
  /** Whether it is about what must come some day, and not about what must never be. */
  readonly isLiveness?: boolean;
}

const ring = (defines: string, holds: boolean, what: string): Verdict => ({
  model: 'c_ring.pml',
  defines: `-DSLOTSEQ ${defines}`,
  holds,
  what,
});
const takeover = (defines: string, holds: boolean, what: string): Verdict => ({ model: 'e_takeover.pml', defines, holds, what });

const redis = (defines: string, holds: boolean, what: string, isLiveness = true): Verdict => ({
  model: 'f_redis.pml',
  defines,
  holds,
  what,
  isLiveness,
});
const lease = (defines: string, holds: boolean, what: string): Verdict => ({ model: 'g_lease.pml', defines, holds, what });

const VERDICTS: readonly Verdict[] = [
  ring('-DN=2', true, 'a ring of 2 slots is never read torn'),
  ring('-DN=3', true, 'a ring of 3 slots is never read torn'),
  ring('-DN=4', true, 'a ring of 4 slots is never read torn'),
  ring('-DN=3 -DNOINVAL', false, 'a slot that is not invalidated first is read torn'),
  ring('-DN=3 -DWEAKR', false, 'a validation that the copy can pass is not enough'),
  ring('-DN=3 -DWEAKW', false, 'an invalidation that the copy can pass is not enough'),
  ring('-DN=3 -DWEAKR -DWEAKW -DRMW', true, 'read-modify-writes at both ends are enough'),
  ring('-DN=3 -DMOD=6 -DPUBS=9', false, 'a version that wraps around is mistaken for the old one'),
  takeover('', true, 'a successor may continue the ring of a dead writer'),
  takeover('-DZOMBIE', false, 'two writers on one ring break it'),
  takeover('-DZOMBIE -DTORNONLY', false, 'two writers on one ring tear it'),
  takeover('-DZOMBIE -DCHECK -DTORNONLY', false, 'checking for ownership before a publish does not help'),
  takeover('-DZOMBIE -DPRIVATE', true, 'a ring for each epoch is safe beside an old writer'),
  takeover('-DZOMBIE -DONEWORD', false, 'one version word set by a store goes backwards'),
  takeover('-DZOMBIE -DONEWORD -DCAS', true, 'one version word moved by compare-and-exchange does not'),
  redis('', true, 'subscribe, then read, then poll: everybody has the newest in the end'),
  redis('-DNOPOLL', false, 'without the poll a lost announcement is lost for ever'),
  redis('-DNOPOLL -DGETFIRST -DFAULTS=0', false, 'read, then subscribe: what is published in between is missed'),
  redis('-DNOGUARD', false, 'without comparing numbers a reader goes back', false),
  lease('', true, 'an epoch has one writer, and nothing stored is overwritten by something older, whatever is lost'),
  lease('-DNOTIME', false, 'where Redis may forget, epochs that only count up are granted twice'),
  lease('-DNOFAULT -DNOEPOCH', false, 'a lease alone lets an old publish in after a new one'),
];

for (const { model, defines, holds, what, isLiveness } of VERDICTS) {
  withSpin(`${model} [${defines}]: ${what}${needs(spin, 'spin and gcc')}`, async (t) => {
    const { stdout } = await run(join(folder, 'spin.sh'), [join(folder, model), defines, ...(isLiveness ? ['ltl'] : [])], {
      timeout: DEADLINE,
    });
    t.notRegex(stdout, /INCOMPLETE/);
    t.regex(stdout, holds ? /errors: 0 / : /errors: 1 /);
  });
}

withPython(`only read-modify-writes at both ends forbid a torn copy in every memory model${needs(python, 'python3')}`, async (t) => {
  const { stdout } = await run('python3', [join(folder, 'axiom_litmus.py')], { timeout: DEADLINE });
  t.notRegex(stdout, /CHECKER BROKEN/);
  const rows = stdout.split('\n').filter((line) => /^(store|store\+load|rmw) /.test(line));
  t.is(rows.length, 9);
  const safe = rows.filter((row) => !row.includes('ALLOWED')).map((row) => row.split('|')[0]?.trim().split(/ +/));
  t.deepEqual(safe, [['rmw', 'rmw']]);
});
