import test from 'ava';
import { ServerClock } from '../../../dist/link/redis/server-clock.js';

test('the quickest answer is believed, and so the error is half its time at most', (t) => {
  const clock = new ServerClock();
  t.is(clock.offset, undefined);
  // The server is 1,000,000 ms ahead; it reads its clock at some moment between question and answer.
  let worst = Infinity;
  for (let i = 0; i < 1000; i++) {
    const sent = i * 10;
    const took = 2 + Math.random() * 500;
    clock.learn(sent, Math.floor(1_000_000 + sent + Math.random() * took), sent + took);
    worst = Math.min(worst, took / 2);
    t.true(Math.abs((clock.offset ?? 0) + 1_000_000) <= worst + 1);
  }
});

test('a clock that was set, or of another server, is believed at once', (t) => {
  const clock = new ServerClock();
  clock.learn(100, 5000, 101);
  t.is(clock.offset, -4899.5);
  // A slow answer that agrees changes nothing.
  clock.learn(200, 5180, 300);
  t.is(clock.offset, -4899.5);
  for (const ahead of [3_600_000, -3_600_000, 100]) {
    clock.learn(400, 5300 + ahead, 440);
    t.is(clock.offset, 420 - 5300 - ahead);
    clock.learn(500, 5400, 501);
    t.is(clock.offset, -4899.5);
  }
});

test('an old answer gives way to a slower one, since clocks drift', (t) => {
  const clock = new ServerClock();
  clock.learn(0, 1000, 1);
  clock.learn(70_000, 71_005, 70_020);
  t.is(clock.offset, 70_010 - 71_005);
});
