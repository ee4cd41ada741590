// @ts-check
/**
 * What metrics cost a hit, as ratios to the same hit without, taken in one run. Of the library's own collectors, of one that is
 * called for each hit, and of listeners of `advanced-caching:hit`.
 *
 *     npm run bench -- metrics-cost [--quick]
 */
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { InMemoryMetrics, NULL_METRICS, cache } from 'advanced-caching';
import { compare, loop } from './harness.js';

const ids = Array.from({ length: 1024 }, (_, i) => i * 7);

/** @param {import('advanced-caching').MetricsCollector} [metrics] */
const options = (metrics) => ({ name: 'hit', ...(metrics ? { metrics } : {}) });

/** A hit on a fixed key. @param {import('advanced-caching').MetricsCollector} [metrics] */
function fixed(metrics) {
  const hit = cache(600, { key: 'flags', ...options(metrics) })(() => 1);
  hit();
  return loop('sum += hit();', { hit });
}

/** A hit on a key with an argument. @param {import('advanced-caching').MetricsCollector} [metrics] */
function keyed(metrics) {
  const hit = cache(600, { key: 'user:{}', ...options(metrics) })((/** @type {number} */ id) => id);
  for (const id of ids) hit(id);
  return loop('sum += hit(ids[i & 1023]);', { hit, ids });
}

/** @param {import('advanced-caching').MetricsCollector} [metrics] */
async function awaited(metrics) {
  const hit = cache(600, { key: 'flags', ...options(metrics) })(async () => 1);
  await hit();
  return loop('sum += await hit();', { hit }, true);
}

if (!isMainThread) {
  // The other thread of the last comparison: counts hits of the same cache, as fast as it can, until it is told to stop.
  const run = fixed(new InMemoryMetrics({ name: 'bench', sampleEvery: Infinity }));
  parentPort?.postMessage('begun');
  while (Atomics.load(/** @type {Int32Array} */ (workerData), 0) === 0) run(100_000);
  process.exit();
}

const unsampled = () => new InMemoryMetrics({ sampleEvery: Infinity });
/** @type {import('advanced-caching').MetricsCollector} */
const called = { ...NULL_METRICS };

for (const [key, make] of /** @type {const} */ ([
  ["'flags'", fixed],
  ["'user:{}'", keyed],
])) {
  await compare(`${key}: none, against none`, make(), make(), 'the noise');
  await compare(`${key}: NULL_METRICS`, make(NULL_METRICS), make(), 'target 1');
  await compare(`${key}: InMemoryMetrics, nothing timed`, make(unsampled()), make(), 'must 2');
  await compare(`${key}: InMemoryMetrics`, make(new InMemoryMetrics()), make(), 'no target: the sampling');
  await compare(`${key}: InMemoryMetrics, all timed`, make(new InMemoryMetrics({ sampleEvery: 1 })), make(), 'no target');
  await compare(`${key}: a collector that is called`, make(called), make(), 'no target');
}

await compare("await 'flags': InMemoryMetrics", await awaited(new InMemoryMetrics()), await awaited(), 'must 2');

const listener = () => {};
const before = fixed();
diagnostics.subscribe('advanced-caching:hit', listener);
await compare("'flags': with a listener of hits", fixed(), fixed(), 'both sides have it');
diagnostics.unsubscribe('advanced-caching:hit', listener);
await compare("'flags': after the listener has gone", before, fixed(), 'target 1');

const stop = new Int32Array(new SharedArrayBuffer(4));
const alone = fixed(new InMemoryMetrics({ name: 'alone', sampleEvery: Infinity }));
const together = fixed(new InMemoryMetrics({ name: 'bench', sampleEvery: Infinity }));
const worker = new Worker(new URL(import.meta.url), { workerData: stop });
await once(worker, 'message');
await compare("'flags': another thread counts the same cache", together, alone, 'target 1, with a core for each');
Atomics.store(stop, 0, 1);
await once(worker, 'exit');
