// @ts-check
/**
 * Keyed mirrors against a private `Map`, whole-value mirrors, lmdb and Redis: what a lookup costs; what building a version costs; and, in a process
 * for each way and number of reading threads, what attaching, a refresh and the memory cost.
 *
 *     npm run bench -- keyed [--quick] [--records 1000000] [--part lookups|building|threads] [--lookups 4]
 */
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { compareBuilding } from './support/keyed/building.js';
import { compareLookups } from './support/keyed/lookups.js';
import { ways } from './support/keyed/ways.js';
import { isQuick, lines, numberOption, progress, skipped, table } from './support/results.js';
import { spread } from './support/stats.js';

/** @typedef {import('./support/keyed/host.js').Outcome} Outcome */
/** @typedef {import('./support/stats.js').Spread} Spread */

const SELF = fileURLToPath(import.meta.url);
const HOST = fileURLToPath(new URL('support/keyed/host.js', import.meta.url));
const HEAP = '--max-old-space-size=6000';
const records = numberOption('records');
const SIZES = records ? [records] : isQuick ? [1000] : [1000, 100_000, 1_000_000];
const READERS = isQuick ? [1, 2] : [1, 4, 8];
/**
 * Of each thread in a millisecond, and one more. So few that eight threads leave two processors time to spare: on a machine that has none, whoever is ready
 * waits for its turn, and longer than any refresh takes.
 */
const LOOKUPS = numberOption('lookups') ?? 4;
const PARTS = /** @type {const} */ (['lookups', 'building', 'threads']);
const [part] = process.argv.includes('--part') ? process.argv.slice(process.argv.indexOf('--part') + 1) : [];
const inner = process.env['BENCH_KEYED'];

/** @param {number} count @param {import('./support/keyed/ways.js').WayKey} way @param {number} readers @returns {Promise<Outcome>} */
async function inProcess(count, way, readers) {
  progress(`${count} records, ${readers} threads: ${ways[way].name}`);
  // A refresh of a million takes some ways ten seconds and more.
  const isLong = count > 100_000 && !['keyed', 'control', 'lmdb'].includes(way);
  const refreshes = isQuick || isLong ? 1 : 9;
  const warmUps = isQuick || isLong ? 0 : 4;
  /** @type {import('./support/keyed/host.js').Run} */
  const run = { way, count, readers, lookups: LOOKUPS, warmUps, refreshes, window: isQuick ? 200 : 1000 };
  const child = fork(HOST, [JSON.stringify(run)], { execArgv: [HEAP], env: { ...process.env, BENCH_RECORDS: String(count) } });
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  const exit = once(child, 'exit');
  const answer = await Promise.race([once(child, 'message'), exit.then(() => undefined)]);
  if (!answer) throw new Error(`${way}, ${count} records, ${readers} threads: ended without an answer`);
  await exit;
  process.off('exit', end);
  return answer[0];
}

/** @param {number} count */
async function compareThreads(count) {
  /** @type {{ name: string, ours: boolean, outcomes: Map<number, Outcome> }[]} */
  const found = [];
  for (const [key, { name, ours = false, missing }] of Object.entries(ways)) {
    const why = await missing?.();
    if (why) {
      skipped(`${count.toLocaleString('en')} records, ${name}`, why);
      continue;
    }
    /** @type {Map<number, Outcome>} */
    const outcomes = new Map();
    for (const readers of READERS)
      outcomes.set(readers, await inProcess(count, /** @type {import('./support/keyed/ways.js').WayKey} */ (key), readers));
    found.push({ name, ours, outcomes });
  }
  const size = `${count.toLocaleString('en')} records`;
  for (const readers of READERS) {
    table({
      title: `${size}, ${readers} reading ${readers === 1 ? 'thread' : 'threads'}`,
      columns: [
        { key: 'name', label: 'way' },
        { key: 'attach', label: 'attach', unit: 'ms' },
        { key: 'refresh', label: 'a refresh', unit: 'ms' },
        { key: 'visible', label: 'until all have it', unit: 'ms' },
        { key: 'stall', label: 'longest stall', unit: 'ms' },
        { key: 'own', label: 'its own', unit: 'ms' },
        { key: 'work', label: 'its work', unit: 'ms' },
        { key: 'meeting', label: 'meeting a version', unit: 'ms' },
        { key: 'quiet', label: 'without refreshes', unit: 'ms' },
        { key: 'rss', label: 'memory', unit: 'MB' },
        { key: 'ratio', label: `to ${READERS[0]} thread`, unit: '×' },
        { key: 'elsewhere', label: 'and elsewhere', unit: 'MB' },
      ],
      rows: found.map(({ name, ours, outcomes }) => {
        const { attach, refresh, visible, stall, quiet, rss, elsewhere } = /** @type {Outcome} */ (outcomes.get(readers));
        return {
          name,
          ours: ours ? 1 : 0,
          attach,
          refresh: spread(refresh),
          visible: visible.length > 0 ? spread(visible) : undefined,
          stall: spread(stall.longest),
          own: spread(stall.own),
          work: spread(stall.work),
          meeting: stall.meetings.length > 0 ? spread(stall.meetings) : undefined,
          quiet: spread(quiet.longest),
          rss: rss / 1e6,
          ratio: rss / /** @type {Outcome} */ (outcomes.get(READERS[0] ?? 1)).rss,
          elsewhere: elsewhere === undefined ? undefined : elsewhere / 1e6,
        };
      }),
      note: `A refresh: from the load of the records on. Stalls: the longest of all threads in a refresh, or in a second without one (with --quick a fifth of one); the median of them, and the quartiles. A stall of its own: but for what the thread waited for a processor. Its work: the longest that it ran between two ticks of its event loop, as exactly as the scheduler ticks (1 to 4 ms). While another key is refreshed there is the memory of two. Meeting a version: the ${LOOKUPS + 1} lookups that were the first of a new version. Targets for a keyed mirror: attach under 50 ms, a stall under 5 ms, 8 threads in 1.3 × the memory of one.`,
    });
  }
  for (const [figure, label, unit] of /** @type {const} */ ([
    ['rss', 'memory of the process', 'MB'],
    ['stall', 'longest stall of a reader, but for its waiting for a processor', 'ms'],
  ])) {
    lines({
      title: `${size}: ${label}`,
      x: { label: 'reading threads' },
      y: { label, unit, log: true },
      series: found.map(({ name, ours, outcomes }) => ({
        name,
        ours,
        points: [...outcomes].map(([x, outcome]) => ({
          x,
          y: figure === 'rss' ? outcome.rss / 1e6 : Math.max(spread(outcome.stall.own).median, 0.1),
        })),
      })),
    });
  }
}

if (inner === 'lookups') await compareLookups(SIZES[0] ?? 0);
else if (inner === 'building') compareBuilding(SIZES[0] ?? 0);
else {
  for (const count of SIZES) {
    for (const one of PARTS) {
      if (part !== undefined && part !== one) continue;
      if (one === 'threads') {
        await compareThreads(count);
        continue;
      }
      // In a process of its own: the heap of a million records is in nobody's way.
      const args = [HEAP, SELF, '--records', String(count), ...(isQuick ? ['--quick'] : [])];
      const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', env: { ...process.env, BENCH_KEYED: one } });
      if (status !== 0) throw new Error(`keyed.js, ${one} of ${count} records, ended with ${status}`);
    }
  }
}
