/** What keyed mirrors promise not to do: keep what a loader gave, decode what nobody asks for, or decode anew what has not changed. */
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { bg, type KeyedSource, serializers } from '../../dist/index.js';
import { endAfterwards, newKey } from '../bg/support.js';
import { collector } from '../support/collector.js';

endAfterwards();

test('a record is serialized before the next one is taken', async (t) => {
  const key = newKey();
  const order: string[] = [];
  const serializer = {
    ...serializers.json,
    dumps(value: unknown) {
      order.push(`serialize ${String(value)}`);
      return serializers.json.dumps(value);
    },
  };
  function* source(): Generator<[string, number]> {
    for (let i = 0; i < 3; i++) {
      order.push(`take ${i}`);
      yield [`k${i}`, i];
    }
  }
  async function* later(): AsyncGenerator<[string, number]> {
    for (const record of source()) yield await Promise.resolve(record);
  }
  for (const load of [source, later]) {
    order.length = 0;
    const writer = bg.write(3600, { key, keyed: true, ref: false, runImmediately: false, serializer }, (): KeyedSource<number> => load());
    await writer.refresh();
    t.deepEqual(order, ['take 0', 'serialize 0', 'take 1', 'serialize 1', 'take 2', 'serialize 2']);
    await writer.stop();
  }
});

test('what a stream gave is garbage at once: there is never a second copy of the records', async (t) => {
  const collect = collector();
  const given: WeakRef<object>[] = [];
  let alive = -1;
  async function* stream(): AsyncGenerator<[string, { i: number }]> {
    for (let i = 0; i < 1000; i++) {
      const value = { i };
      given.push(new WeakRef(value));
      yield [`k${i}`, value];
    }
    // A `WeakRef` holds its target until the end of the job that made it.
    await setImmediate();
    collect();
    alive = given.filter((ref) => ref.deref() !== undefined).length;
  }
  const key = newKey();
  const writer = bg.write(3600, { key, keyed: true, ref: false, runImmediately: false }, stream);
  await writer.refresh();
  t.is(bg.read.keyed(key).size, 1000);
  t.true(alive >= 0 && alive <= 2, `${alive} of 1000`);
  await writer.stop();
});

test('a publish costs a thread the records that it changed, and only those of them that are asked for', async (t) => {
  const key = newKey();
  let changed: readonly number[] = [];
  let round = 0;
  const writer = bg.write(3600, { key, keyed: true, ref: false, runImmediately: false }, () => {
    round++;
    const records = Array.from({ length: 1000 }, (_, i): [string, object] => [`k${i}`, { i, round: changed.includes(i) ? round : 0 }]);
    return round % 2 === 0 ? records.reverse() : records;
  });
  const mirror = bg.read.keyed(key);
  await writer.refresh();
  for (let i = 0; i < 500; i++) mirror.get(`k${i}`);
  t.is(mirror.status().decodes, 500);
  changed = [1, 2, 3, 700, 800];
  await writer.refresh();
  t.is(mirror.size, 1000);
  t.is(mirror.status().decodes, 500, 'a new version alone costs none');
  for (let i = 0; i < 500; i++) mirror.get(`k${i}`);
  t.is(mirror.status().decodes, 503);
  t.is(mirror.status().memo.entries, 500);
  await writer.stop();
});
