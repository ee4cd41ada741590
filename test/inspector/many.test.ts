/** Very much to look at: it all comes through, and costs little when it doesn't change. */
import test from 'ava';
import { bg, cache } from '../../dist/index.js';
import { until } from '../support/process.js';
import { serve, View } from './support.js';

test.after.always(() => bg.shutdown({ wait: false }));

test('ten thousand functions and mirrors come through, and the rest of the process goes on', async (t) => {
  const many = Array.from({ length: 10_000 }, (_, at) => cache(60, { key: `many:${at}:{}`, name: `many ${at}` }, (id: number) => id));
  const mirrors = Array.from({ length: 2000 }, (_, at) => bg.read(`many ${at}`));
  t.teardown(() => {
    for (const mirror of mirrors) mirror.close();
  });
  many[9876]?.(1);
  const { url } = await serve(t);
  const view = new View(t, url);
  await until(() => view.rows.size > 12_000, { deadline: 60_000, what: 'all of them' });
  t.like(
    view.all('function').find(({ name }) => name === 'many 9876'),
    { misses: 1, entries: 1 },
  );
  const bytes = view.raw.length;
  const events = view.events;
  await until(() => view.events > events + 2, { deadline: 60_000, what: 'more looks' });
  t.true(view.raw.length - bytes < bytes / 10, 'what did not change is not sent again');
});
