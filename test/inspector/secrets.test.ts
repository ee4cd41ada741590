/** Threat S15: what is planted in keys, values and URLs appears nowhere that the inspector writes or answers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { AdvancedCachingError, bg, cache, InMemCache, InstrumentedStorage, InMemoryMetrics } from '../../dist/index.js';
import * as errors from '../../dist/core/errors.js';
import { OWN_CODES } from '../../dist/inspector/faults.js';
import { until } from '../support/process.js';
import { application, files, send, serve, View } from './support.js';

test.after.always(() => bg.shutdown({ wait: false }));

const CANARY = /canary/i;

test.serial('no key, value or message of the user’s own code is shown, unless he says so', async (t) => {
  process.argv.push('--token=canary-argument');
  t.teardown(() => process.argv.pop());
  const url = 'redis://me:canary-password@10.0.0.1:6379/canary-path?token=canary-query';
  const store = new InMemCache();
  const failing = new InstrumentedStorage(
    Object.assign(new InMemCache(), {
      getEntry: () => {
        throw new Error(`ECONNREFUSED ${url}`);
      },
    }),
    new InMemoryMetrics(),
    'store',
  );
  const onError = (): void => {};
  const good = cache(60, { key: 'user:{}', store }, (id: string) => ({ id, secret: 'canary-value' }));
  const bad = cache(60, { key: (id: string) => `k:${id}`, onError, name: 'bad' }, async (id: string) => {
    throw new TypeError(`No ${id} at ${url}`);
  });
  const broken = cache(60, { key: 'broken:{}', store: failing, onError, name: 'broken' }, (id: string) => id);
  good('canary-key');
  good('canary-key');
  await bad('canary-key').catch(() => {});
  broken('canary-key');
  const writer = bg.write<unknown>('1h', { key: 'secret value', onError, ref: false })(async () => ({ text: 'canary-published' }));
  await writer.ready();
  const failed = bg.write<unknown>('1h', { key: 'failing value', onError, ref: false })(async () => {
    JSON.parse('canary-json');
  });
  await t.throwsAsync(failed.refresh());
  const huge = bg.write<unknown>('1h', { key: 'huge value', onError, ref: false, maxBytes: 1000 })(async () => 'canary'.repeat(1000));
  await t.throwsAsync(huge.refresh(), { code: 'ERR_SNAPSHOT_TOO_LARGE' });

  const served = await serve(t);
  const view = new View(t, served.url);
  await view.until('error', ({ subject }) => subject === 'failing value', 'the failure');
  await view.until('error', ({ subject, name }) => subject === 'bad' && name === 'TypeError', 'the failed load');
  const own = await view.until('error', ({ subject }) => subject === 'huge value', 'an error of the library');
  t.regex(own.message ?? '', /1000 bytes/, 'the library’s own messages hold nothing, and are shown');
  t.is(view.all('error').find(({ subject }) => subject === 'failing value')?.message, undefined);
  t.notRegex(view.raw, CANARY);
  t.notRegex((await send(served.url)).text, CANARY);
  view.close();

  const open = await serve(t, { showMessages: true });
  const all = new View(t, open.url);
  const shown = await all.until('error', ({ subject }) => subject === 'failing value', 'the failure');
  t.regex(shown.message ?? '', /canary-json/);
});

test.serial('nor in what the threads write for each other, but for messages, which only this user can read', async (t) => {
  const app = application(t);
  const one = app.start();
  await one.tell('write', { key: 'rates', scope: 'process' });
  await one.tell('call', { id: 123_456_789 });
  const view = new View(t, await one.serve());
  await until(() => files(app).length === 1, { what: 'the report' });
  const text = readFileSync(join(app.folder, 'threads', files(app)[0] ?? ''), 'utf8');
  t.regex(text, /user:\{id\}/);
  t.notRegex(text, /123456789|a cached value|the value/);
  t.notRegex(view.raw, /123456789|a cached value|the value/);
});

test('the codes whose messages are shown are those of the library', (t) => {
  const codes = Object.values(errors as Record<string, unknown>)
    .filter(
      (one): one is new (message: string, feature: string) => AdvancedCachingError =>
        typeof one === 'function' && one !== AdvancedCachingError,
    )
    .map((Class) => new Class('x', 'y').code);
  t.deepEqual([...OWN_CODES].sort(), codes.sort());
});
