/** Threads find one another's writers by themselves, whoever came first; and what becomes of a key whose thread ended. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import test, { type ExecutionContext } from 'ava';
import type * as Library from '../../dist/index.js';
import { bg, DuplicateWriterError } from '../../dist/index.js';
import { tempDir, until } from '../support/process.js';
import { root } from '../support/root.js';
import { collect, endAfterwards, fixture, newKey, reaches } from './support.js';

endAfterwards();

interface Answer {
  readonly value?: unknown;
  readonly version?: number;
  readonly state?: string;
}

interface Act {
  readonly act: string;
  readonly key?: string;
  readonly [more: string]: unknown;
}

/** A thread that does what it is told. */
function thread(t: ExecutionContext, workerData: unknown = {}) {
  const worker = new Worker(fixture('thread.js'), { workerData });
  t.teardown(() => worker.terminate());
  return {
    id: worker.threadId,
    async tell(message: Act): Promise<Answer> {
      worker.postMessage(message);
      const [answer] = (await once(worker, 'message')) as [Answer & { error?: { message: string; code: string } }];
      if (answer.error) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
      return answer;
    },
    terminate: () => worker.terminate(),
  };
}

const inner = (message: Act): Act => ({ act: 'inner', message });

test('a thread started after the writer has its ring before its first line, and the value with its first read', async (t) => {
  const key = newKey();
  let value = 'value';
  const writer = bg.write(3600, { key, ref: false }, () => value);
  await writer.ready();
  const late = thread(t);
  t.like(await late.tell({ act: 'read', key }), { value: 'value', version: 1 });
  t.like(await late.tell(inner({ act: 'read', key })), { value: 'value', version: 1 }, 'a thread within it too');
  value = 'next';
  await writer.refresh();
  t.like(await late.tell({ act: 'look', key }), { version: 2 });
  await writer.stop();
  t.like(await late.tell({ act: 'look', key }), { value: 'next', state: 'closed' });
});

test('threads that run before the writer is there find it: a Worker, one within it, and this thread', async (t) => {
  const key = newKey();
  const early = thread(t);
  t.like(await early.tell({ act: 'read', key }), { version: 0 });
  t.like(await early.tell(inner({ act: 'read', key })), { version: 0 });
  const own = bg.read(key);
  let value = 'value';
  const writer = bg.write(3600, { key, ref: false }, () => value);
  await writer.ready();
  t.like(await early.tell({ act: 'ready', key }), { value: 'value' });
  t.like(await early.tell(inner({ act: 'ready', key })), { value: 'value' });
  t.is(own(), 'value');
  value = 'next';
  await writer.refresh();
  t.like(await early.tell({ act: 'look', key }), { version: 2 }, 'seen at once, not after a wake-up');
  await writer.stop();
  own.close();
});

test('a writer in a Worker is read by this thread and by other Workers, with mirrors made before and after', async (t) => {
  const key = newKey();
  const before = bg.read(key);
  const owner = thread(t);
  const other = thread(t);
  await other.tell({ act: 'read', key });
  await owner.tell({ act: 'write', key, value: 'theirs' });
  await owner.tell({ act: 'refresh', key });
  t.is(await before.ready(10), 'theirs');
  t.is(bg.read(key)(), 'theirs', 'this thread knows the ring by now');
  t.like(await other.tell({ act: 'ready', key }), { value: 'theirs' });
  const another = thread(t);
  await another.tell({ act: 'read', key });
  t.like(await another.tell({ act: 'ready', key }), { value: 'theirs' });
});

test('a Piscina pool started before and after the writer', async (t) => {
  const key = newKey();
  const filename = fixture('pool.js').href;
  const early = new Piscina({ filename, minThreads: 2, maxThreads: 2, concurrentTasksPerWorker: 1 });
  const reading = [early.run({ key }, { name: 'read' }), early.run({ key }, { name: 'read' })];
  const writer = bg.write(3600, { key, ref: false }, () => 'pooled');
  await writer.ready();
  for (const answer of await Promise.all(reading)) t.like(answer, { value: 'pooled', version: 1 });
  const late = new Piscina({ filename, maxThreads: 1 });
  t.like(await late.run({ key }, { name: 'read' }), { value: 'pooled', version: 1 });
  await writer.stop();
  await early.destroy();
  await late.destroy();
});

for (const loader of [undefined, fixture('loaders.js#upper').href]) {
  const how = loader ? 'a module' : 'a function';
  test(`a key whose writer (${how}) is in another thread is refused here and there, until that one stops`, async (t) => {
    const key = newKey();
    const owner = thread(t);
    const mirror = bg.read(key);
    await owner.tell({ act: 'write', key, value: 'theirs', ...(loader ? { loader } : {}) });
    await owner.tell({ act: 'refresh', key });
    await mirror.ready(10);
    const error = t.throws(() => bg.write(3600, { key, ref: false }, () => 'ours'), { instanceOf: DuplicateWriterError });
    t.regex(error?.message ?? '', new RegExp(`the thread ${owner.id} of this process`));
    await t.throwsAsync(owner.tell({ act: 'write', key, value: 'again' }), { code: 'ERR_DUPLICATE_WRITER' });
    const third = thread(t);
    await third.tell({ act: 'read', key });
    await third.tell({ act: 'ready', key });
    await t.throwsAsync(third.tell({ act: 'write', key, value: 'third' }), { code: 'ERR_DUPLICATE_WRITER' });
    await owner.tell({ act: 'stop', key });
    const writer = bg.write(3600, { key, ref: false }, () => 'ours');
    await until(() => mirror() === 'ours', { what: 'our own value' });
    t.is(mirror.version, 2);
    await writer.stop();
  });

  test(`a Worker with the writer (${how}) is terminated: the value stays, and a new Worker registers the key`, async (t) => {
    const key = newKey();
    const mirror = bg.read(key);
    const bystander = thread(t);
    await bystander.tell({ act: 'read', key });
    let version = 0;
    for (let round = 1; round <= 5; round++) {
      const owner = thread(t);
      await owner.tell({ act: 'read', key });
      if (round > 1) await owner.tell({ act: 'ready', key });
      await owner.tell({ act: 'write', key, value: `of ${round}`, ...(loader ? { loader } : {}) });
      await owner.tell({ act: 'refresh', key });
      await until(() => mirror.version > version, { what: `the value of round ${round}` });
      version = mirror.version;
      t.is(mirror(), loader ? 'upper' : `of ${round}`);
      await until(async () => (await bystander.tell({ act: 'look', key })).value === mirror(), { what: 'the bystander' });
      await owner.terminate();
      t.is(mirror(), loader ? 'upper' : `of ${round}`);
      await until(() => mirror.status().state === 'interrupted', { what: 'the news of its end' });
    }
    const here = bg.write(3600, { key, ref: false }, () => 'in this thread');
    await until(() => mirror() === 'in this thread', { what: 'our own value' });
    await here.stop();
  });
}

test('50 Workers terminated while they publish: nothing torn, nothing backward', async (t) => {
  const key = newKey();
  const mirror = bg.read<number[]>(key);
  let last = 0;
  let faults = 0;
  let seen = 0;
  for (let round = 0; round < 50; round++) {
    const owner = thread(t);
    const from = mirror.version;
    await owner.tell({ act: 'storm', key });
    const until = performance.now() + Math.random() * 8;
    while (mirror.version === from || performance.now() < until) {
      const value = mirror();
      if (mirror.version !== last) {
        seen++;
        if (mirror.version < last) faults++;
        if (value?.length !== 500 || value.some((it) => it !== value[0])) faults++;
        last = mirror.version;
      }
      if (mirror.version === from) await new Promise((resolve) => setImmediate(resolve));
    }
    await owner.terminate();
  }
  t.is(faults, 0);
  t.true(seen >= 50, `${seen} versions seen`);
  t.is(mirror.status().refused, 0);
});

test('two threads that register a key at the same moment: one of them stays', async (t) => {
  for (let round = 0; round < 5; round++) {
    const key = newKey();
    const mirror = bg.read(key);
    const pair = [thread(t), thread(t)] as const;
    await Promise.all(pair.map((it) => it.tell({ act: 'read', key: `${key} to start` })));
    const outcomes = await Promise.allSettled(pair.map((it, index) => it.tell({ act: 'write', key, value: index })));
    const registered = pair.filter((_, index) => outcomes[index]?.status === 'fulfilled');
    t.true(registered.length >= 1);
    // Either the second was refused at the call, or it hears of the other one and stops.
    await until(
      async () => {
        const refreshed = await Promise.allSettled(registered.map((it) => it.tell({ act: 'refresh', key })));
        return refreshed.filter(({ status }) => status === 'fulfilled').length === 1;
      },
      { what: 'the one that stays' },
    );
    await mirror.ready(10);
    await Promise.all(pair.map((it) => it.terminate()));
    mirror.close();
  }
});

test('two copies of the package in one process read one another’s writers, and refuse a second one', async (t) => {
  const folder = tempDir(t);
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  const library = pathToFileURL(join(folder, 'dist/index.js')).href;
  const copy = (await import(library)) as typeof Library;
  t.not(copy.bg, bg);
  const key = newKey();
  const early = copy.bg.read(key);
  const writer = bg.write(3600, { key, ref: false }, () => 'of the first copy');
  t.is(await early.ready(10), 'of the first copy');
  t.is(copy.bg.read(key)(), 'of the first copy');
  const error = t.throws(() => copy.bg.write(60, { key, ref: false }, () => 'x'), { code: 'ERR_DUPLICATE_WRITER' });
  t.true(copy.AdvancedCachingError.is(error));
  const foreign = thread(t, { library });
  await foreign.tell({ act: 'read', key });
  t.like(await foreign.tell({ act: 'ready', key }), { value: 'of the first copy' });
  await t.throwsAsync(foreign.tell({ act: 'write', key, value: 'x' }), { code: 'ERR_DUPLICATE_WRITER' });
  await writer.stop();
  const second = copy.bg.write(3600, { key, ref: false }, () => 'of the second copy');
  await until(() => early() === 'of the second copy', { what: 'the second copy’s value' });
  t.is(bg.read(key)(), 'of the second copy');
  await copy.bg.shutdown();
  t.is(second.status().state, 'closed');
});

test('a writer that finds another one too late is told, and stops', async (t) => {
  const key = newKey();
  const owner = thread(t);
  await owner.tell({ act: 'write', key, value: 'older' });
  await owner.tell({ act: 'refresh', key });
  const { errors, onError } = collect();
  // This thread has not heard of the ring if its event loop had no turn since; either outcome is a refusal.
  let writer: ReturnType<typeof bg.write> | undefined;
  try {
    writer = bg.write(3600, { key, ref: false, onError }, () => 'younger') as never;
  } catch (error) {
    t.true(error instanceof DuplicateWriterError);
    return;
  }
  await until(() => errors.length > 0, { what: 'the report' });
  t.true(errors[0] instanceof DuplicateWriterError);
  t.is(bg.status().writers.filter((it) => it.key === key && it.state !== 'closed').length, 0);
  t.truthy(writer);
  const mirror = bg.read(key);
  await reaches(mirror, 1);
  t.is(mirror(), 'older');
});
