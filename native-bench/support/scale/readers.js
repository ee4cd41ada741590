// @ts-check
/** Until the last of 1 to 16 readers has a value, and what that takes of the processors. */
import { measured, runsOf } from '../mirrors/matrix.js';
import { isQuick, lines, table } from '../results.js';

const BYTES = 1e5;
const COUNTS = isQuick ? [1, 2] : [1, 2, 4, 8, 16];
const CHOSEN = ['ours: shared memory', 'ours: host link', 'postMessage', 'cluster IPC (process.send)'];

export async function byReaders() {
  /** @type {(import('../mirrors/matrix.js').Figures & { kind: string, readers: number })[]} */
  const rows = [];
  for (const kind of /** @type {const} */ (['threads', 'processes'])) {
    const ways = runsOf(kind, undefined).filter(({ name }) => CHOSEN.includes(name));
    for (const readers of COUNTS) {
      const plan = { kind, readers, bytes: BYTES, publishes: isQuick ? 2 : 30, period: 30, limit: 30, redis: undefined };
      for (const figures of await measured(ways, plan, isQuick ? 1 : 2)) rows.push({ ...figures, kind, readers });
    }
  }
  table({
    title: 'By the number of readers, of 100 kB',
    columns: [
      { key: 'name', label: 'way' },
      { key: 'kind', label: 'readers' },
      { key: 'readers', label: 'how many' },
      { key: 'slowest', label: 'the last one has it', unit: 'ms' },
      { key: 'cpu', label: 'CPU a publish', unit: 'ms' },
      { key: 'stall', label: 'longest stall', unit: 'ms' },
    ],
    rows: rows.map((row) => ({ ...row, readers: String(row.readers), missed: '', ours: row.ours ? 1 : 0 })),
  });
  for (const [key, label] of /** @type {const} */ ([
    ['slowest', 'until the last reader has the value'],
    ['cpu', 'processor time a publish, all processes'],
  ])) {
    lines({
      title: `By the number of readers, of 100 kB: ${label}`,
      x: { label: 'readers', log: true },
      y: { label, unit: 'ms', log: true },
      series: CHOSEN.map((name) => ({
        name,
        ours: name === 'ours: shared memory',
        points: rows.filter((row) => row.name === name).map((row) => ({ x: row.readers, y: row[key].median })),
      })),
    });
  }
}
