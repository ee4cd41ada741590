/** The parts that counting is made of: counters of two words, histograms, sampling. */
import test from 'ava';
import fc from 'fast-check';
import { type Tally } from '../../dist/metrics/tally.js';
import { LARGEST_STEP, add, countOf } from '../../dist/metrics/counter.js';
import { Distribution, HistogramWriter, OCTAVE_WORDS } from '../../dist/metrics/histogram.js';
import { Tally as RealTally, COUNTS_WORDS } from '../../dist/metrics/tally.js';

test('a counter is the sum of what was added, over all carries', (t) => {
  const step = fc.oneof(fc.nat({ max: LARGEST_STEP }), fc.constantFrom(0, 1, 2 ** 30 - 1, 2 ** 29, 2 ** 29 + 1));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const words = new Int32Array(4);
      let sum = 0;
      for (const by of steps) {
        add(words, 2, by);
        sum += by;
        t.is(countOf(words, 2), sum);
      }
      t.is(words[0], 0);
    }),
  );
});

test('a writer that dies between its two stores leaves a right count, and its successor goes on', (t) => {
  const words = new Int32Array(2);
  for (let round = 1; round <= 5; round++) {
    add(words, 0, 2 ** 30 - 1);
    add(words, 0, 1);
    t.is(countOf(words, 0), round * 2 ** 30);
    // As if HIGH had never been stored.
    Atomics.sub(words, 1, 1);
    t.is(countOf(words, 0), round * 2 ** 30);
  }
});

function histogram(): { writer: HistogramWriter; read: () => Distribution; octaves: () => number } {
  const octaves = new Map<number, Int32Array>();
  const writer = new HistogramWriter((octave) => {
    const words = new Int32Array(OCTAVE_WORDS);
    octaves.set(octave, words);
    return words;
  });
  const read = (): Distribution => {
    const all = new Distribution();
    for (const [octave, words] of octaves) all.addOctave(octave, words);
    return all;
  };
  return { writer, read, octaves: () => octaves.size };
}

const SHARES = [0, 0.5, 0.95, 0.99, 1];

test('quantiles, mean and sum are within 0.8 % of the exact ones, from nanoseconds to an hour', (t) => {
  const ns = fc.oneof(
    fc.integer({ min: 1, max: 200 }),
    fc.integer({ min: 1, max: 3_600_000_000_000 }),
    fc.double({ min: 0, max: 12, noNaN: true }).map((e) => Math.round(10 ** e)),
  );
  fc.assert(
    fc.property(fc.array(ns, { minLength: 1, maxLength: 300 }), (values) => {
      const { writer, read } = histogram();
      for (const value of values) writer.record(value / 1e9, 1);
      const all = read();
      const sorted = values.toSorted((a, b) => a - b);
      const near = (got: number, exact: number): boolean => Math.abs(got * 1e9 - exact) <= 0.008 * exact + 1e-6;
      t.is(all.count, values.length);
      for (const share of SHARES) t.true(near(all.quantile(share), sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number));
      const sum = sorted.reduce((a, b) => a + b, 0);
      t.true(near(all.sum, sum));
      t.true(near(all.mean, sum / sorted.length));
    }),
    { numRuns: 300 },
  );
});

test('what can be no duration is kept within the ends, and memory has a bound', (t) => {
  const { writer, read, octaves } = histogram();
  for (const value of [0, 1e-12, 1e9, Infinity, -1]) writer.record(value, 1);
  t.is(read().count, 5);
  t.true(Math.abs(read().quantile(1) - 2 ** 42 / 1e9) / (2 ** 42 / 1e9) < 0.008);
  for (let exponent = -9; exponent < 12; exponent += 0.05) writer.record(10 ** exponent, 1);
  t.true(octaves() <= 37);
  t.is(histogram().read().quantile(0.5), 0);
  t.is(histogram().read().mean, 0);
});

test('the counts between bounds add up to all', (t) => {
  const { writer, read } = histogram();
  for (let us = 1; us <= 1000; us++) writer.record(us / 1e6, 2);
  const counts = read().between([1e-7, 1e-4, 5e-4, 1]);
  t.is(counts.length, 5);
  t.is(counts[0], 0);
  t.is(counts[4], 0);
  t.is(
    counts.reduce((a, b) => a + b, 0),
    2000,
  );
  t.true(Math.abs((counts[1] as number) - 200) <= 4 && Math.abs((counts[2] as number) - 800) <= 8);
});

interface Simulated {
  readonly tally: Tally;
  readonly words: Int32Array;
  /** Of timed lookups: how many there were, and how many they stand for. */
  readonly timed: { calls: number; weight: number };
  look(isHit: boolean): void;
}

/** Does what a cached function does: the fast way where it may, else the way that can be timed. `gap`: milliseconds between lookups. */
function simulated(sampleEvery: number, gap: number, words = new Int32Array(COUNTS_WORDS)): Simulated {
  const timed = { calls: 0, weight: 0 };
  const tally = new RealTally(words, sampleEvery, (_, count) => {
    timed.calls++;
    timed.weight += count;
  });
  let now = 0;
  const look = (isHit: boolean): void => {
    now += gap;
    if (isHit && tally.hit()) return;
    if (tally.isTimed) tally.timed(1e-6, now);
    tally.lookup(isHit);
  };
  return { tally, words, timed, look };
}

test('sampling: nothing is lost, and what is timed stands for all', (t) => {
  const { look, timed, words } = simulated(1024, 0.00001);
  for (let i = 0; i < 1_000_000; i++) look(i % 10 !== 0);
  t.is(countOf(words, 0), 900_000);
  t.is(countOf(words, 2), 100_000);
  t.true(timed.calls > 64 + 500 && timed.calls < 64 + 3000, `${timed.calls} of a million were timed`);
  t.true(Math.abs(timed.weight - 1_000_000) < 2048, `they stand for ${timed.weight}`);
});

test('sampling follows the traffic: a seldom used cache is timed at each lookup, a busy one about a thousand times a second', (t) => {
  const seldom = simulated(1024, 5);
  for (let i = 0; i < 1000; i++) seldom.look(true);
  t.is(seldom.timed.calls, 1000);
  const busy = simulated(1_000_000, 0.001);
  for (let i = 0; i < 2_000_000; i++) busy.look(true);
  const perSecond = busy.timed.calls / 2;
  t.true(perSecond > 200 && perSecond < 2000, `${perSecond} a second`);
});

test('sampling of every lookup, and of none', (t) => {
  const each = simulated(1, 0.00001);
  const none = simulated(Infinity, 0.00001);
  for (let i = 0; i < 1000; i++) {
    each.look(i % 3 > 0);
    none.look(i % 3 > 0);
  }
  t.is(each.timed.calls, 1000);
  t.is(none.timed.calls, 0);
  t.is(countOf(none.words, 0) + countOf(none.words, 2), 1000);
});

test('the fast way stops at each half of its counter, and goes on after it', (t) => {
  for (const half of [2 ** 30, 2 ** 31, 3 * 2 ** 30]) {
    const words = new Int32Array(COUNTS_WORDS);
    for (let to = half - 5; to > 0; to -= LARGEST_STEP) add(words, 0, Math.min(to, LARGEST_STEP));
    const { look } = simulated(Infinity, 1, words);
    for (let i = 1; i <= 10; i++) {
      look(true);
      t.is(countOf(words, 0), half - 5 + i);
    }
  }
});

test('counts that others make for the cache do not disturb the sampling', (t) => {
  const { tally, look, timed, words } = simulated(1024, 0.00001);
  for (let i = 0; i < 100_000; i++) {
    look(true);
    tally.add('hits');
    tally.add('sets');
  }
  t.is(countOf(words, 0), 200_000);
  t.true(Math.abs(timed.weight - 100_000) < 2048);
});
