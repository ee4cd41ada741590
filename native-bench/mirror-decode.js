// @ts-check
/**
 * What the first read of a new version costs a thread, as a ratio to `JSON.parse` of the same text: the stall of docs/mirror.md.
 *
 *     npm run bench -- mirror-decode [--quick]
 */
import { bg } from 'advanced-caching';
import { inTurns, isQuick, tell } from './harness.js';

const records = Array.from({ length: isQuick ? 1000 : 100_000 }, (_, id) => ({
  id,
  name: `record ${id}`,
  tags: ['a', 'b'],
  price: id * 1.01,
  email: `user${id}@example.com`,
  city: `Wherever City ${id % 977}`,
}));
const text = JSON.stringify(records);

/** @param {() => unknown} work */
function time(work) {
  const start = performance.now();
  work();
  return performance.now() - start;
}

const writer = bg.write(0, { key: 'large', runImmediately: false, loader: () => records });
for (const freeze of [false, true]) {
  const mirror = bg.read('large', { freeze });
  const rounds = await inTurns(
    isQuick ? 2 : 9,
    async () => {
      // Another value each time: one that is the same would be confirmed, and not be decoded again.
      /** @type {{ id: number }} */ (records[0]).id += 1;
      await writer.refresh();
      return time(mirror);
    },
    async () => time(() => JSON.parse(text)),
  );
  tell({ name: `${(text.length / 1e6).toFixed(1)} MB of JSON, first read, freeze: ${freeze}`, ...rounds }, 'ms');
  mirror.close();
}
await bg.shutdown();
