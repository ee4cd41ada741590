/**
 * Real threads, real races. Outcomes of a read, the newest snapshot or the one before: allowed;
 * `busy`: allowed; torn, of another version, older than the last, or a failed checksum: FORBIDDEN.
 *
 * x86 keeps the order that ARM doesn't, so a pass here says nothing about weak memory: that is what the model is for.
 * `STRESS_SECONDS=3600 npx ava test/mirror/stress.test.ts` is the soak: the seconds are shared out over the runs.
 */
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { createRing } from '../../dist/mirror/layout.js';

const seconds = Number(process.env['STRESS_SECONDS'] ?? 0);

interface Load {
  readonly slots: 2 | 4;
  readonly sizes: readonly number[];
  readonly readers: number;
  readonly mutant?: 'none' | 'offby1' | 'noinval';
  readonly pauses?: boolean;
}

interface Counts {
  readonly published: number;
  readonly takes: number;
  readonly reads: number;
  readonly decodes: number;
  readonly busy: number;
  readonly wrong: number;
}

/** Runs until `enough` is satisfied, or for a share of STRESS_SECONDS if that is longer. */
async function run(load: Load, share: number, enough: (so: { takes: number; reads: number; wrong: number }) => boolean): Promise<Counts> {
  const ring = createRing(Math.max(...load.sizes), load.slots, 0x7fffffff - 20_000);
  const control = new Int32Array(new SharedArrayBuffer(64));
  const workers: Worker[] = [];
  const start = (role: string): Promise<Counts> => {
    const worker = new Worker(new URL('./threads/stress.js', import.meta.url), {
      workerData: { role, buffer: ring.buffer, control, ...load },
    });
    workers.push(worker);
    return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  };
  try {
    const results = [start('writer'), ...Array.from({ length: load.readers }, () => start('reader'))];
    const ended = Promise.all(results);
    const until = Date.now() + seconds * 1000 * share;
    let broken: unknown;
    ended.catch((error: unknown) => (broken = error));
    // Counters wrap in a soak; by then there are enough.
    let reached = false;
    while (!broken && !(reached && Date.now() >= until)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      reached ||= enough({ takes: control[1] as number, reads: control[2] as number, wrong: control[3] as number });
    }
    Atomics.store(control, 0, 1);
    const [writer, ...readers] = await ended;
    const sum = (name: keyof Counts): number => readers.reduce((total, reader) => total + reader[name], 0);
    return {
      published: (writer as Counts).published,
      takes: sum('takes'),
      reads: sum('reads'),
      decodes: sum('decodes'),
      busy: sum('busy'),
      wrong: sum('wrong'),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

const total = { takes: 0, reads: 0 };

function tell(t: ExecutionContext, counts: Counts): void {
  t.log(
    Object.entries(counts)
      .map(([name, count]) => `${(count as number).toLocaleString('en')} ${name}`)
      .join(', '),
  );
}

const sound: readonly [name: string, share: number, takes: number, load: Load][] = [
  ['small snapshots, 2 slots', 0.3, 5_200_000, { slots: 2, sizes: [8], readers: 4 }],
  ['small snapshots, 4 slots', 0.3, 5_200_000, { slots: 4, sizes: [0, 8, 64, 16], readers: 4 }],
  ['1 kB, 2 slots', 0.1, 100_000, { slots: 2, sizes: [1024], readers: 4 }],
  ['64 kB, 4 slots', 0.1, 10_000, { slots: 4, sizes: [65_536], readers: 4 }],
  // Over the run each slot grows some times; 37 is prime, so each size comes to each slot.
  ['growing sizes, 2 slots', 0.1, 10_000, { slots: 2, sizes: Array.from({ length: 37 }, (_, i) => 4 * Math.floor(1.3 ** i)), readers: 4 }],
];

for (const [name, share, takes, load] of sound) {
  test.serial(`nothing FORBIDDEN: ${name}`, async (t) => {
    t.timeout(300_000 + seconds * 1000);
    const counts = await run(load, share, (so) => so.takes >= takes);
    tell(t, counts);
    t.is(counts.wrong, 0);
    t.true(counts.published > 20_000 || (load.sizes.at(-1) as number) > 1024, 'the version wrapped');
    t.true(counts.decodes > 0);
    total.takes += counts.takes;
    total.reads += counts.reads;
  });
}

test.serial('enough was tried', (t) => {
  t.log(`${total.takes.toLocaleString('en')} validated copies, ${total.reads.toLocaleString('en')} reads`);
  t.true(total.takes >= 1e7);
  t.true(total.reads >= 1e8);
});

test.serial('nothing FORBIDDEN with pauses between all steps', async (t) => {
  t.timeout(300_000 + seconds * 1000);
  const counts = await run({ slots: 2, sizes: [64], readers: 2, pauses: true }, 0.1, (so) => so.takes > 2_000);
  tell(t, counts);
  t.is(counts.wrong, 0);
});

for (const mutant of ['none', 'offby1', 'noinval'] as const) {
  for (const slots of [2, 4] as const) {
    test.serial(`the same run sees the fault '${mutant}' with ${slots} slots`, async (t) => {
      t.timeout(300_000);
      const counts = await run({ slots, sizes: [64], readers: 2, mutant, pauses: true }, 0, (so) => so.wrong > 150);
      tell(t, counts);
      t.true(counts.wrong > 100, 'void: this run would not have seen a torn read');
    });
  }
}
