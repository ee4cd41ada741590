// @ts-check
/**
 * What the first read of a new version costs a thread, as a ratio to `JSON.parse` of the same text: the stall of docs/mirror.md.
 *
 *     npm run bench -- mirror-decode [--quick]
 */
import { bg } from 'advanced-caching';
import { inTurns, isQuick, tell } from './harness.js';
import { makeValue } from './support/mirrors/value.js';

const value = makeValue(isQuick ? 1e5 : 12.8e6);
const text = JSON.stringify(value);

/** @param {() => unknown} work */
function time(work) {
  const start = performance.now();
  work();
  return performance.now() - start;
}

const writer = bg.write(0, { key: 'large', runImmediately: false, loader: () => value });
for (const freeze of [false, true]) {
  const mirror = bg.read('large', { freeze });
  const rounds = await inTurns(
    isQuick ? 2 : 9,
    async () => {
      // Another value each time: one that is the same would be confirmed, and not be decoded again.
      value.n += 1;
      await writer.refresh();
      return time(mirror);
    },
    async () => time(() => JSON.parse(text)),
  );
  tell({ name: `${(text.length / 1e6).toFixed(1)} MB of JSON, first read, freeze: ${freeze}`, ...rounds }, 'ms');
  mirror.close();
}
await bg.shutdown();
