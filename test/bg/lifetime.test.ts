/** What keeps a process alive, and that a shutdown leaves nothing that does. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { bg, InMemCache, StoppedError } from '../../dist/index.js';
import { spawnNode, tempDir, until } from '../support/process.js';
import { deferred, endAfterwards, fixture, newKey, place } from './support.js';

endAfterwards();

interface End {
  readonly ended?: number;
  readonly code?: number;
}

for (const how of ['shutdown', 'without waiting', 'again']) {
  test.serial(`a program that uses every feature ends within 500 ms of its shutdown (${how})`, async (t) => {
    const folder = tempDir(t);
    const child = spawnNode(t, fixture('everything.js'), { args: [how], env: { ...place, ADVANCED_CACHING_DIRECTORY: folder } });
    if (how === 'again')
      t.like(await child.message((it: { again?: string }) => it.again !== undefined, 60_000), { again: 'again', status: 1 });
    const left = await child.message((it: { writers?: number }) => it.writers !== undefined, 60_000);
    t.deepEqual(left, { writers: 0, mirrors: 0, threads: {} });
    const { ended, code } = await child.message((it: End) => it.ended !== undefined, 60_000);
    t.is(code, 0, child.stderr());
    t.deepEqual(await child.exited, { code: 0, signal: null });
    // The one figure of the issue that is a promise about time.
    if (how !== 'again') t.true((ended ?? Infinity) < 500, `${ended} ms`);
    await t.throwsAsync(child.message((it: { unhandled?: string }) => it.unhandled !== undefined, 1));
    t.notRegex(child.stderr(), /Unhandled|MaxListeners|TimeoutOverflow/);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((it) => it.isFile() || it.isSocket());
    t.deepEqual(
      files.filter(({ name }) => /tmp|sock/.test(name)).map(({ parentPath, name }) => join(parentPath, name)),
      [],
    );
  });
}

for (const what of ['cache', 'bg', 'read', 'write without ref']) {
  test.serial(`${what} doesn’t keep a process alive`, async (t) => {
    const child = spawnNode(t, fixture('quiet.js'), { args: [what], env: { ...place, ADVANCED_CACHING_DIRECTORY: tempDir(t) } });
    await child.message((it: { done?: true }) => it.done === true, 30_000);
    t.deepEqual(
      await Promise.race([child.exited, new Promise((resolve) => setTimeout(resolve, 20_000, 'alive'))]),
      { code: 0, signal: null },
      child.stderr(),
    );
  });
}

test.serial('bg.write keeps a process alive', async (t) => {
  const child = spawnNode(t, fixture('quiet.js'), { args: ['write'], env: { ...place, ADVANCED_CACHING_DIRECTORY: tempDir(t) } });
  await child.message((it: { done?: true }) => it.done === true, 30_000);
  t.is(await Promise.race([child.exited, new Promise((resolve) => setTimeout(resolve, 1500, 'alive'))]), 'alive');
});

test.serial('shutdown waits for refreshes under way', async (t) => {
  const gate = deferred<string>();
  const writer = bg.write(60, { key: newKey() }, () => gate.promise);
  const flags = bg(60, { key: newKey() }, () => gate.promise);
  const mirror = bg.read(writer.key);
  let down = false;
  const shutdown = bg.shutdown({ timeout: Infinity }).then(() => (down = true));
  t.is(bg.shutdown({ timeout: 1 }), bg.shutdown(), 'one shutdown at a time');
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.false(down);
  gate.resolve('done');
  await shutdown;
  t.is(await flags(), 'done');
  t.is(mirror(), 'done');
  t.deepEqual(bg.status(), { writers: [], mirrors: [], threads: { loaders: undefined, link: undefined } });
});

for (const [how, options] of [
  ['at once without `wait`', { wait: false }],
  ['at its timeout', { timeout: '50ms' }],
] as const) {
  test.serial(`shutdown aborts refreshes under way ${how}`, async (t) => {
    let given: AbortSignal | undefined;
    const errors: Error[] = [];
    const onError = (error: Error): void => void errors.push(error);
    const writer = bg.write(60, { key: newKey(), runImmediately: false, onError }, ({ signal }) => {
      given = signal;
      return new Promise(() => {});
    });
    const refreshed = t.throwsAsync(writer.refresh(), { instanceOf: StoppedError });
    const stuck = bg(60, { key: newKey(), runImmediately: false, onError }, () => new Promise(() => {}));
    const waiting = t.throwsAsync(stuck(), { instanceOf: StoppedError });
    await until(() => given, { what: 'the run' });
    await bg.shutdown(options);
    t.true(given?.aborted);
    await refreshed;
    await waiting;
    t.deepEqual(errors, [], 'an aborted run is no failure');
  });
}

test.serial('a store that hangs does not hold a shutdown beyond its timeout', async (t) => {
  const store = new InMemCache();
  let asked = 0;
  store.setEntry = (() => {
    asked++;
    return new Promise(() => {});
  }) as unknown as typeof store.setEntry;
  const writer = bg.write(60, { key: newKey(), runImmediately: false, store }, () => 'value');
  await writer.refresh();
  t.is(asked, 1);
  await bg.shutdown({ timeout: '50ms' });
  t.is(writer.status().state, 'closed');
  t.is(bg.status().writers.length, 0);
});

test.serial('shutdown is idempotent, with nothing to do too, and all works again after it', async (t) => {
  await bg.shutdown();
  await bg.shutdown();
  const key = newKey();
  for (let round = 1; round <= 3; round++) {
    const mirror = bg.read(key);
    const writer = bg.write(60, { key }, () => round);
    t.is(await mirror.ready(10), round);
    const flags = bg(60, { key: newKey() }, () => round);
    t.is(flags(), round);
    await bg.shutdown();
    t.is(writer.status().state, 'closed');
    t.is(flags.status().state, 'closed');
    t.is(mirror.status().state, 'closed');
    t.is(mirror(), round);
    t.is(writer(), round);
    t.is(flags(), round);
    await t.throwsAsync(writer.refresh(), { instanceOf: StoppedError });
  }
});
