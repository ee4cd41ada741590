import test from 'ava';
import { bg, InMemCache } from '../../dist/index.js';
import { spawnNode, until } from '../support/process.js';
import { endAfterwards, fixture, newKey, place } from './support.js';

endAfterwards();

test('a refresh that brings the same bytes is a heartbeat: one version, one object, a younger age', async (t) => {
  const key = newKey();
  let rate = 1;
  const writer = bg.write(3600, { key, ref: false }, () => ({ rate }));
  await writer.ready();
  const mirror = bg.read<{ rate: number }>(key);
  const changes: number[] = [];
  mirror.onChange((value) => changes.push(value.rate));
  const value = mirror();
  const createdAt = mirror.createdAt ?? 0;
  await until(() => Date.now() / 1000 > createdAt + 0.02, { what: 'time goes by' });
  await writer.refresh();
  t.is(mirror(), value);
  t.is(mirror.version, 1);
  t.true((mirror.createdAt ?? 0) >= createdAt + 0.015);
  t.like(mirror.status(), { version: 1, decodes: 1, state: 'live' });
  t.like(writer.status(), { version: 1, refreshes: 2 });
  rate = 2;
  await writer.refresh();
  await until(() => changes.length > 0, { what: 'the change' });
  t.deepEqual(changes, [2]);
  t.is(mirror.version, 2);
  await writer.stop();
});

test('a value that is confirmed does not grow past the `ttl`', async (t) => {
  const key = newKey();
  const writer = bg.write('10ms', { key, ref: false }, () => 'constant');
  const mirror = bg.read(key, { ttl: '1s', onStale: 'throw' });
  await mirror.ready();
  const until1500 = performance.now() + 1500;
  await until(
    () => {
      t.is(mirror(), 'constant');
      return performance.now() > until1500;
    },
    { what: 'one and a half times the ttl' },
  );
  t.is(mirror.version, 1);
  t.true(writer.status().refreshes > 2);
  await writer.stop();
});

test('the store of a writer is told of each refresh, so that its entry lives on', async (t) => {
  const key = newKey();
  const store = new InMemCache();
  const writer = bg.write(3600, { key, ref: false, store, ttl: 100 }, () => 'constant');
  await writer.ready();
  await until(() => store.getEntry(key) !== undefined, { what: 'the entry' });
  const before = store.getEntry(key)?.freshUntil ?? 0;
  await until(() => Date.now() / 1000 > before - 100 + 0.01, { what: 'time goes by' });
  await writer.refresh();
  await until(() => (store.getEntry(key)?.freshUntil ?? 0) > before, { what: 'its longer life' });
  t.is(writer.status().version, 1);
  await writer.stop();
});

test('the other processes of the host hear that a value was confirmed', async (t) => {
  const key = newKey();
  const writer = bg.write('100ms', { key, scope: 'host', ref: false }, () => 'constant');
  await writer.ready();
  const child = spawnNode(t, fixture('ages.js'), { args: [key], env: place });
  const told = await child.message<{ version: number; age: number; decodes: number }>(() => true);
  t.like(told, { version: 1, decodes: 1 });
  t.true(told.age < 1.4, `${told.age} s old, after 1.5 s`);
  await child.exited;
  await writer.stop();
});
