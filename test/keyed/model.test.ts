/** Against a plain `Map`: any sequence of publications and lookups gives the same answers. */
import test from 'ava';
import fc from 'fast-check';
import { ViewExpiredError } from '../../dist/core/errors.js';
import type { KeyedView } from '../../dist/keyed/lookups.js';
import { serializers } from '../../dist/serializers/resolve.js';
import { differences, feedOf, keysOf, Publisher, readerOf, type Records } from './support.js';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 400);

const key = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('', 'a', 'b', 'ab', 'abcd', 'abcde', '__proto__', 'constructor', 'ä', '€uro', '\u{1f600}', '\0'),
  },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3000 }).map((length) => 'long'.repeat(length)) },
);
const value = fc.oneof(
  fc.constantFrom(null, 0, '', true, {}, []),
  fc.integer(),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.record({ a: fc.integer({ max: 3 }), b: fc.array(fc.integer(), { maxLength: 3 }) }),
);

type Step =
  | {
      readonly do: 'edit';
      readonly set: readonly (readonly [string, unknown])[];
      readonly drop: readonly string[];
      readonly publish: boolean;
    }
  | { readonly do: 'replace'; readonly records: readonly (readonly [string, unknown])[] }
  | { readonly do: 'look'; readonly keys: readonly string[] }
  | { readonly do: 'list' | 'view' | 'wake' | 'restart' | 'same' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('edit' as const),
    set: fc.array(fc.tuple(key, value), { maxLength: 4 }),
    drop: fc.array(key, { maxLength: 3 }),
    publish: fc.boolean(),
  }),
  fc.record({ do: fc.constant('replace' as const), records: fc.array(fc.tuple(key, value), { maxLength: 30 }) }),
  fc.record({ do: fc.constant('look' as const), keys: fc.array(key, { minLength: 1, maxLength: 10 }) }),
  fc.constantFrom('list', 'view', 'wake', 'restart', 'same').map((word) => ({ do: word as 'list' | 'view' | 'wake' | 'restart' | 'same' })),
);

const setting = fc.record({
  slots: fc.constantFrom(2 as const, 4 as const),
  startVersion: fc.constantFrom(0, 0x7ffffffd),
  maxEntries: fc.constantFrom(0, 1, 3, 1000),
  serializer: fc.constantFrom('json' as const, 'v8' as const, 'msgpack' as const),
  freeze: fc.boolean(),
});

test('any sequence of publications and lookups', (t) => {
  fc.assert(
    fc.property(setting, fc.array(step, { maxLength: 40 }), ({ slots, startVersion, maxEntries, serializer, freeze }, steps) => {
      const publisher = new Publisher({ slots, startVersion, serializer: serializers[serializer] });
      const { reader, errors } = readerOf(publisher.ring, { freeze, memo: { maxEntries, maxBytes: 1 << 20 } });
      const { lookups } = reader;
      const { feed, wake, errors: feedErrors } = feedOf(reader);
      let model = new Map<string, unknown>();
      let published = new Map<string, unknown>();
      /** What the listener knows, built of nothing but what it was told. */
      let known = new Map<string, unknown>();
      const told: Record<string, unknown> = {};
      feed.onChange((change) => {
        t.deepEqual(keysOf(change), differences(known, published), `from ${change.from} to ${change.version}`);
        known = new Map(published);
      });
      feed.onKey('a', (now) => (told['a'] = now));
      const views: { view: KeyedView<unknown>; model: Map<string, unknown>; at: number }[] = [];
      const kept = new Map<string, { value: unknown; text: string }>();

      const publish = (records: Records = model, options: { fromNothing?: boolean } = {}): void => {
        const before = published;
        const built = publisher.publish(records, options);
        published = new Map(model);
        t.is(built.packed.records, published.size);
        if (!options.fromNothing && publisher.version > 1) {
          const { added, changed, removed } = differences(before, published);
          t.is(built.differences, added.length + changed.length + removed.length);
        }
      };
      const check = (wanted: string): void => {
        const got = lookups.get(wanted);
        t.deepEqual(got, published.get(wanted), JSON.stringify(wanted));
        t.is(lookups.has(wanted), published.has(wanted));
        if (maxEntries > 0) t.is(lookups.get(wanted), got, 'the same object');
        const before = kept.get(wanted);
        const text = JSON.stringify(published.get(wanted));
        if (maxEntries === 1000 && before && before.text === text) t.is(got, before.value, 'the same object as before the publication');
        if (published.has(wanted)) kept.set(wanted, { value: got, text });
        else kept.delete(wanted);
      };

      for (const now of steps) {
        switch (now.do) {
          case 'edit':
            model = new Map(model);
            for (const [name, made] of now.set) model.set(name, made);
            for (const name of now.drop) model.delete(name);
            if (now.publish) publish();
            break;
          case 'replace':
            model = new Map();
            for (const [name, made] of now.records) {
              // The last one wins, and stands where it stood.
              model.delete(name);
              model.set(name, made);
            }
            publish(now.records);
            break;
          case 'same':
            if (publisher.version > 0) t.is(publisher.build(published).differences, 0);
            break;
          case 'restart':
            // A writer that knows nothing of the one before: another seed, no list of changes.
            publisher.epoch++;
            publish(model, { fromNothing: true });
            break;
          case 'look':
            for (const wanted of [...now.keys, ...published.keys()].slice(0, 40)) check(wanted);
            t.deepEqual(
              lookups.getMany(now.keys),
              new Map(now.keys.filter((name) => published.has(name)).map((name) => [name, published.get(name)])),
            );
            break;
          case 'list':
            t.is(lookups.size, published.size);
            t.deepEqual([...lookups.keys()], [...published.keys()]);
            t.deepEqual(new Map(lookups.entries()), published);
            break;
          case 'view':
            views.push({ view: lookups.view(), model: published, at: publisher.version });
            break;
          case 'wake':
            wake();
            t.is(known.size, published.size);
            t.deepEqual(told['a'], published.get('a'));
            break;
        }
        for (const { view, model: then, at } of views) {
          if (at === 0) {
            t.deepEqual([view.version, view.size, view.get('a'), view.has('a')], [0, 0, undefined, false]);
          } else if (publisher.version - at < slots) {
            t.is(view.size, then.size);
            for (const name of ['', 'a', '__proto__', ...then.keys()].slice(0, 8)) {
              t.deepEqual(view.get(name), then.get(name));
              if (maxEntries > 0) t.is(view.get(name), view.get(name));
              t.is(view.has(name), then.has(name));
            }
            t.deepEqual(new Map(view.entries()), then);
          } else {
            for (const look of [() => view.get('a'), () => view.has('a'), () => view.size, () => view.keys(), () => view.entries()])
              t.throws(look, { instanceOf: ViewExpiredError, code: 'ERR_VIEW_EXPIRED' });
          }
        }
      }
      t.deepEqual([...errors, ...feedErrors], []);
      t.is(reader.counts().fallbacks, 0);
    }),
    { numRuns: RUNS },
  );
  t.pass();
});
