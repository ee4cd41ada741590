/** Events of node:diagnostics_channel. */
import { createHash } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import test from 'ava';
import { InMemoryMetrics, InMemCache, bg, cache } from '../../dist/index.js';
import { cacheOn } from '../../dist/cache/cache.js';
import { fakeClock } from '../../dist/testing/index.js';
import { AsyncStore } from '../helpers/async-store.js';
import { type Scope, until } from '../support/process.js';

type Event = Readonly<Record<string, unknown>> & { readonly channel: string };

/** The events of one cache, as they come. */
function listen(t: Scope, cacheName: string, channels = ['load', 'hit', 'miss', 'publish', 'takeover', 'error']): Event[] {
  const events: Event[] = [];
  for (const channel of channels) {
    const onEvent = (event: unknown): void => {
      const data = event as Event;
      if (data['cache'] === cacheName) events.push({ ...data, channel });
    };
    diagnostics.subscribe(`advanced-caching:${channel}`, onEvent);
    t.teardown(() => diagnostics.unsubscribe(`advanced-caching:${channel}`, onEvent));
  }
  return events;
}

const hash = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 8);
const of = (events: readonly Event[], channel: string): Event[] => events.filter((event) => event.channel === channel);

const kinds: Readonly<Record<string, { store: () => InMemCache | AsyncStore; metrics?: InMemoryMetrics }>> = {
  'in memory': { store: () => new InMemCache() },
  'in memory, with metrics': { store: () => new InMemCache(), metrics: new InMemoryMetrics() },
  'an asynchronous store': { store: () => new AsyncStore() },
};

test.serial('hits, misses and loads, with a hash for the key', async (t) => {
  for (const [kind, { store, metrics }] of Object.entries(kinds)) {
    const load = cache(60, { key: 'user:{}', store: store(), name: kind, ...(metrics && { metrics }) })(async (id: number) => {
      if (id === 3) throw new RangeError('none');
      return id;
    });
    // Hot before anybody listens.
    for (let i = 0; i < 100; i++) await load(1);
    const events = listen(t, kind);
    await load(1);
    await load(1);
    await load(2);
    await t.throwsAsync(async () => load(3));
    t.deepEqual(of(events, 'hit'), [
      { channel: 'hit', cache: kind, keyHash: hash('user:1'), stale: false },
      { channel: 'hit', cache: kind, keyHash: hash('user:1'), stale: false },
    ]);
    t.deepEqual(of(events, 'miss'), [
      { channel: 'miss', cache: kind, keyHash: hash('user:2') },
      { channel: 'miss', cache: kind, keyHash: hash('user:3') },
    ]);
    const loads = of(events, 'load');
    t.deepEqual(
      loads.map(({ keyHash, success }) => [keyHash, success]),
      [
        [hash('user:2'), true],
        [hash('user:3'), false],
      ],
    );
    for (const { durationSeconds } of loads) t.true(typeof durationSeconds === 'number' && durationSeconds >= 0);
    if (metrics) t.is(metrics.getStats().caches[kind]?.hits, 99 + 2, 'what is listened to is counted too');
  }
});

test.serial('who stops listening hears no more, and hits are fast again', (t) => {
  const load = cache(60, { key: 'a', name: 'off' })(() => 1);
  load();
  const events: unknown[] = [];
  const onEvent = (event: unknown): void => void events.push(event);
  diagnostics.subscribe('advanced-caching:hit', onEvent);
  load();
  diagnostics.unsubscribe('advanced-caching:hit', onEvent);
  load();
  t.is(events.length, 1);
});

test.serial('a stale hit says so; a failed refresh and a failing store are errors', async (t) => {
  const clock = fakeClock();
  const events = listen(t, 'swr');
  const store = new AsyncStore(new InMemCache({ clock }));
  let runs = 0;
  const fn = async (): Promise<number> => {
    if (++runs === 2) throw Object.assign(new TypeError('no'), { code: 'ERR_NO' });
    return runs;
  };
  const load = cacheOn(clock, 60, { key: 'a', stale: 60, store, name: 'swr', onError() {} }, fn) as () => Promise<number>;
  await load();
  clock.advance(70_000);
  await load();
  await until(() => of(events, 'error').length > 0, { what: 'the failed refresh' });
  t.is(of(events, 'hit')[0]?.['stale'], true);
  t.deepEqual(of(events, 'error'), [{ channel: 'error', cache: 'swr', operation: 'refresh', errorType: 'TypeError', code: 'ERR_NO' }]);
  store.failing.add('getEntry');
  await load();
  t.like(of(events, 'error')[1], { operation: 'get', errorType: 'Error' });
});

test.serial('bg and bg.write: loads, publications, and errors, by their keys', async (t) => {
  const events = [listen(t, 'flags'), listen(t, 'rates')] as const;
  let fails = false;
  const loader = async (): Promise<number> => {
    if (fails) throw new RangeError('no');
    return 1;
  };
  const flags = bg(3600, { key: 'events:flags', name: 'flags', onError() {} })(loader);
  const rates = bg.write(3600, { key: 'events:rates', name: 'rates', ref: false, onError() {} })(loader);
  await Promise.all([flags(), rates.ready()]);
  fails = true;
  await t.throwsAsync(flags.refresh());
  await t.throwsAsync(rates.refresh());
  for (const [i, name] of ['flags', 'rates'].entries()) {
    const mine = events[i] as Event[];
    t.deepEqual(
      of(mine, 'load').map(({ key, success }) => [key, success]),
      [
        [`events:${name}`, true],
        [`events:${name}`, false],
      ],
    );
    t.like(of(mine, 'error')[0], { operation: 'refresh', errorType: 'RangeError' });
  }
  const published = of(events[1], 'publish');
  t.is(published.length, 1);
  t.like(published[0], { key: 'events:rates', scope: 'process', version: 1 });
  await Promise.all([flags.stop(), rates.stop()]);
});

test.serial('the process that becomes the writer of a host key says so', async (t) => {
  const events = listen(t, 'host', ['takeover']);
  const writer = bg.write(3600, { key: `events:${process.pid}`, scope: 'host', name: 'host', ref: false })(async () => 1);
  await writer.ready();
  t.is(events.length, 1);
  t.like(events[0], { key: `events:${process.pid}`, scope: 'host' });
  t.true((events[0]?.['epoch'] as number) > 0);
  await writer.stop();
  await bg.shutdown();
});
