/** Keyed mirrors over every link: worker threads, the dedicated thread, other processes of the host, and takeovers. */
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { bg, type KeyedChange } from '../../dist/index.js';
import { collect, endAfterwards, newKey, place, reaches } from '../bg/support.js';
import { type Child, spawnNode, until } from '../support/process.js';

endAfterwards();

const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url);

interface Told {
  readonly ready?: true;
  readonly got?: unknown;
  readonly version?: number;
  readonly list?: [string, unknown][];
  readonly change?: KeyedChange;
  readonly same?: unknown;
  readonly status?: Record<string, unknown>;
}

/** A thread that reads, with all that it has told. */
async function thread(t: ExecutionContext, key: string, wait = true) {
  const worker = new Worker(fixture('reader.js'), { workerData: { key } });
  t.teardown(() => worker.terminate());
  const told: Told[] = [];
  worker.on('message', (message: Told) => told.push(message));
  const next = (matches: (message: Told) => boolean, what: string): Promise<Told> =>
    until(() => told.find(matches), { what, deadline: 30_000 }) as Promise<Told>;
  const ask = async (question: object): Promise<Told> => {
    const before = told.length;
    worker.postMessage(question);
    return (await until(() => told.slice(before).find((message) => message.change === undefined && message.same === undefined), {
      what: 'an answer',
      deadline: 30_000,
    })) as Told;
  };
  if (wait) await next((message) => message.ready === true, 'the first version');
  return { told, next, ask };
}

test('threads that were there before the writer, and threads that come later', async (t) => {
  const key = newKey();
  const early = await thread(t, key, false);
  let round = 1;
  const writer = bg.write<unknown>(3600, { key, keyed: true, ref: false }, () => ({ same: { same: 1 }, round, [`only ${round}`]: round }));
  await writer.ready();
  await early.next((message) => message.ready === true, 'the first version');
  const late = await thread(t, key);
  for (const one of [early, late]) {
    t.deepEqual((await one.ask({ get: 'same' })).got, { same: 1 });
    t.is((await one.ask({ get: 'absent' })).got, null);
  }
  round = 2;
  await writer.refresh();
  for (const one of [early, late]) {
    const { change } = await one.next((message) => message.change?.version === 2, 'the second version');
    t.like(change, { from: 1, added: ['only 2'], changed: ['round'], removed: ['only 1'] });
    t.like(await one.ask({ get: 'round' }), { got: 2, version: 2 });
    t.deepEqual((await one.ask({ list: true })).list, [
      ['same', { same: 1 }],
      ['round', 2],
      ['only 2', 2],
    ]);
    t.like((await one.ask({ status: true })).status, { via: 'process', records: 3, refused: 0, state: 'live' });
  }
  t.is(early.told.filter((message) => message.same !== undefined).length, 1, 'a key that stays is told once');
  await writer.stop();
});

test('a loader in the dedicated thread, with what `previous` has', async (t) => {
  const key = newKey();
  const writer = bg.write<unknown>('5ms', { key, keyed: true, ref: false, loader: fixture('loaders.js') });
  const mirror = bg.read.keyed<{ thread: number; count: number; runs: number }>(key);
  await mirror.ready();
  const same = mirror.get('same');
  await reaches(mirror, 5);
  t.true((mirror.get('thread')?.thread ?? 0) > 0);
  t.is(mirror.get('count')?.count, mirror.get('runs')?.runs, 'each run saw what the one before had published');
  t.is(mirror.get('same'), same);
  await writer.stop();
});

test('a stream in the dedicated thread; one that breaks off leaves the records', async (t) => {
  const key = newKey();
  const writer = bg.write<{ i: number }>(3600, { key, keyed: true, ref: false, loader: fixture('loaders.js#streamed') });
  await writer.ready();
  const mirror = bg.read.keyed<{ i: number }>(key);
  t.is(mirror.size, 1000);
  t.deepEqual(mirror.get('key 999'), { i: 999 });
  const breaking = newKey();
  const { errors, onError } = collect();
  const other = bg.write<number>(3600, { key: breaking, keyed: true, ref: false, onError, loader: fixture('loaders.js#breaking') });
  await other.ready();
  await t.throwsAsync(other.refresh(), { message: 'The source went away in the middle' });
  const records = bg.read.keyed<number>(breaking);
  t.deepEqual(
    [...records.entries()],
    [
      ['attempt', 1],
      ['end', 1],
    ],
  );
  t.is(errors.length, 1);
  await other.refresh();
  t.deepEqual(
    [...records.entries()],
    [
      ['attempt', 3],
      ['end', 3],
    ],
  );
  t.is(records.version, 2);
  await Promise.all([writer.stop(), other.stop()]);
});

test('the module’s own validate sees lookups', async (t) => {
  const key = newKey();
  const { errors, onError } = collect();
  const writer = bg.write(3600, { key, keyed: true, ref: false, onError, loader: fixture('guarded.js') });
  await writer.ready();
  const mirror = bg.read.keyed(key);
  t.is(mirror.size, 6);
  await t.throwsAsync(writer.refresh(), { code: 'ERR_VALIDATION' });
  t.is(mirror.size, 6);
  t.is(errors.length, 1);
  await writer.stop();
});

const process2 = (t: ExecutionContext, name: string, ...args: string[]): Child => spawnNode(t, fixture(name), { args, env: place });
const isReady = (message: Told): boolean => message.ready === true;

/** The next answer of a process. */
async function askChild(child: Child, question: object, field: keyof Told): Promise<Told> {
  child.send(question);
  return child.message<Told>((message) => field in message, 30_000);
}

test('other processes of the host: pushed, with the same layout, and over a takeover', async (t) => {
  const key = newKey();
  const first = process2(t, 'writer.js', key, 'first');
  await first.message(isReady, 30_000);
  const reader = process2(t, 'reader.js', key);
  await reader.message(isReady, 30_000);
  t.like(await askChild(reader, { get: 'writer' }, 'got'), { got: { name: 'first' } });
  t.like((await askChild(reader, { status: true }, 'status')).status, { via: 'host', records: 3 });
  first.send({});
  const { change } = await reader.message<Told>((message) => (message.change?.version ?? 0) >= 2, 30_000);
  t.deepEqual([change?.added, change?.changed, change?.removed], [[], ['round'], []]);

  // A process that comes later has what the file has; this process reads too.
  const mirror = bg.read.keyed<{ name: string; round: number }>(key);
  await mirror.ready(30);
  const same = mirror.get('same');
  t.is(mirror.get('round')?.round, 2);

  const second = process2(t, 'writer.js', key, 'second');
  await until(() => mirror.status().state === 'live', { what: 'the writer being heard', deadline: 30_000 });
  first.kill('SIGKILL');
  await first.exited;
  await second.message(isReady, 30_000);
  await until(() => mirror.get('writer')?.name === 'second', { what: 'the takeover', deadline: 30_000 });
  t.is(mirror.get('same'), same, 'a record that the new writer has too is the same object');
  const after = await reader.message<Told>((message) => message.change?.changed.includes('writer') ?? false, 30_000);
  t.deepEqual([after.change?.added, [...(after.change?.changed ?? [])].sort(), after.change?.removed], [[], ['round', 'writer'], []]);
  t.true((after.change?.epoch ?? 0) > (change?.epoch ?? 0));
  t.true((after.change?.version ?? 0) > (change?.version ?? 0));
  reader.send({ end: true });
  t.is((await reader.exited).code, 0);
  mirror.close();
});

test('a process that restarts has the records of the last writer at once, marked stale', async (t) => {
  const key = newKey();
  const writer = process2(t, 'writer.js', key, 'gone');
  await writer.message(isReady, 30_000);
  const seen = bg.read.keyed<{ name: string }>(key);
  await seen.ready(30);
  writer.kill('SIGKILL');
  await writer.exited;
  const reader = process2(t, 'reader.js', key);
  await reader.message(isReady, 30_000);
  t.like(await askChild(reader, { get: 'writer' }, 'got'), { got: { name: 'gone' } });
  t.like((await askChild(reader, { status: true }, 'status')).status, { isStale: true, records: 3 });
  seen.close();
});
