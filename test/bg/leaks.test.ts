import test from 'ava';
import { spawnNode, tempDir } from '../support/process.js';
import { fixture, place } from './support.js';

interface Sample {
  readonly at: number;
  readonly heap: number;
  readonly outside: number;
  readonly rss: number;
  readonly descriptors: number;
  readonly resources: number;
  readonly listeners: number;
}

/** A million takes a minute or two: LEAK_ROUNDS=1000000. */
const ROUNDS = Number(process.env['LEAK_ROUNDS'] ?? 100_000);
const MEGABYTE = 1024 * 1024;

/**
 * How much `what` grows in 100,000 rounds: the median of the slopes between any two samples (Theil and Sen), which one sample that a
 * collection came too late for does not move.
 */
function slope(samples: readonly Sample[], what: 'heap' | 'outside' | 'rss'): number {
  const slopes = samples.flatMap((from, i) => samples.slice(i + 1).map((to) => (to[what] - from[what]) / (to.at - from.at)));
  return (slopes.toSorted((a, b) => a - b)[Math.floor(slopes.length / 2)] ?? Number.NaN) * 100_000;
}

test(`${ROUNDS} publishes, misses, mirrors and writers made and closed: nothing grows`, async (t) => {
  t.timeout(15 * 60_000);
  const child = spawnNode(t, fixture('leaks.js'), {
    args: [String(ROUNDS)],
    // A young generation that grows late in the run is 24 MB, and no leak.
    execArgv: ['--expose-gc', '--max-semi-space-size=1'],
    env: { ...place, ADVANCED_CACHING_DIRECTORY: tempDir(t) },
  });
  const { samples, changes } = await child.message<{ samples: Sample[]; changes: number }>(() => true, 14 * 60_000);
  t.true(changes > 0);
  const steady = samples.slice(3);
  const [first, last] = [steady[0], steady.at(-1)];
  t.log(
    Object.fromEntries(
      (['heap', 'outside', 'rss'] as const).map((what) => [what, `${Math.round(slope(steady, what) / 1024)} KiB per 100,000`]),
    ),
  );
  t.true(slope(steady, 'heap') < MEGABYTE, JSON.stringify(samples));
  t.true(slope(steady, 'outside') < MEGABYTE, JSON.stringify(samples));
  // The allocator keeps what it has had: in a short run that is most of the slope, in the long one it is not.
  t.true(slope(steady, 'rss') < (ROUNDS >= 1_000_000 ? 1 : 10) * MEGABYTE, JSON.stringify(samples));
  t.deepEqual(
    [last?.descriptors, last?.resources, last?.listeners],
    [first?.descriptors, first?.resources, first?.listeners],
    'descriptors, timers, ports and listeners',
  );
  t.deepEqual(await child.exited, { code: 0, signal: null }, child.stderr());
});
