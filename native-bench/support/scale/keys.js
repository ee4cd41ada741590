// @ts-check
/** What one of many mirrors costs: to make, to hold, and to read. */
import { bg } from '../../../dist/index.js';
import { compareBlocks } from '../../harness.js';
import { memory } from '../mirrors/measures.js';
import { isQuick, lines, progress, table } from '../results.js';

const COUNTS = isQuick ? [1, 10, 100] : [1, 10, 100, 1000, 10_000];

/** @param {number} count */
async function costsOf(count) {
  progress(`${count} mirrors`);
  const before = memory();
  const begin = performance.now();
  const writers = [];
  const mirrors = [];
  for (let i = 0; i < count; i++) {
    const value = { rate: i };
    writers.push(bg.write(3600, { key: `key ${count} ${i}`, ref: false, loader: () => value }));
    mirrors.push(/** @type {import('advanced-caching').Mirror<{ rate: number }>} */ (bg.read(`key ${count} ${i}`)));
  }
  await Promise.all(mirrors.map((mirror) => mirror.ready()));
  const made = (performance.now() - begin) / count;
  const held = (memory() - before) / count;
  const map = new Map(mirrors.map((mirror, i) => [`key ${i}`, mirror()]));
  const names = [...map.keys()];
  const read = await compareBlocks(
    'let at = i % count; sum += mirrors[at]().rate;',
    'let at = i % count; sum += map.get(names[at]).rate;',
    { mirrors, map, names, count },
    isQuick ? 3 : 15,
  );
  const statusBegin = performance.now();
  bg.status();
  const status = performance.now() - statusBegin;
  for (const mirror of mirrors) mirror.close();
  await Promise.all(writers.map((writer) => writer.stop()));
  return { count, made, held: held / 1000, read, status };
}

export async function byKeys() {
  const costs = [];
  for (const count of COUNTS) costs.push(await costsOf(count));
  table({
    title: 'By the number of mirrors in one process, of a small value each',
    columns: [
      { key: 'count', label: 'mirrors' },
      { key: 'read', label: 'a read, each in turn', unit: 'ns' },
      { key: 'map', label: 'Map.get of its key', unit: 'ns' },
      { key: 'ratio', label: 'ratio', unit: '×' },
      { key: 'made', label: 'to register, until it has a value', unit: 'ms' },
      { key: 'held', label: 'memory each, writer and mirror', unit: 'kB' },
      { key: 'status', label: 'bg.status() of all', unit: 'ms' },
    ],
    rows: costs.map(({ count, made, held, read, status }) => ({
      count: String(count),
      read: read.ours,
      map: read.floor,
      ratio: read.ratio,
      made,
      // Of a few the noise of the heap is larger.
      held: count < 100 ? undefined : held,
      status,
    })),
  });
  lines({
    title: 'A read by the number of mirrors',
    x: { label: 'mirrors', log: true },
    y: { label: 'a read', unit: 'ns' },
    series: [
      { name: 'a mirror, each in turn', ours: true, points: costs.map(({ count, read }) => ({ x: count, y: read.ours.median })) },
      { name: 'Map.get of its key', points: costs.map(({ count, read }) => ({ x: count, y: read.floor.median })) },
    ],
  });
}
