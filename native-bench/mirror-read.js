// @ts-check
// What a read of a mirror costs, between two publications and after one: the figures of docs/mirror.md.
// node --expose-gc native-bench/mirror-read.js
import { bg } from 'advanced-caching';

const RECORDS = 100_000;
const records = Array.from({ length: RECORDS }, (_, id) => ({
  id,
  name: `record ${id}`,
  tags: ['a', 'b'],
  price: id * 1.01,
  email: `user${id}@example.com`,
  city: `Wherever City ${id % 977}`,
}));
const text = JSON.stringify(records);

/** @param {() => unknown} read @param {number} [times] */
function nanoseconds(read, times = 1e7) {
  const rounds = [];
  for (let round = 0; round < 5; round++) {
    const start = process.hrtime.bigint();
    for (let time = 0; time < times; time++) read();
    rounds.push(Number(process.hrtime.bigint() - start) / times);
  }
  return Math.min(...rounds).toFixed(1);
}

/** @param {() => unknown} work @param {() => Promise<void>} [before] */
async function milliseconds(work, before) {
  const rounds = [];
  for (let round = 0; round < 9; round++) {
    await before?.();
    globalThis.gc?.();
    const start = performance.now();
    work();
    rounds.push(performance.now() - start);
  }
  return Math.min(...rounds);
}

bg.write(0, { key: 'small', loader: () => ({ version: 1 }) });
const writer = bg.write(0, { key: 'large', runImmediately: false, loader: () => records });
const small = bg.read('small');
const bounded = bg.read('small', { ttl: '1h' });
await small.ready();
console.log(
  `a read ${nanoseconds(small)} ns, with a ttl ${nanoseconds(bounded, 1e6)} ns (an empty function ${nanoseconds(() => 1)} ns, the clock ${nanoseconds(() => performance.now(), 1e6)} ns)`,
);

const parse = await milliseconds(() => JSON.parse(text));
console.log(`${(text.length / 1e6).toFixed(1)} MB of JSON: JSON.parse ${parse.toFixed(0)} ms`);
for (const freeze of [false, true]) {
  const mirror = bg.read('large', { freeze });
  const first = await milliseconds(mirror, writer.refresh);
  console.log(`the first read of a version, freeze: ${freeze}: ${first.toFixed(0)} ms, ${(first / parse).toFixed(1)} times JSON.parse`);
  mirror.close();
}
await bg.shutdown();
