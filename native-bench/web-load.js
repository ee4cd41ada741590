// @ts-check
/**
 * What refreshing a value does to a web server: a cluster of workers that answers one record of it, under load, while it is refreshed every second.
 * Requests a second as fast as they go; latencies at a fixed rate, a tenth of what goes without refresh, so that what is measured is the refresh and
 * not a queue that was there before.
 *
 *     npm run bench -- web-load [--quick] [--size 100000]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runsOf } from './support/mirrors/matrix.js';
import { sizeText } from './support/mirrors/value.js';
import { noRedis, startRedis } from './support/redis-server.js';
import { bars, isQuick, lines, numberOption, progress, skipped, table } from './support/results.js';
import { median, quantile, spread } from './support/stats.js';

const WORKERS = 2;
const CONNECTIONS = 20;
/** The share of what goes without refresh at which latencies are measured. */
const LOAD_SHARE = 1 / 10;
const ROUNDS = isQuick ? 1 : 3;
/** Of a run as fast as it goes, and of one at the fixed rate. */
const FAST_SECONDS = isQuick ? 0.5 : 3;
const STEADY_SECONDS = isQuick ? 0.5 : 8;
const PERIOD = isQuick ? 250 : 1000;
const SIZES = isQuick ? [1e5] : [1e5, 13e6].filter((bytes) => bytes === (numberOption('size') ?? bytes));
const PERCENTILES = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995];

const SERVER = fileURLToPath(new URL('support/web/server.js', import.meta.url));
const LOAD = fileURLToPath(new URL('support/web/load.js', import.meta.url));

/** Whose values are compared under load: the ways between processes that people use. */
const CHOSEN = ['ours: host link', 'ours: host link, keyed', 'Redis, polled and parsed', 'cluster IPC (process.send)'];

/**
 * @typedef {{ name: string, file: string, strategy: string, refreshes: boolean, ours: boolean }} Scenario
 * @typedef {{ rates: number[], times: number[][] }} Found
 */

const redis = noRedis === undefined ? await startRedis() : undefined;
const ways = runsOf('processes', redis?.socket).filter(({ name }) => CHOSEN.includes(name));
for (const { name, missing } of ways) if (missing) skipped(name, missing);
/** @type {Scenario[]} */
const scenarios = ways
  .filter(({ missing }) => missing === undefined)
  .map(({ name, file, ours }) => ({ name, strategy: name, file, refreshes: true, ours }));
const [first] = scenarios;
if (first) scenarios.unshift({ ...first, name: 'no refresh', refreshes: false, ours: false });

try {
  for (const bytes of SIZES) await compareSize(bytes);
} finally {
  await redis?.stop();
}

/** @param {number} bytes */
async function compareSize(bytes) {
  /** @type {Map<string, Found>} */
  const found = new Map(scenarios.map(({ name }) => [name, { rates: [], times: [] }]));
  let rate = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // The one without refresh is the first of each round; of the others another one each time.
    const [still, ...refreshed] = scenarios;
    const shift = round % Math.max(refreshed.length, 1);
    for (const scenario of [...(still ? [still] : []), ...refreshed.slice(shift), ...refreshed.slice(0, shift)]) {
      progress(`${sizeText(bytes)}, round ${round + 1} of ${ROUNDS}: ${scenario.name}`);
      await serve(scenario, bytes, async (url) => {
        if (!isQuick) await load({ url, connections: CONNECTIONS, seconds: 1 });
        const fast = await load({ url, connections: CONNECTIONS, seconds: FAST_SECONDS });
        // The first is the one without refresh.
        if (rate === 0) rate = Math.round(fast.rate * LOAD_SHARE);
        const steady = await load({ url, connections: CONNECTIONS, seconds: STEADY_SECONDS, rate });
        found.get(scenario.name)?.rates.push(fast.rate);
        found.get(scenario.name)?.times.push(steady.times);
      });
    }
  }
  show(bytes, rate, found);
}

/** @param {number} bytes @param {number} rate @param {Map<string, Found>} found */
function show(bytes, rate, found) {
  const what = `${WORKERS} workers, ${sizeText(bytes)} refreshed every ${PERIOD / 1000} s`;
  const at = (/** @type {string} */ name, /** @type {number} */ share) =>
    (found.get(name)?.times ?? []).map((times) => quantile(times, share));
  const still = at('no refresh', 0.99);
  const ratioOf = (/** @type {string} */ name) => spread(at(name, 0.99).map((p99, round) => p99 / (still[round] ?? Number.NaN)));
  table({
    title: what,
    columns: [
      { key: 'name', label: 'how' },
      { key: 'rate', label: 'requests', unit: '/s' },
      { key: 'p50', label: 'p50', unit: 'ms' },
      { key: 'p99', label: 'p99', unit: 'ms' },
      { key: 'p999', label: 'p99.9', unit: 'ms' },
      { key: 'ratio', label: 'p99, to no refresh', unit: '×' },
    ],
    rows: scenarios.map(({ name, ours }) => ({
      name,
      rate: spread(found.get(name)?.rates ?? []),
      p50: spread(at(name, 0.5)),
      p99: spread(at(name, 0.99)),
      p999: spread(at(name, 0.999)),
      ratio: ratioOf(name),
      ours: ours ? 1 : 0,
    })),
    note: `Latencies at ${rate} requests a second over ${CONNECTIONS} connections, from when each was due.${
      bytes === 1e5 && !isQuick ? ' Target for 100 kB: a p99 of at most 1.2 × that without refresh.' : ''
    }`,
  });
  bars({
    title: `${what}: requests a second`,
    unit: '/s',
    bars: scenarios.map(({ name, ours }) => ({ label: name, value: median(found.get(name)?.rates ?? []), ours })),
  });
  lines({
    title: `${what}: latency by percentile, at ${rate} requests a second`,
    x: { label: 'one request in this many is slower', log: true },
    y: { label: 'latency', unit: 'ms', log: true },
    series: scenarios.map(({ name, ours }) => ({
      name,
      ours,
      points: PERCENTILES.map((share) => ({ x: Math.round(1 / (1 - share)), y: median(at(name, share)) })),
    })),
  });
}

/** @param {Scenario} scenario @param {number} bytes @param {(url: string) => Promise<void>} use */
async function serve({ file, strategy, refreshes }, bytes, use) {
  const directory = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'web-load-'));
  await redis?.redis.flushall();
  const site = { kind: 'processes', directory, redis: redis?.socket, period: PERIOD, file, strategy, bytes, workers: WORKERS, refreshes };
  const env = {
    ...process.env,
    BENCH_SITE: JSON.stringify(site),
    ADVANCED_CACHING_DIRECTORY: directory,
    ADVANCED_CACHING_NAMESPACE: 'web-load',
  };
  const child = fork(SERVER, { env });
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  try {
    const answer = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => undefined)]);
    if (!answer) throw new Error(`The server of '${strategy}' ended before it listened`);
    await use(`http://127.0.0.1:${answer[0].port}/`);
  } finally {
    // The workers end with it: they lose its channel.
    if (child.exitCode === null && child.signalCode === null) {
      end();
      await once(child, 'exit');
    }
    process.off('exit', end);
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** @param {import('./support/web/load.js').Load} options @returns {Promise<import('./support/web/load.js').Answer>} */
async function load(options) {
  // Arrays of numbers, half a million long: JSON would take as long as the load.
  const child = fork(LOAD, [JSON.stringify(options)], { serialization: 'advanced' });
  const answer = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => undefined)]);
  if (!answer) throw new Error('The load generator ended without an answer');
  if (answer[0].errors > 0) throw new Error(`${answer[0].errors} requests failed`);
  return answer[0];
}
