/** What a mirror with listeners keeps of the version that it told of last. */
import test from 'ava';
import type { Adoption } from '../../dist/keyed/adoption.js';
import { Shadow } from '../../dist/keyed/shadow.js';
import { until } from '../support/process.js';
import { differences, feedOf, keysOf, Publisher, readerOf } from './support.js';

test('keys that come and go by thousands, none twice, find their places', (t) => {
  const publisher = new Publisher();
  publisher.publish([['stays', 1]]);
  const shadow = new Shadow(readerOf(publisher.ring).reader.adopted() as Adoption);
  t.is(shadow.copy(readerOf(publisher.ring).reader.adopted() as Adoption, 10), 'done');
  for (let i = 0; i < 5000; i++) {
    shadow.set(`key ${i}`, [i, i]);
    if (i === 1000) t.false(shadow.isSpent, 'as few as that are worth no copy');
    shadow.set(`key ${i}`, undefined);
    t.is(shadow.table.records, 1);
  }
  t.true(shadow.isSpent);
  for (let i = 0; i < 5000; i++) shadow.set(`key ${i}`, [i, i]);
  t.is(shadow.table.records, 5001);
  t.false(shadow.isSpent);
});

test('a listener of records that live for one version is told exactly, also when what is kept for it is made anew', async (t) => {
  const publisher = new Publisher();
  const { reader } = readerOf(publisher.ring);
  const { feed, wake } = feedOf(reader);
  publisher.publish([]);
  reader.adopted();
  let before = new Map<string, unknown>();
  let told = 0;
  feed.onChange((change) => {
    t.deepEqual(keysOf(change), differences(before, now));
    told++;
  });
  let now = before;
  wake();
  for (let version = 0; version < 500; version++) {
    now = new Map(Array.from({ length: 40 }, (_, i) => [`${version} ${i}`, i]));
    publisher.publish(now);
    wake();
    await until(() => told > version, { what: `the listener of version ${version}` });
    before = now;
  }
  t.is(told, 500);
});
