/** The collectors of one name in all threads of a process are one. */
import { once } from 'node:events';
import { Worker, threadId } from 'node:worker_threads';
import test from 'ava';
import { InMemoryMetrics } from '../../dist/index.js';
import { countOf } from '../../dist/metrics/counter.js';
import { type Scope, until } from '../support/process.js';

interface Answer {
  readonly threadId: number;
  readonly stats: ReturnType<InMemoryMetrics['getStats']>;
  readonly threads: ReturnType<InMemoryMetrics['getThreadStats']>;
}

class Thread {
  readonly worker: Worker;

  constructor(t: Scope, name: string) {
    this.worker = new Worker(new URL('./fixtures/counter.js', import.meta.url), { workerData: { name } });
    t.teardown(() => this.worker.terminate());
  }

  async next(): Promise<Answer> {
    const [answer] = (await once(this.worker, 'message')) as [Answer];
    return answer;
  }

  ask(message: object): Promise<Answer> {
    const answer = this.next();
    this.worker.postMessage(message);
    return answer;
  }
}

async function start(t: Scope, name: string, count: number): Promise<Thread[]> {
  const threads = Array.from({ length: count }, () => new Thread(t, name));
  await Promise.all(threads.map((thread) => thread.next()));
  return threads;
}

const HITS = 3_000_000;

test.serial('hits of 4 threads under full load: the sum is exact, in every thread, and so is the share of each', async (t) => {
  const metrics = new InMemoryMetrics({ name: 'load' });
  const threads = await start(t, 'load', 4);
  const answers = await Promise.all(threads.map((thread) => thread.ask({ hits: HITS })));
  const expected = { hits: 4 * HITS, misses: 4, sets: 4, deletes: 0, hitRatePercent: (100 * 4 * HITS) / (4 * HITS + 4) };
  const { caches, latency, errors, memory, backgroundRefresh } = metrics.getStats();
  t.deepEqual(caches, { getUser: expected });
  t.is(latency['getUser.work']?.count, 400);
  t.true(Math.abs((latency['getUser.work']?.p99Ms ?? 0) - 10) < 0.1);
  t.deepEqual(errors, { 'getUser.get': { RangeError: 4 } });
  t.deepEqual(memory['getUser'], { bytes: 4000, entries: 4, mb: 4000 / 2 ** 20 });
  t.deepEqual(backgroundRefresh, { getUser: { success: 4, failure: 0 } });

  const asked = await (threads[2] as Thread).ask({ stats: true });
  t.deepEqual(asked.stats.caches, { getUser: expected }, 'any thread reads the same sum');

  const shares = new Map(metrics.getThreadStats().map((one) => [one.threadId, one.stats.caches['getUser']?.hits]));
  for (const answer of answers) t.is(shares.get(answer.threadId), HITS);
});

test.serial('a reading while threads count never goes back, and is never beyond what was counted', async (t) => {
  const metrics = new InMemoryMetrics({ name: 'while' });
  const threads = await start(t, 'while', 2);
  const done = Promise.all(threads.map((thread) => thread.ask({ hits: HITS })));
  let last = 0;
  let readings = 0;
  let isDone = false;
  void done.then(() => (isDone = true));
  while (!isDone) {
    const hits = metrics.getStats().caches['getUser']?.hits ?? 0;
    if (hits < last || hits > 2 * HITS) t.fail(`${hits} after ${last}`);
    last = hits;
    readings++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.is(metrics.getStats().caches['getUser']?.hits, 2 * HITS);
  t.true(readings > 10);
});

test.serial('a counter is never read torn, nor of two moments, however often it carries', async (t) => {
  const step = 2 ** 28;
  const words = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(new URL('./fixtures/carrier.js', import.meta.url), { workerData: { buffer: words.buffer, step } });
  t.teardown(() => worker.terminate());
  const steps = once(worker, 'message');
  let last = 0;
  for (let moved = 0; moved < 30_000; ) {
    const count = countOf(words, 0);
    if (count < last || count % step !== 0) t.fail(`${count / step} steps after ${last / step}`);
    if (count > last) moved++;
    last = count;
  }
  Atomics.store(words, 2, 1);
  t.is(countOf(words, 0) >= last && step * ((await steps)[0] as number), countOf(words, 0));
});

test.serial('a thread that ends keeps its counts in the sum, but not its memory', async (t) => {
  const metrics = new InMemoryMetrics({ name: 'deaths' });
  const [first] = (await start(t, 'deaths', 1)) as [Thread];
  await first.ask({ hits: 1000 });
  await first.worker.terminate();
  await until(() => metrics.getThreadStats().every((one) => one.threadId === undefined), { what: 'the death is heard of' });
  t.is(metrics.getStats().caches['getUser']?.hits, 1000);
  t.is(metrics.getStats().memory['getUser'], undefined);

  const [second] = (await start(t, 'deaths', 1)) as [Thread];
  const { threadId: id } = await second.ask({ hits: 500 });
  t.is(metrics.getStats().caches['getUser']?.hits, 1500);
  t.is(metrics.getStats().memory['getUser']?.bytes, 1000);
  const lanes = metrics.getThreadStats();
  t.is(lanes.length, 1, 'the new thread went on where the dead one stopped');
  t.is(lanes[0]?.threadId, id);
});

test.serial(
  'a thread that is killed in the middle of counting leaves a sound count, and threads that come and go cost no memory',
  async (t) => {
    const metrics = new InMemoryMetrics({ name: 'kills' });
    let last = 0;
    const lanes: number[] = [];
    for (let i = 0; i < 6; i++) {
      const [thread] = (await start(t, 'kills', 1)) as [Thread];
      const { threadId: id } = await thread.ask({ forever: true });
      const now = await until(
        () => {
          const hits = metrics.getStats().caches['getUser']?.hits ?? 0;
          return hits > last && hits;
        },
        { what: 'it counts' },
      );
      await thread.worker.terminate();
      await until(() => metrics.getThreadStats().every((one) => one.threadId !== id), { what: 'the death is heard of' });
      last = metrics.getStats().caches['getUser']?.hits ?? 0;
      t.true(last >= now);
      lanes.push(metrics.getThreadStats().length);
    }
    t.deepEqual(lanes, [1, 1, 1, 1, 1, 1]);
  },
);

test.serial('a hundred names in all threads together; the rest is other', async (t) => {
  const metrics = new InMemoryMetrics({ name: 'names' });
  const threads = await start(t, 'names', 3);
  await Promise.all(threads.map((thread, i) => thread.ask({ names: 80, prefix: `thread ${i}` })));
  const { caches } = metrics.getStats();
  // The hundredth is that of the cached function, which nobody has called.
  t.is(Object.keys(caches).length, 99 + 1);
  t.is(caches['other']?.hits, 240 - 99);
  t.is(
    Object.values(caches).reduce((sum, { hits }) => sum + hits, 0),
    240,
  );
});

test.serial('without a name a collector is on its own; of one name in one thread all are one', (t) => {
  const [a, b, c, d] = [
    new InMemoryMetrics(),
    new InMemoryMetrics(),
    new InMemoryMetrics({ name: 'one' }),
    new InMemoryMetrics({ name: 'one' }),
  ];
  a.recordHit('x');
  c.recordHit('x');
  t.deepEqual(b.getStats().caches, {});
  t.is(d.getStats().caches['x']?.hits, 1);
  t.deepEqual(
    d.getThreadStats().map((one) => one.threadId),
    [threadId],
  );
});

test('options that can not be meant throw', (t) => {
  const make = (options: object): InMemoryMetrics => new InMemoryMetrics(options);
  t.throws(() => make({ name: '' }), { instanceOf: TypeError, message: /`name` to be a non-empty string/ });
  t.throws(() => make({ sampleEvery: 0 }), { instanceOf: RangeError, message: /`sampleEvery`/ });
  t.throws(() => make({ sampleEvery: 1.5 }), { instanceOf: RangeError });
  t.throws(() => make({ nane: 'app' }), { instanceOf: TypeError, message: /'nane'/ });
});
