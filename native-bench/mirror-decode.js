// @ts-check
/**
 * What the first read of a new version costs a thread, as a ratio to `JSON.parse` of the same text: the stall of docs/mirror.md.
 *
 *     npm run bench -- mirror-decode [--quick]
 */
import { bg } from 'advanced-caching';

const isQuick = process.argv.includes('--quick');
const records = Array.from({ length: isQuick ? 1000 : 100_000 }, (_, id) => ({
  id,
  name: `record ${id}`,
  tags: ['a', 'b'],
  price: id * 1.01,
  email: `user${id}@example.com`,
  city: `Wherever City ${id % 977}`,
}));
const text = JSON.stringify(records);

/** The least of several rounds, in milliseconds. @param {() => unknown} work @param {() => Promise<void>} [before] */
async function least(work, before) {
  const rounds = [];
  for (let round = 0; round < (isQuick ? 2 : 9); round++) {
    await before?.();
    const start = performance.now();
    work();
    rounds.push(performance.now() - start);
  }
  return Math.min(...rounds);
}

const writer = bg.write(0, { key: 'large', runImmediately: false, loader: () => records });
for (const freeze of [false, true]) {
  const mirror = bg.read('large', { freeze });
  const parse = await least(() => JSON.parse(text));
  const first = await least(mirror, writer.refresh);
  console.log(
    `${(text.length / 1e6).toFixed(1)} MB of JSON, freeze: ${String(freeze).padEnd(5)}  ${first.toFixed(0).padStart(5)} ms  JSON.parse ${parse.toFixed(0).padStart(5)} ms  ratio ${(first / parse).toFixed(2)}`,
  );
  mirror.close();
}
await bg.shutdown();
