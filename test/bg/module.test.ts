/** Loaders given as modules: the dedicated thread, what goes wrong in it, and how it comes back. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { bg, type Duration, type WriteOptions } from '../../dist/index.js';
import { LoaderEngine, LoaderThread } from '../../dist/bg/loader-engine.js';
import { systemClock } from '../../dist/core/clock.js';
import { createRing } from '../../dist/mirror/layout.js';
import { take } from '../../dist/mirror/protocol.js';
import { createReader } from '../../dist/mirror/reader.js';
import { tempDir, until } from '../support/process.js';
import { collect, endAfterwards, fixture, newKey, reaches } from './support.js';

// One dedicated thread serves all tests of this file, and what one does to it the others feel: one after another.
const folder = tempDir({ teardown: () => {} });
const exitFile = join(folder, 'exit');
const blockFile = join(folder, 'block');
process.env['BG_EXIT_FILE'] = exitFile;
process.env['BG_BLOCK_FILE'] = blockFile;
endAfterwards();

function write(name: string, options: Partial<Omit<WriteOptions<unknown>, 'loader'>> = {}, interval: Duration = 3600) {
  const { errors, onError } = collect();
  const key = newKey();
  const writer = bg.write(interval, { key, onError, ref: false, loader: fixture(name), ...options });
  return { key, writer, errors, mirror: bg.read(key) };
}

test.serial('the default export, or the one that the hash names, runs in a thread of its own', async (t) => {
  const own = write('loaders.js');
  const named = write('loaders.js#upper');
  const first = (await own.writer.ready()) as { thread: number; runs: number };
  t.true(first.thread > 0);
  t.is(first.runs, 1);
  t.is(await named.writer.ready(), 'upper');
  await own.writer.refresh();
  t.deepEqual(own.mirror(), { thread: first.thread, runs: 2 });
  t.like(own.writer.status(), { version: 2, state: 'live', refreshes: 2, failures: 0 });
  t.true((own.writer.status().nextAt ?? 0) > Date.now() / 1000 + 3000);
  t.like(bg.status().threads.loaders, { state: 'up', threadId: first.thread });
  for (const { writer, mirror } of [own, named]) {
    await writer.stop();
    mirror.close();
  }
});

test.serial('previous comes from shared memory', async (t) => {
  const { writer, mirror } = write('loaders.js#counting', {}, '5ms');
  await reaches(mirror, 5);
  t.true(((mirror() as { count: number }).count ?? 0) >= 5);
  await writer.stop();
  mirror.close();
});

test.serial('the module’s own validate and serializer', async (t) => {
  const { writer, mirror, errors, key } = write('own-format.js', { runImmediately: false });
  const { serializer } = (await import(fixture('own-format.js').href)) as { serializer: never };
  const hearing = bg.read(key, { serializer });
  await writer.refresh();
  t.is(hearing(), 1);
  await t.throwsAsync(writer.refresh(), { code: 'ERR_VALIDATION' });
  t.is(hearing(), 1);
  await writer.refresh();
  t.is(hearing(), 3);
  t.is(hearing.version, 2);
  t.is(errors.filter((error) => (error as { code?: string }).code === 'ERR_VALIDATION').length, 1);
  await writer.stop();
  mirror.close();
  hearing.close();
});

for (const [what, name, message] of [
  ['is missing', 'no-such-module.js', /Cannot find module/],
  ['lacks the export', 'loaders.js#lower', /to export a function 'lower', it exports .*'upper'/],
  ['returns undefined', 'loaders.js#nothing', /returned undefined/],
] as const) {
  test.serial(`a module that ${what} is a failed refresh`, async (t) => {
    const { writer, errors, mirror } = write(name);
    await until(() => errors.length > 0, { what: 'the report' });
    t.regex(errors[0]?.message ?? '', message);
    t.is(mirror(), undefined);
    t.like(writer.status(), { state: 'initializing', version: 0 });
    t.true(writer.status().failures >= 1);
    await t.throwsAsync(writer.refresh());
    await writer.stop();
    mirror.close();
  });
}

test.serial('a module that is missing and then comes is loaded', async (t) => {
  const file = join(folder, 'late.mjs');
  const { onError, errors } = collect();
  const writer = bg.write(1, { key: newKey(), onError, ref: false, loader: pathToFileURL(file) });
  await until(() => errors.length > 0, { what: 'the report' });
  writeFileSync(file, `export default () => 'there';`);
  t.is(await writer.ready(), 'there');
  await writer.stop();
});

test.serial(
  'a module that throws while it is imported, by its own fault or by that of another one, is loaded once it can be',
  async (t) => {
    const flag = join(folder, 'import-fails');
    writeFileSync(flag, '');
    const inner = join(folder, 'inner.mjs');
    const outer = join(folder, 'outer.mjs');
    writeFileSync(inner, `import { existsSync } from 'node:fs'; if (existsSync(${JSON.stringify(flag)})) throw new Error('no database');`);
    writeFileSync(outer, `import './inner.mjs'; export default () => 'there';`);
    const { onError, errors } = collect();
    const writer = bg.write('100ms', { key: newKey(), onError, ref: false, loader: pathToFileURL(outer) });
    await until(() => errors.length >= 3, { what: 'three reports' });
    for (const error of errors) t.regex(error.message, /no database/);
    rmSync(flag);
    t.is(await writer.ready(), 'there');
    await writer.stop();
  },
);

test.serial('a module that can’t be imported leaves its neighbours alone', async (t) => {
  const file = join(folder, 'broken.mjs');
  writeFileSync(file, `throw new Error('broken');`);
  const good = write('loaders.js');
  const { thread } = (await good.writer.ready()) as { thread: number };
  const { onError, errors } = collect();
  const bad = bg.write('20ms', { key: newKey(), onError, ref: false, loader: pathToFileURL(file) });
  await until(() => errors.length >= 4, { what: 'four reports' });
  await good.writer.refresh();
  t.like(good.mirror(), { thread, runs: 2 }, 'the same thread');
  t.deepEqual(good.errors, []);
  await bad.stop();
  await good.writer.stop();
  good.mirror.close();
});

for (const name of ['exiting', 'crashing']) {
  test.serial(`a loader that ends its thread (${name}) is restarted and goes on, readers unaffected`, async (t) => {
    const { writer, mirror, errors } = write(`loaders.js#${name}`, {}, '50ms');
    const neighbour = write('loaders.js');
    await reaches(mirror, 1);
    await neighbour.writer.ready();
    const { thread } = mirror() as { thread: number };
    writeFileSync(exitFile, '');
    await until(() => errors.length > 0, { what: 'the crash' });
    const at = mirror.version;
    t.like(mirror(), { thread }, 'the last value is served on');
    t.is(mirror.status().state, 'interrupted');
    t.regex(errors[0]?.message ?? '', name === 'exiting' ? /ended by itself \(exit code 7\)/ : /in the middle/);
    rmSync(exitFile);
    await reaches(mirror, at + 1);
    t.not((mirror() as { thread: number }).thread, thread);
    t.is(mirror.status().state, 'live');
    t.deepEqual(neighbour.errors, [], 'who wasn’t running is not to blame');
    await reaches(neighbour.mirror, 2);
    for (const each of [{ writer, mirror }, neighbour]) {
      await each.writer.stop();
      each.mirror.close();
    }
  });
}

test.serial('a refresh that waits for a thread that crashes is rejected', async (t) => {
  const { writer, mirror } = write('loaders.js#crashing', { runImmediately: false });
  await writer.refresh();
  writeFileSync(exitFile, '');
  await t.throwsAsync(writer.refresh(), { any: true, message: /in the middle/ });
  rmSync(exitFile);
  await writer.refresh();
  t.is(mirror.version, 2);
  await writer.stop();
  mirror.close();
});

test.serial('a loader that blocks its thread for ever is ended after its timeout; this event loop never waits', async (t) => {
  const { writer, mirror, errors } = write('loaders.js#blocking', { timeout: '100ms' });
  t.is(await writer.ready(), 'free');
  writeFileSync(blockFile, '');
  await t.throwsAsync(writer.refresh(), { code: 'ERR_TIMEOUT', message: /blocked its thread past its timeout of 100 ms/ });
  t.is(errors.length, 1);
  t.is(mirror(), 'free');
  rmSync(blockFile);
  await reaches(mirror, 2);
  await writer.stop();
  mirror.close();
});

test.serial('a loader that ended while this event loop was blocked has not blocked its thread', async (t) => {
  const other = write('loaders.js');
  const { thread } = (await other.writer.ready()) as { thread: number };
  const { writer, mirror, errors } = write('loaders.js#asking', { timeout: '2s', runImmediately: false });
  const refreshed = writer.refresh();
  // It runs, and this thread has heard so: that was told before.
  await until(() => existsSync(blockFile), { what: 'the loader runs' });
  await new Promise((resolve) => setTimeout(resolve, 1));
  rmSync(blockFile);
  // After what is run by `setImmediate` come the timers, and only then what the thread told meanwhile.
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3500));
  await refreshed;
  t.is(mirror(), 'answered');
  await other.writer.refresh();
  t.like(other.mirror(), { thread });
  t.deepEqual(errors, []);
  for (const one of [other, { writer, mirror }]) {
    await one.writer.stop();
    one.mirror.close();
  }
});

test.serial('a stop waits for a loader that blocks its thread, and no longer than its timeout', async (t) => {
  const { writer, mirror } = write('loaders.js#blocking', { timeout: '100ms' });
  await writer.ready();
  writeFileSync(blockFile, '');
  const refreshed = t.throwsAsync(writer.refresh());
  await writer.stop();
  await refreshed;
  rmSync(blockFile);
  t.is(writer.status().state, 'closed');
  const after = bg.write(60, { key: writer.key, ref: false }, () => 'a successor');
  await until(() => mirror() === 'a successor', { what: 'the successor' });
  await after.stop();
  mirror.close();
});

test.serial('a shutdown that waits aborts the loader at its timeout', async (t) => {
  const { writer, errors } = write('loaders.js#patient', { runImmediately: false });
  const other = write('loaders.js');
  await other.writer.ready();
  const refreshed = t.throwsAsync(writer.refresh(), { code: 'ERR_STOPPED' });
  await bg.shutdown({ timeout: '100ms' });
  await refreshed;
  t.deepEqual(errors, [], 'an aborted run is no failure');
  t.is(bg.status().threads.loaders, undefined);
});

test.serial('after a shutdown that ended the thread by force the key can be registered again', async (t) => {
  const { writer, mirror, key } = write('loaders.js#blocking');
  await writer.ready();
  writeFileSync(blockFile, '');
  const refreshed = t.throwsAsync(writer.refresh());
  await bg.shutdown({ wait: false });
  await refreshed;
  rmSync(blockFile);
  t.is(mirror(), 'free', 'a closed mirror answers its last value');
  const again = write('loaders.js#upper', { key });
  t.is(await again.writer.ready(), 'upper');
  await again.writer.stop();
  again.mirror.close();
});

test.serial('100 random ends of the dedicated thread while it publishes: no torn value, no version backward', async (t) => {
  const hasty = { ...systemClock, setTimer: (callback: () => void, delay: number) => systemClock.setTimer(callback, Math.min(delay, 5)) };
  const thread = new LoaderThread(hasty);
  const ring = createRing(1024 * 1024);
  let ends = 0;
  let published = 0;
  const plan = {
    key: 'unsteady',
    interval: 2,
    timeout: undefined,
    freshFor: 1000,
    maxBytes: 1024 * 1024,
    runImmediately: true,
    keyed: false,
  };
  const events = { onPublished: () => void published++, onFailed: () => void ends++ };
  const module = { href: fixture('loaders.js#unsteady').href, serializer: undefined };
  const engine = new LoaderEngine(thread, ring, plan, module, events, systemClock);
  engine.lead({ epoch: 1, version: 0 });
  const reader = createReader<{ numbers: number[]; check: number }>({
    key: 'unsteady',
    maxBytes: 1024 * 1024,
    freeze: false,
    clock: systemClock,
  });
  reader.attach(ring);
  let last = 0;
  let decoded = 0;
  let torn = 0;
  let backward = 0;
  while (ends < 100) {
    for (let spin = 0; spin < 2000; spin++) {
      const value = reader.read();
      const number = reader.meta()?.version ?? 0;
      if (number === last) continue;
      if (number < last) backward++;
      last = number;
      decoded++;
      if (value?.check !== 2000 || value.numbers.some((it, index) => it !== index)) torn++;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.is(torn, 0);
  t.is(backward, 0);
  t.is(reader.counts().refused, 0);
  t.is(reader.counts().regressed, 0);
  t.true(decoded >= 50 && published >= 50, `${decoded} decoded of ${published}`);
  await engine.stop({ abort: true });
  await thread.stop(1000);
  t.true('bytes' in take(ring, Infinity));
});
