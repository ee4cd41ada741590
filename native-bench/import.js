// @ts-check
/**
 * What importing this library costs a process, and each of its threads, beside other packages: time, and memory beyond a thread that imports nothing.
 *
 *     npm run bench -- import [--quick]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isQuick, progress, skipped, table } from './support/results.js';
import { spread } from './support/stats.js';

const HOST = fileURLToPath(new URL('support/import/host.js', import.meta.url));
const ROUNDS = isQuick ? 1 : 7;
const THREADS = isQuick ? 2 : 8;
const PACKAGES = [
  'advanced-caching',
  'advanced-caching/exporters',
  'advanced-caching/inspector',
  'lru-cache',
  'async-cache-dedupe',
  'cacheable',
  'cache-manager',
  'bentocache',
  'layered-loader',
  'lmdb',
];

/** @param {string} specifier @returns {Promise<import('./support/import/host.js').Outcome | undefined>} */
async function measure(specifier) {
  progress(specifier || 'nothing');
  let url = '';
  try {
    // Found from here: the peers are installed for the benchmarks.
    if (specifier) url = import.meta.resolve(specifier);
  } catch {
    return undefined;
  }
  const child = fork(HOST, [url, String(THREADS)], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  const exit = once(child, 'exit');
  const answer = await Promise.race([once(child, 'message'), exit.then(() => undefined)]);
  await exit;
  process.off('exit', end);
  return answer?.[0];
}

/** @type {Map<string, { first: number[], thread: number[], megabytes: number[] }>} */
const found = new Map(PACKAGES.map((name) => [name, { first: [], thread: [], megabytes: [] }]));
for (let round = 0; round < ROUNDS; round++) {
  const bare = await measure('');
  if (!bare) throw new Error('Threads that import nothing failed');
  // Another first one each round.
  for (const name of [...PACKAGES.slice(round), ...PACKAGES.slice(0, round)]) {
    const outcome = await measure(name);
    const of = found.get(name);
    if (!outcome || !of) continue;
    of.first.push(outcome.first);
    of.thread.push(outcome.thread);
    of.megabytes.push((outcome.bytes - bare.bytes) / 1e6);
  }
}
for (const [name, { first }] of found) if (first.length === 0) skipped(name, 'it could not be imported here');
table({
  title: 'An import, by a process and by a thread',
  columns: [
    { key: 'name', label: 'package' },
    { key: 'first', label: 'in a process', unit: 'ms' },
    { key: 'thread', label: 'in a thread of it', unit: 'ms' },
    { key: 'memory', label: 'memory of a thread', unit: 'MB' },
  ],
  rows: [...found].flatMap(([name, { first, thread, megabytes }]) =>
    first.length === 0
      ? []
      : [
          {
            name,
            ours: name.startsWith('advanced-caching') ? 1 : 0,
            first: spread(first),
            thread: spread(thread),
            memory: spread(megabytes),
          },
        ],
  ),
  note: 'The files are in the cache of the operating system. Memory beyond that of a thread that imports nothing.',
});
