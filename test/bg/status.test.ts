/** `status()` and `health()`: that they speak of the newest value, and of each writer and mirror. */
import test from 'ava';
import { bg, health, StoppedError } from '../../dist/index.js';
import { collect, endAfterwards, fixture, newKey } from './support.js';

endAfterwards();

test.serial('a status that is asked before the first read speaks of the value that is there', async (t) => {
  const key = newKey();
  const writer = bg.write(3600, { key, ref: false })(() => 7);
  await writer.ready();
  const mirror = bg.read(key);
  t.like(mirror.status(), { key, version: 1, via: 'process', state: 'live', isStale: false, lastError: undefined });
  t.true(health().ready);
  mirror.close();
  await writer.stop();
});

test.serial('health is ready when every writer and mirror has a value; one without a schedule has none to wait for', async (t) => {
  const mirror = bg.read(newKey());
  t.false(health().ready);
  t.is(mirror.status().state, 'initializing');
  mirror.close();
  const unscheduled = bg(0, { key: newKey() })(() => 1);
  t.true(health().ready);
  t.true(health().live);
  await unscheduled.stop();
});

test.serial('an error of the dedicated thread keeps its name and code, without becoming one of the library', async (t) => {
  const { errors, onError } = collect();
  const writer = bg.write('1h', { key: newKey(), onError, ref: false, runImmediately: false, loader: fixture('no-such-module.js') });
  await t.throwsAsync(writer.refresh(), { code: 'ERR_MODULE_NOT_FOUND' });
  t.like(writer.status().lastError, { code: 'ERR_MODULE_NOT_FOUND' });
  t.false('isOurs' in (writer.status().lastError ?? {}));
  t.is(errors.length, 1);
  await writer.stop();
  await t.throwsAsync(writer.refresh(), { instanceOf: StoppedError });
});
