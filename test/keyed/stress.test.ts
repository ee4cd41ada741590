/**
 * Real threads, real races: a writer that publishes as fast as it can, four threads that look random keys up. Outcomes of a lookup: what a
 * version had that was the newest at some moment of it. A record that is torn, of another key or version, or missing is FORBIDDEN.
 *
 * `npm run soak:keyed` is the long run, of 1e9 lookups (STRESS_LOOKUPS); with STRESS_SECONDS it takes that long at least.
 */
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { createRing } from '../../dist/mirror/layout.js';

const WANTED = Number(process.env['STRESS_LOOKUPS'] ?? 1e7);
const seconds = Number(process.env['STRESS_SECONDS'] ?? 0);
const START = 0x7fffffff - 20_000;

interface Load {
  readonly slots: 2 | 4;
  readonly records: number;
  readonly readers: number;
  readonly maxEntries: number;
  readonly mutant?: 'none' | 'offby1' | 'noinval';
  readonly pauses?: boolean;
}

interface Counts {
  readonly published: number;
  readonly lookups: number;
  readonly found: number;
  readonly decodes: number;
  readonly fallbacks: number;
  readonly wrong: number;
}

async function run(load: Load, share: number, enough: (so: { lookups: number; wrong: number }) => boolean): Promise<Counts> {
  const ring = createRing(1 << 20, { slots: load.slots, startVersion: START });
  const control = new Int32Array(new SharedArrayBuffer(64));
  const workers: Worker[] = [];
  const start = (role: string, seed: number): Promise<Counts> => {
    const worker = new Worker(new URL('./threads/stress.js', import.meta.url), {
      workerData: { role, seed, start: START, buffer: ring.buffer, control, ...load },
    });
    workers.push(worker);
    return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  };
  try {
    const ended = Promise.all([start('writer', 0), ...Array.from({ length: load.readers }, (_, seed) => start('reader', seed + 1))]);
    const until = Date.now() + seconds * 1000 * share;
    let broken: unknown;
    ended.catch((error: unknown) => (broken = error));
    let reached = false;
    while (!broken && !(reached && Date.now() >= until)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      reached ||= enough({ lookups: Atomics.load(control, 1) * 1000, wrong: Atomics.load(control, 3) });
    }
    Atomics.store(control, 0, 1);
    const [writer, ...readers] = await ended;
    const sum = (name: keyof Counts): number => readers.reduce((total, reader) => total + reader[name], 0);
    return {
      published: (writer as Counts).published,
      lookups: sum('lookups'),
      found: sum('found'),
      decodes: sum('decodes'),
      fallbacks: sum('fallbacks'),
      wrong: sum('wrong'),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function tell(t: ExecutionContext, counts: Counts): void {
  t.log(
    Object.entries(counts)
      .map(([name, count]) => `${(count as number).toLocaleString('en')} ${name}`)
      .join(', '),
  );
}

const sound: readonly [name: string, share: number, load: Load][] = [
  ['nothing kept, 2 slots', 0.5, { slots: 2, records: 200, readers: 4, maxEntries: 0 }],
  ['some kept, 4 slots', 0.3, { slots: 4, records: 50, readers: 4, maxEntries: 20 }],
  ['tiny snapshots, 2 slots', 0.2, { slots: 2, records: 4, readers: 4, maxEntries: 4 }],
];

for (const [name, share, load] of sound) {
  test.serial(`nothing FORBIDDEN: ${name}`, async (t) => {
    t.timeout(300_000 + (seconds + WANTED / 1e5) * 1000);
    const counts = await run(load, share, ({ lookups }) => lookups >= WANTED * share);
    tell(t, counts);
    t.is(counts.wrong, 0);
    t.is(counts.fallbacks, 0, 'no lookup lost all its tries');
    t.true(counts.lookups >= WANTED * share && counts.found > counts.lookups / 2);
    t.true(counts.published > 20_000, 'the version wrapped');
  });
}

test.serial('nothing FORBIDDEN with pauses between all steps', async (t) => {
  t.timeout(300_000);
  const counts = await run({ slots: 2, records: 20, readers: 2, maxEntries: 0, pauses: true }, 0, ({ lookups }) => lookups > 3_000);
  tell(t, counts);
  t.is(counts.wrong, 0);
});

for (const mutant of ['none', 'offby1', 'noinval'] as const) {
  for (const slots of [2, 4] as const) {
    test.serial(`the same run sees the fault '${mutant}' with ${slots} slots`, async (t) => {
      t.timeout(300_000);
      const counts = await run({ slots, records: 20, readers: 2, maxEntries: 0, mutant, pauses: true }, 0, (so) => so.wrong > 100);
      tell(t, counts);
      t.true(counts.wrong > 100, 'void: this run would not have seen a wrong answer');
    });
  }
}
