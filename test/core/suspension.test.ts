import test from 'ava';
import { TIMER_STEP } from '../../dist/core/clock.js';
import { type Machine, machine, NO_MACHINE } from '../support/machine.js';
import { type Child, type Scope, spawnNode, until } from '../support/process.js';

const HOUR = 3_600_000;
const on = NO_MACHINE === undefined ? test.serial : test.serial.skip;
const skipped = NO_MACHINE === undefined ? '' : ` (skipped: ${NO_MACHINE})`;

interface Clocks {
  readonly monotonic: number;
  readonly suspended: number;
  readonly isAwake: boolean;
}
interface Hit {
  readonly value: number;
  readonly isAwake: boolean;
}
interface Read {
  readonly value?: number;
  readonly age: number;
  readonly isStale: boolean;
  readonly loads: number;
}

async function processOn(scope: Scope, { env }: Machine): Promise<Child> {
  const child = spawnNode(scope, new URL('./fixtures/on-a-machine.js', import.meta.url), { env });
  await child.message((message: { ready?: true }) => message.ready === true, 30_000);
  return child;
}

function tell<T>(child: Child, command: string, argument?: unknown): Promise<T> {
  const answer = child.message<T>((message) => (message as { done?: string }).done === command, 30_000);
  child.send({ command, argument });
  return answer;
}

on(`a value whose time came while the machine was suspended is loaded again${skipped}`, async (t) => {
  const host = machine(t);
  const child = await processOn(t, host);
  t.like(await tell<Hit>(child, 'hit'), { value: 1, isAwake: false });
  await host.suspend(30_000);
  t.is((await tell<Hit>(child, 'hit')).value, 1, 'half of its time is over');
  await host.suspend(31_000);
  t.is((await tell<Hit>(child, 'hit')).value, 2);
  await host.suspend(HOUR);
  t.like(await tell<Hit>(child, 'hit'), { value: 3, isAwake: false });
});

on(`also while hits are judged by the coarse clock${skipped}`, async (t) => {
  const host = machine(t);
  const child = await processOn(t, host);
  for (let value = 1; value <= 3; value++) {
    const answer = tell<{ asleep: number; late: number; value: number }>(child, 'hits');
    t.true((await child.message<{ up: boolean }>((message) => 'up' in message)).up);
    await host.suspend(HOUR);
    const { asleep, late, value: loaded } = await answer;
    t.true(asleep < 100, `${asleep} ms`);
    t.is(loaded, value + 1);
    // Until the pulse has ticked once: the time that the kernel takes to let its thread run.
    t.log(`answered late for ${late.toFixed(1)} ms`);
    t.true(late < 500, `${late} ms`);
  }
  const { isAwake, behind } = await tell<{ isAwake: boolean; behind: number }>(child, 'wake');
  t.true(isAwake, 'it ticks again');
  t.true(behind > -0.001 && behind < 0.5, `${behind} s`);
});

on(`a mirror is as old as it is, and its writer's next run comes soon after${skipped}`, async (t) => {
  const host = machine(t);
  const child = await processOn(t, host);
  t.is((await tell<Read>(child, 'mirror', { interval: '10m', ttl: '5m' })).value, 1);

  host.pass(TIMER_STEP);
  const before = await tell<Read>(child, 'read');
  t.like(before, { value: 1, isStale: false, loads: 1 });
  t.true(before.age >= TIMER_STEP / 1000 && before.age < 60, `${before.age} s`);

  await host.suspend(HOUR);
  const after = await tell<Read>(child, 'read');
  t.like(after, { isStale: true, loads: 1 });
  t.is(after.value, undefined);
  t.true(Math.abs(after.age - before.age - HOUR / 1000) < 10, `${after.age} s`);

  host.pass(TIMER_STEP);
  const { age } = await until(
    async () => {
      const read = await tell<Read>(child, 'read');
      return read.value === 2 && !read.isStale && read;
    },
    { what: 'the run that was due' },
  );
  t.true(age < 10, `${age} s`);
});

on(`a run that isn't due doesn't come by the chain of its timers${skipped}`, async (t) => {
  const host = machine(t);
  const child = await processOn(t, host);
  await tell(child, 'mirror', { interval: '10m', ttl: '5m' });
  // Jitter takes a tenth of the interval at most.
  for (let passed = 0; passed + TIMER_STEP < 520_000; passed += TIMER_STEP) {
    host.pass(TIMER_STEP);
    t.is((await tell<Read>(child, 'read')).loads, 1);
  }
  host.pass(160_000);
  await until(async () => (await tell<Read>(child, 'read')).loads === 2, { what: 'the second run' });
});

on(`a wall clock that is set changes nothing, forward or back${skipped}`, async (t) => {
  const host = machine(t);
  const child = await processOn(t, host);
  t.is((await tell<Hit>(child, 'hit')).value, 1);
  await tell(child, 'mirror', { interval: '10m', ttl: '5m' });
  for (const by of [HOUR, -2 * HOUR, HOUR, 600, -600]) {
    host.setWall(by);
    t.is((await tell<Hit>(child, 'hit')).value, 1);
    const read = await tell<Read>(child, 'read');
    t.like(read, { value: 1, isStale: false });
    t.true(read.age < 10, `${read.age} s`);
    t.true(Math.abs((await tell<Clocks>(child, 'clocks')).suspended) < 1);
    t.like(await tell(child, 'wake'), { isAwake: true, value: 1 }, 'the coarse clock goes on');
  }
  // A suspend is seen all the same.
  await host.suspend(HOUR);
  await until(async () => (await tell<Hit>(child, 'hit')).value === 2, { what: 'the coarse clock to tick once' });
});

on(`all processes of the machine have one clock, whenever they began${skipped}`, async (t) => {
  const host = machine(t, 90_061_260);
  const old = await processOn(t, host);
  const first = (await tell<Clocks>(old, 'clocks')).suspended;
  t.true(Math.abs(first - 90_061_260) < 101, `${first} ms`);
  await host.suspend(HOUR);
  const young = await processOn(t, host);
  const [one, other] = [await tell<Clocks>(old, 'clocks'), await tell<Clocks>(young, 'clocks')];
  t.true(Math.abs(one.suspended - other.suspended) < 1, `${one.suspended} and ${other.suspended} ms`);
  t.true(Math.abs(one.suspended - first - HOUR) < 101);
  t.true(other.monotonic > one.monotonic);
});

on(`where the rounding turns two processes are one unit apart at most${skipped}`, async (t) => {
  const host = machine(t, 150);
  const told: number[] = [];
  for (let i = 0; i < 4; i++) told.push((await tell<Clocks>(await processOn(t, host), 'clocks')).suspended);
  t.true(Math.max(...told) - Math.min(...told) < 101, `${told.join(', ')} ms`);
});

on(`suspends too short to be seen add up${skipped}`, async (t) => {
  const host = machine(t);
  const child = await processOn(t, host);
  for (let i = 0; i < 10; i++) {
    await host.suspend(350);
    await tell<Clocks>(child, 'clocks');
  }
  const { suspended } = await tell<Clocks>(child, 'clocks');
  t.true(suspended > 2900 && suspended < 3601, `${suspended} ms`);
});

on(`in a container that tells its own uptime the clock is the monotonic one${skipped}`, async (t) => {
  const host = machine(t, -30_000);
  const child = await processOn(t, host);
  t.true(Math.abs((await tell<Clocks>(child, 'clocks')).suspended) < 1);
  await host.suspend(20_000);
  t.true(Math.abs((await tell<Clocks>(child, 'clocks')).suspended) < 1);
});

on(`it never runs backward, in no thread, and between no two of them${skipped}`, async (t) => {
  // Where the rounding turns, so that no two measurements need be the same.
  const host = machine(t, 50);
  const child = await processOn(t, host);
  await tell(child, 'wake');
  const answer = tell<{ raced: { backward: number; most: number }[] }>(child, 'race', { ms: 3000, threads: 3 });
  let isOver = false;
  void answer.finally(() => (isOver = true));
  for (let i = 0; !isOver; i++) {
    await host.suspend(i % 3 === 0 ? 60_000 : 0);
    host.setWall(i % 2 === 0 ? 10_000 : -10_000);
  }
  const { raced } = await answer;
  for (const { backward, most } of raced) {
    t.is(backward, 0);
    t.true(most > 50_000, 'the suspends were seen');
  }
});
