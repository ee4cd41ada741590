// @ts-check
/** What building a snapshot costs, beside serializing the values that are in it. */
import { serializers } from 'advanced-caching';
import { KeyedBuilder } from '../../../dist/keyed/builder.js';
import { Memory } from '../../../dist/keyed/memory.js';
import { isQuick, table } from '../results.js';
import { spread } from '../stats.js';
import { MAX_BYTES, records } from './records.js';

/** @param {number} count of the records */
export function compareBuilding(count) {
  // Of a few records, so many that the code is warm.
  const rounds = isQuick ? 2 : Math.max(7, Math.min(300, 500_000 / count));
  const all = [...records(count)];
  const memory = new Memory(MAX_BYTES);
  /** @type {import('../../../dist/keyed/changes.js').Earlier | undefined} */
  let earlier;
  const serializing = [];
  const building = [];
  const ratios = [];
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    let begun = performance.now();
    bytes = 0;
    for (const [, value] of all) bytes += serializers.json.dumps(value).byteLength;
    const serialized = performance.now() - begun;
    begun = performance.now();
    const builder = new KeyedBuilder({ serializer: serializers.json, maxBytes: MAX_BYTES, earlier, memory });
    for (const [key, value] of all) builder.add(key, value);
    const { packed } = builder.finish();
    const built = performance.now() - begun;
    if (bytes > packed.words.length * 4) throw new Error('Not all was built');
    bytes = packed.words.length * 4;
    // What the next one is compared with, as if it were published.
    const words = packed.words.slice();
    earlier = { epoch: 1, version: round + 1, packed: { ...packed, words, index: words } };
    serializing.push(serialized);
    building.push(built);
    ratios.push(built / serialized);
  }
  table({
    title: `${count.toLocaleString('en')} records, ${(bytes / 1e6).toFixed(1)} MB: building a version beside serializing all values (target: at most 2)`,
    columns: [
      { key: 'serializing', label: 'serializing', unit: 'ms' },
      { key: 'building', label: 'building', unit: 'ms' },
      { key: 'ratio', label: 'ratio', unit: '×' },
      { key: 'first', label: 'the first', unit: '×' },
    ],
    rows: [{ serializing: spread(serializing), building: spread(building), ratio: spread(ratios), first: ratios[0] }],
  });
}
