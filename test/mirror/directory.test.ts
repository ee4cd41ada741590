import { readdirSync } from 'node:fs';
import { BroadcastChannel, getEnvironmentData, Worker } from 'node:worker_threads';
import test from 'ava';
import { Piscina } from 'piscina';
import { systemClock } from '../../dist/core/clock.js';
import { announceRing, closeDirectory, findRing, knownRings, seekRing, withdrawRing } from '../../dist/mirror/directory.js';
import { createRing, type Ring } from '../../dist/mirror/layout.js';
import { publish } from '../../dist/mirror/protocol.js';
import { createReader } from '../../dist/mirror/reader.js';
import { snapshotOf } from './explorer.js';
import { write } from './threads/member.js';

const file = new URL('./threads/member.js', import.meta.url);
const CHANNEL = 'advanced-caching/1';

interface Member {
  tell(message: object): void;
  /** The next answer that has this property. */
  hear<T>(name: string): Promise<T>;
  end(): Promise<unknown>;
}

async function member(): Promise<Member> {
  const worker = new Worker(file, { workerData: { member: true } });
  const heard: Record<string, unknown>[] = [];
  const waiting: { name: string; resolve: (value: never) => void }[] = [];
  const settle = (): void => {
    for (const wait of [...waiting]) {
      const at = heard.findIndex((message) => wait.name in message);
      if (at === -1) continue;
      waiting.splice(waiting.indexOf(wait), 1);
      wait.resolve((heard.splice(at, 1)[0] as Record<string, unknown>)[wait.name] as never);
    }
  };
  worker.on('message', (message: Record<string, unknown>) => {
    heard.push(message);
    settle();
  });
  const self: Member = {
    tell: (message) => worker.postMessage(message),
    hear: (name) =>
      new Promise((resolve) => {
        waiting.push({ name, resolve });
        settle();
      }),
    end: () => worker.terminate(),
  };
  await self.hear('ready');
  return self;
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 60_000; !condition(); ) {
    if (Date.now() > deadline) throw new Error('waited for a minute');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test.afterEach(() => closeDirectory());

test.serial('threads started before and after the writer find its ring, those after at once', async (t) => {
  const before = await member();
  before.tell({ seek: true, key: 'a' });
  const ring = write('a', 'value');
  const after = await member();
  try {
    after.tell({ find: true, key: 'a' });
    t.is(await after.hear('found'), ring.instance);
    after.tell({ seek: true, key: 'a' });
    t.is(await after.hear('value'), 'value');
    t.is(await before.hear('value'), 'value');
    t.is(findRing('a'), ring);
  } finally {
    await Promise.all([before.end(), after.end()]);
  }
});

test.serial('nested threads, started before and after the writer', async (t) => {
  const outer = await member();
  try {
    outer.tell({ nest: true });
    await outer.hear('nested');
    outer.tell({ nested: { seek: true, key: 'b' } });
    write('b', 'value');
    t.deepEqual(await outer.hear('nested'), { value: 'value', key: 'b' });
  } finally {
    await outer.end();
  }
  const later = await member();
  try {
    later.tell({ nest: true });
    await later.hear('nested');
    later.tell({ nested: { seek: true, key: 'b' } });
    t.deepEqual(await later.hear('nested'), { value: 'value', key: 'b' });
  } finally {
    await later.end();
  }
});

test.serial('a worker writes, this thread and another worker read, and the ring outlives its writer', async (t) => {
  const [writer, reader] = await Promise.all([member(), member()]);
  try {
    const mirror = createReader({ key: 'c', maxBytes: 1024, freeze: true, clock: systemClock });
    const off = seekRing('c', (ring) => mirror.attach(ring));
    reader.tell({ seek: true, key: 'c' });
    writer.tell({ write: true, key: 'c', value: { from: 'worker' } });
    t.deepEqual(await reader.hear('value'), { from: 'worker' });
    await until(() => mirror.read() !== undefined);
    await writer.end();
    t.deepEqual(mirror.read(), { from: 'worker' });
    off();
  } finally {
    await Promise.all([writer.end(), reader.end()]);
  }
});

test.serial('a Piscina pool started before the writer, and one after', async (t) => {
  const filename = file.href;
  const before = new Piscina({ filename, minThreads: 2, maxThreads: 2 });
  const early = [before.run({ key: 'd' }), before.run({ key: 'd' })];
  write('d', [1, 2]);
  const after = new Piscina({ filename, minThreads: 1, maxThreads: 1 });
  try {
    t.deepEqual(await Promise.all([...early, before.run({ key: 'd' }), after.run({ key: 'd' })]), Array(4).fill([1, 2]));
  } finally {
    await Promise.all([before.destroy(), after.destroy()]);
  }
});

test.serial('a blocked thread answers late, and is answered late', async (t) => {
  const writer = await member();
  try {
    writer.tell({ write: true, key: 'e', value: 'late' });
    await writer.hear('wrote');
    closeDirectory();
    writer.tell({ block: 300 });
    const mirror = createReader({ key: 'e', maxBytes: 1024, freeze: true, clock: systemClock });
    let calls = 0;
    const off = seekRing('e', (ring) => {
      calls++;
      mirror.attach(ring);
    });
    t.is(calls, 0);
    await until(() => mirror.read() === 'late');
    // The answers to all that was asked meanwhile are of one ring: told once.
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.is(calls, 1);
    off();
  } finally {
    await writer.end();
  }
});

test.serial('withdraw: forgotten everywhere, and by threads that start later; who holds it keeps it', async (t) => {
  const other = await member();
  try {
    other.tell({ seek: true, key: 'f' });
    const ring = write('f', 'value');
    t.is(await other.hear('value'), 'value');
    t.true(knownRings().has('f'));
    withdrawRing('f', ring);
    t.is(findRing('f'), undefined);
    const later = await member();
    later.tell({ find: true, key: 'f' });
    t.is(await later.hear('found'), null);
    await later.end();
    other.tell({ find: true, key: 'f' });
    t.is(await other.hear('found'), null);
    // A withdrawal of another ring of the key is not for the one that is there.
    const next = write('f', 'next', 2);
    t.is(await other.hear('value'), 'next');
    withdrawRing('f', ring);
    t.is(findRing('f'), next);
  } finally {
    await other.end();
  }
});

test.serial('who inherited the ring of a writer that is gone hears of the younger one, and stays with it', async (t) => {
  const old = write('g', 'old');
  // This thread has the old ring in its environment, and its directory is not open while the writers change.
  const late = await member();
  const stubborn = await member();
  try {
    withdrawRing('g', old);
    stubborn.tell({ find: true, key: 'g' });
    t.is(await stubborn.hear('found'), old.instance);
    const young = write('g', 'young', 2);
    late.tell({ seek: true, key: 'g' });
    t.is(await late.hear('value'), 'old');
    t.is(await late.hear('value'), 'young');
    // An older ring, announced later, changes nothing.
    announceFrom({ type: 'ring', key: 'g', buffer: old.buffer });
    stubborn.tell({ seek: true, key: 'g' });
    t.is(await stubborn.hear('value'), 'old');
    t.is(await stubborn.hear('value'), 'young');
    late.tell({ find: true, key: 'g' });
    t.is(await late.hear('found'), young.instance);
    t.is(findRing('g'), young);
  } finally {
    await Promise.all([late.end(), stubborn.end()]);
  }
});

function announceFrom(...messages: unknown[]): void {
  const stranger = new BroadcastChannel(CHANNEL);
  for (const message of messages) stranger.postMessage(message);
  stranger.close();
}

test.serial('garbage on the channel and in the environment is refused, not thrown', async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', onWarning);
  try {
    const seen: Ring[] = [];
    const off = seekRing('h', (ring) => seen.push(ring));
    announceFrom(
      null,
      undefined,
      1,
      'ring',
      [],
      {},
      { type: 'ring' },
      { type: 'ring', key: 7 },
      { type: 'ring', key: {}, buffer: createRing(8).buffer },
      { type: 'gone', key: 'h' },
      { type: 'gone' },
      { type: 'ask' },
      { type: 'ask', key: null },
      { type: 'of the future', key: 'h' },
      { key: 'h' },
      { type: 'ring', key: 'h', buffer: null },
      { type: 'ring', key: 'h', buffer: new SharedArrayBuffer(4096) },
      { type: 'ring', key: '__proto__', buffer: new ArrayBuffer(1) },
    );
    const ring = createRing(64);
    announceFrom({ type: 'ring', key: 'h', buffer: ring.buffer });
    await until(() => seen.length > 0);
    t.is(seen[0]?.instance, ring.instance);
    t.is(seen.length, 1);
    t.deepEqual([...knownRings().keys()], ['h']);
    t.is(warnings.filter((message) => message.includes("the ring of 'h' was refused")).length, 2);
    off();
  } finally {
    process.off('warning', onWarning);
  }
});

test.serial('a closed directory asks no more, and opens again when it is used', async (t) => {
  let asked = 0;
  const listener = new BroadcastChannel(CHANNEL);
  listener.onmessage = () => asked++;
  try {
    seekRing('i', () => t.fail());
    await until(() => asked >= 3);
    closeDirectory();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const sofar = asked;
    await new Promise((resolve) => setTimeout(resolve, 400));
    t.is(asked, sofar);
    const ring = write('i', 'value');
    await until(() => asked > sofar);
    t.is(findRing('i'), ring);
  } finally {
    listener.close();
  }
});

test.serial('1,000 rings come and go and leave nothing: no environment data, listeners, or files', async (t) => {
  const turn = (i: number): void => {
    const key = `j${i}`;
    const ring = createRing(64);
    const off = seekRing(key, () => {});
    announceRing(key, ring);
    publish(ring, snapshotOf(1, 1, 8));
    off();
    withdrawRing(key, ring);
    if (getEnvironmentData(`${CHANNEL}/ring/${key}`) !== undefined) t.fail('environment data left');
  };
  turn(0);
  const fds = readdirSync('/proc/self/fd').length;
  const listeners = process.eventNames().map((name) => process.listenerCount(name));
  for (let i = 1; i <= 1000; i++) {
    turn(i);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  t.is(knownRings().size, 0);
  t.is(readdirSync('/proc/self/fd').length, fds);
  t.deepEqual(
    process.eventNames().map((name) => process.listenerCount(name)),
    listeners,
  );
});
