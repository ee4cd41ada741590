import { Worker } from 'node:worker_threads';
import test from 'ava';
import { COARSE_SLACK, coarseNow, coarseTick, exactNow, lastTick, NEVER, tellNothing } from '../../dist/core/coarse-clock.js';
import { systemClock } from '../../dist/core/clock.js';
import { InMemCache, cache } from '../../dist/index.js';
import { until } from '../helpers/wait.js';
import { spawnNode } from '../support/process.js';

const word = (): number => coarseNow[0] as number;

/** Reads the exact clock often enough to wake the pulse, until it is awake. */
async function wakeUp(): Promise<void> {
  await until(() => {
    for (let i = 0; i < 2000; i++) exactNow();
    return !Number.isNaN(word());
  });
}

test.serial("it is the host's monotonic clock, and the word is NaN until it is wanted", (t) => {
  t.true(Number.isNaN(word()));
  t.true(Math.abs(exactNow() - systemClock.monotonic() / 1000) < 0.05);
  t.true(Number.isNaN(word()), 'a few reads start no thread');
});

test.serial('awake, the word follows the clock and is never ahead of it', async (t) => {
  await wakeUp();
  for (let i = 0; i < 1000; i++) {
    const read = word();
    if (!Number.isNaN(read)) t.true(read <= exactNow() + 0.001);
  }
});

test.serial('a deadline in whole units is never told before it by more than the word is, and never after it', async (t) => {
  await wakeUp();
  let ahead = 0;
  for (let i = 0; i < 10_000; i++) {
    const now = exactNow();
    const moment = now + (Math.random() - 0.5) / 5;
    const isAhead = (coarseTick[0] as number) < lastTick(moment);
    if (isAhead) {
      ahead++;
      t.true(now < moment);
    }
    // Off by the slack, the ticks, and a unit for each side: else the real clock would be asked for more than it has to be.
    if (moment > now + 0.06 && !Number.isNaN(word())) t.true(isAhead || (coarseTick[0] as number) > 0x7ffffffe);
  }
  t.true(ahead > 1000);
});

test.serial('nothing is ahead of a clock that sleeps, and nothing that is over ahead of one that is awake', async (t) => {
  t.is(lastTick(-Infinity), NEVER);
  t.is(lastTick(exactNow() - 1000), NEVER);
  await wakeUp();
  t.true((coarseTick[0] as number) < lastTick(Infinity));
  // The pulse may tick in between, but not each time.
  const told = Array.from({ length: 100 }, () => {
    tellNothing();
    return (coarseTick[0] as number) < lastTick(Infinity);
  });
  t.true(told.filter((isAhead) => !isAhead).length > 50);
});

test.serial('it goes on while this event loop is blocked, and a loop that only reads it sees it move', async (t) => {
  await wakeUp();
  const first = word();
  const deadline = exactNow() + 10;
  let steps = 0;
  // No call in the loop but every 2^20 rounds: a compiler that keeps the word in a register would never end it.
  while (word() === first && (++steps & 0xfffff || exactNow() < deadline));
  t.not(word(), first);
});

test.serial('unused it falls asleep, and wakes again', async (t) => {
  await wakeUp();
  await until(() => Number.isNaN(word()));
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.true(Number.isNaN(word()));
  await wakeUp();
  t.pass();
});

test.serial('threads that start later share the word', async (t) => {
  await wakeUp();
  const url = new URL('../../dist/core/coarse-clock.js', import.meta.url).href;
  const source = `import('${url}').then(async ({ coarseNow, exactNow }) => {
    const { parentPort } = await import('node:worker_threads');
    const deadline = exactNow() + 10;
    let seen = NaN;
    while (Number.isNaN(seen) && exactNow() < deadline) seen = coarseNow[0];
    parentPort.postMessage({ seen, exact: exactNow() });
  })`;
  const worker = new Worker(source, { eval: true, execArgv: [] });
  const { seen, exact } = await new Promise<{ seen: number; exact: number }>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  t.true(seen <= exact + 0.001 && seen > exact - 10);
});

test.serial('an entry is never answered past its time, hot or not', async (t) => {
  await wakeUp();
  const store = new InMemCache();
  const ttl = 0.05;
  let runs = 0;
  const load = cache(ttl, { key: 'a', store })(() => ++runs);
  const deadline = exactNow() + 1;
  /** When each value was surely stored. */
  const stored: number[] = [];
  const late: number[] = [];
  while (exactNow() < deadline) {
    const told = word();
    const before = exactNow();
    const value = load();
    stored[value] ??= exactNow();
    // Only a word that lags by more than the slack (the machine did not let the pulse run) may let an answer be late; and this thread may
    // itself have been off the processor between its looks at the word and at the clock.
    if (before >= (stored[value] as number) + ttl) late.push(before - told);
  }
  t.true(runs > 5);
  t.true(late.every((lag) => lag > COARSE_SLACK - 0.001));
});

test.serial('a stale entry is answered while its refresh is under way, to the end of its window and no longer', async (t) => {
  await wakeUp();
  const [ttl, stale] = [0.05, 0.2];
  let loads = 0;
  let release: ((value: number) => void) | undefined;
  const load = cache(ttl, { key: 'user:{}', stale, store: new InMemCache() })((_id: number): number | Promise<number> => {
    return loads++ === 0 ? 0 : new Promise<number>((resolve) => (release = resolve));
  });
  // It is stored between the two.
  const before = exactNow();
  await load(1);
  const after = exactNow();
  await until(() => exactNow() > after + ttl);
  t.is(await load(1), 0, 'stale');
  await until(() => release !== undefined);
  const late: { by: number; lag: number }[] = [];
  for (;;) {
    const told = word();
    const asked = exactNow();
    const answer = load(1);
    if (answer !== 0) {
      t.true(exactNow() >= before + ttl + stale, 'not before its time');
      (release as (value: number) => void)(7);
      t.is(await answer, 7, 'the caller of a dead entry waits for the refresh');
      break;
    }
    const by = asked - (after + ttl + stale);
    if (by >= 0) late.push({ by, lag: asked - told });
    if (by > 5) break;
  }
  // Only a word that lags by more than the slack (the machine did not let the pulse run) lets an answer be late.
  t.deepEqual(
    late.filter(({ lag }) => !(lag > COARSE_SLACK - 0.001)),
    [],
  );
  t.is(await load(1), 7);
});

test.serial('a fake clock is not disturbed by a pulse that is awake', async (t) => {
  const { fakeClock } = await import('../../dist/testing/index.js');
  await wakeUp();
  const clock = fakeClock();
  let runs = 0;
  const load = cache(60, { key: 'user:{}', store: new InMemCache({ clock }) })((_id: number) => ++runs);
  for (let i = 0; i < 10_000; i++) load(1);
  clock.advance(59_999);
  t.is(load(1), 1);
  clock.advance(1);
  t.is(load(1), 2);
});

test.serial('awake, it is at most 10 ms off half of the time, and never runs backward, asleep or not', async (t) => {
  await wakeUp();
  const lags: number[] = [];
  let last = -Infinity;
  let backward = 0;
  let reads = 0;
  const deadline = exactNow() + 1.2;
  while (exactNow() < deadline) {
    const read = word();
    if (Number.isNaN(read)) continue;
    if (read < last) backward++;
    last = read;
    if ((++reads & 63) === 0) lags.push(exactNow() - read);
  }
  t.is(backward, 0);
  lags.sort((a, b) => a - b);
  // On a machine whose processors all work for others the pulse waits its turn, so the worst lags are the machine's.
  t.log(`lags: half of them below ${ms(lags, 0.5)}, 99 % below ${ms(lags, 0.99)}, all below ${ms(lags, 1)}`);
  t.true((lags[lags.length >> 1] as number) <= 0.01);
});

function ms(sorted: readonly number[], share: number): string {
  return `${((sorted[Math.floor((sorted.length - 1) * share)] as number) * 1000).toFixed(2)} ms`;
}

test.serial('after the event loop was blocked the first answer is right', async (t) => {
  await wakeUp();
  let runs = 0;
  const load = cache(0.1, { key: 'user:{}', store: new InMemCache() })((_id: number) => ++runs);
  for (let i = 0; i < 1000; i++) load(1);
  const before = runs;
  const stored = exactNow();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
  const value = load(1);
  t.true(exactNow() - stored >= 0.6);
  t.is(value, before + 1);
});

test.serial('after the process was stopped, as a suspended machine stops it, no old value is answered', async (t) => {
  const child = spawnNode(t, new URL('./fixtures/stopped.js', import.meta.url));
  await child.message((message: { up?: true }) => message.up === true);
  child.kill('SIGSTOP');
  // What the fixture caches lives for half a second.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  child.kill('SIGCONT');
  const { gap, late } = await child.message<{ gap: number; late: number }>((message) => 'gap' in message, 30_000);
  t.true(gap > 1000, `it was stopped for ${gap} ms`);
  // Until the pulse has ticked once: the time that the kernel takes to let its thread run.
  t.log(`answered late for ${late.toFixed(1)} ms`);
  t.true(late < 500, `${late} ms`);
});
