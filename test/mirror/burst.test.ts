import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { createRing, readHealth, writeHealth, type Ring } from '../../dist/mirror/layout.js';
import { publish } from '../../dist/mirror/protocol.js';
import { watch } from '../../dist/mirror/watch.js';
import { serializers } from '../../dist/serializers/resolve.js';

// `--expose-gc`, from inside.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const PUBLISHES = 10_000;
const MIB = 1024 * 1024;

interface Result {
  readonly wrong: string[];
  readonly versions: number;
  readonly before: number;
  readonly reads: number;
  readonly decodes: number;
  readonly refused: number;
}

function publishOne(ring: Ring, version: number): void {
  const value = { version, square: version * version, rows: Array(version % 50).fill(version) };
  publish(ring, {
    epoch: 1,
    version,
    createdAt: 0,
    createdAtMonotonic: 0,
    freshFor: 0,
    codec: 'json',
    bytes: serializers.json.dumps(value),
  });
}

/** Bytes more per publish, by least squares: a single high sample doesn't make a slope. */
function slope(samples: readonly { x: number; y: number }[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(samples.map((sample) => sample.x));
  const y = mean(samples.map((sample) => sample.y));
  const over = samples.reduce((sum, sample) => sum + (sample.x - x) * (sample.y - y), 0);
  return over / samples.reduce((sum, sample) => sum + (sample.x - x) ** 2, 0);
}

test.serial('10,000 publishes while four threads read: every value true, in order, decoded once', async (t) => {
  t.timeout(120_000);
  const ring = createRing(MIB);
  const workers = Array.from(
    { length: 4 },
    () => new Worker(new URL('./threads/burst.js', import.meta.url), { workerData: { buffer: ring.buffer, last: PUBLISHES } }),
  );
  try {
    const ready = workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)));
    await Promise.all(ready);
    const results = workers.map(
      (worker) => new Promise<Result>((resolve, reject) => worker.once('message', resolve).once('error', reject)),
    );
    for (let version = 1; version <= PUBLISHES; version++) {
      publishOne(ring, version);
      // Breath for the readers, two cores or not.
      if (version % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const result of await Promise.all(results)) {
      t.deepEqual(result.wrong, []);
      t.is(result.before, PUBLISHES);
      t.is(result.refused, 0);
      t.is(result.decodes, result.versions, 'a version was decoded twice');
      t.true(result.decodes > 1 && result.decodes <= PUBLISHES);
      t.log(`${result.reads} reads, ${result.decodes} decodes`);
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
});

test.serial('200,000 publishes into a watched ring leave heap and memory flat', async (t) => {
  t.timeout(120_000);
  const ring = createRing(MIB);
  let wakes = 0;
  const off = watch(ring, () => wakes++);
  const heap: { x: number; y: number }[] = [];
  const resident: { x: number; y: number }[] = [];
  for (let version = 1; version <= 200_000; version++) {
    publishOne(ring, version);
    writeHealth(ring, { state: version % 2 ? 'live' : 'interrupted', failures: 0, lastOk: version }, version);
    if (version % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    // The first half warms up: compiled code, the young generation's size.
    if (version >= 100_000 && version % 5000 === 0) {
      collect();
      const { heapUsed, rss } = process.memoryUsage();
      heap.push({ x: version, y: heapUsed });
      resident.push({ x: version, y: rss });
    }
  }
  off();
  t.true(wakes > 0);
  t.is(readHealth(ring).since, 200_000);
  const perHundredThousand = (samples: { x: number; y: number }[]): number => (slope(samples) * 1e5) / MIB;
  t.log(
    `per 100,000 publishes: heap ${perHundredThousand(heap).toFixed(2)} MiB, RSS ${perHundredThousand(resident).toFixed(2)} MiB; ${wakes} wake-ups`,
  );
  t.true(perHundredThousand(heap) < 1);
  t.true(perHundredThousand(resident) < 8);
});
