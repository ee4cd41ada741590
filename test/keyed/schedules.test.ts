/** Every distinguishable schedule of a writer in the gaps of a lookup, over the real code; and faults that the same search must find. */
import test from 'ava';
import { KeyedBuilder } from '../../dist/keyed/builder.js';
import { Memory } from '../../dist/keyed/memory.js';
import type { Snapshot } from '../../dist/core/snapshot.js';
import type { SharedAccess } from '../../dist/mirror/access.js';
import { BEING_WRITTEN, VERSION, VERSION_MASK, type Ring } from '../../dist/mirror/layout.js';
import { serializers } from '../../dist/serializers/resolve.js';
import { type Event, explore, prepare, type Plan, type Run, type World } from '../mirror/explorer.js';
import { feedOf, readerOf } from './support.js';

const NEAR_WRAP = 0x7ffffffd;

/** In version n: `now` is n, `same` never changes, `odd` is there in odd versions only. The order, and so every place, changes too. */
function recordsOf(version: number): [string, unknown][] {
  const records: [string, unknown][] = [
    ['now', version],
    ['same', { s: 1 }],
  ];
  if (version % 2 === 1) records.unshift(['odd', 'o'.repeat(version)]);
  return version % 3 === 0 ? records.reverse() : records;
}

function make(epoch: number, version: number): Snapshot {
  const builder = new KeyedBuilder({ serializer: serializers.json, maxBytes: 1024, earlier: undefined, memory: new Memory() });
  for (const [key, value] of recordsOf(version)) builder.add(key, value);
  const bytes = builder.finish().bytes.slice();
  return { epoch, version, createdAt: 0, createdAtMonotonic: 0, freshFor: 0, codec: 'keyed', bytes };
}

function planOf(slots: 2 | 4, start: number, more: Partial<Plan> = {}): Plan {
  return { slots, start, before: Array(slots).fill(0), during: Array(slots).fill(0), maxBytes: 1024, chunk: 128, make, ...more };
}

const plans = [planOf(2, 0), planOf(2, NEAR_WRAP), planOf(4, NEAR_WRAP)];

/** How many publications there are in a ring. */
const published = (ring: Ring, start: number): number => (Atomics.load(ring.words, VERSION) - start) & VERSION_MASK;

type Look = (run: Run, access: SharedAccess, start: number) => boolean;

const memo = { maxEntries: 100, maxBytes: 1 << 20 };

/** One lookup of a fresh reader, and one of a reader that knows an older version. True for what is FORBIDDEN. */
const looks: Record<string, Look> = {
  'a record that changes': ({ ring, gap }, access, start) => {
    const { reader, errors } = readerOf(ring, { access, memo });
    gap(VERSION);
    const first = published(ring, start);
    const got = reader.lookups.get('now') as number | undefined;
    return got === undefined || got < first || got > published(ring, start) || errors.length > 0;
  },
  'a record that comes and goes': ({ ring, gap }, access, start) => {
    const { reader, errors } = readerOf(ring, { access, memo });
    gap(VERSION);
    const first = published(ring, start);
    const got = reader.lookups.get('odd') as string | undefined;
    const last = published(ring, start);
    if (got === undefined) return first === last && first % 2 === 1;
    return errors.length > 0 || got.length % 2 === 0 || got.length < first || got.length > last || !/^o*$/.test(got);
  },
  'a key that is never there': ({ ring }, access) => readerOf(ring, { access, memo }).reader.lookups.get('never') !== undefined,
  'twice, with publications between': ({ ring, gap }, access, start) => {
    const { reader, errors } = readerOf(ring, { access, memo });
    const { lookups } = reader;
    const same = lookups.get('same');
    const before = lookups.get('now') as number;
    gap(VERSION);
    const first = published(ring, start);
    const after = lookups.get('now') as number;
    const isOdd = lookups.has('odd');
    const last = published(ring, start);
    // A record that stays is the same object; no answer is older than the version that was there when it was asked for.
    return (
      lookups.get('same') !== same ||
      after < before ||
      after < first ||
      after > last ||
      (first === last && isOdd !== (first % 2 === 1)) ||
      errors.length > 0
    );
  },
  'a view': ({ ring, gap }, access) => {
    const { reader, errors } = readerOf(ring, { access, memo });
    const view = reader.lookups.view();
    gap(VERSION);
    try {
      const now = view.get('now') as number;
      const size = view.size;
      const keys = [...view.keys()];
      // All of one version, or an error.
      return (
        now !== view.version ||
        size !== recordsOf(now).length ||
        keys.join() !==
          recordsOf(now)
            .map(([key]) => key)
            .join()
      );
    } catch (error) {
      return (error as { code?: string }).code !== 'ERR_VIEW_EXPIRED' || errors.length > 0;
    }
  },
  'a list': ({ ring, gap }, access, start) => {
    const { reader, errors } = readerOf(ring, { access, memo });
    gap(VERSION);
    const first = published(ring, start);
    const records = new Map(reader.lookups.entries());
    const now = records.get('now') as number;
    return now < first || now > published(ring, start) || records.size !== recordsOf(now).length || errors.length > 0;
  },
};

/** What a listener is told, put together, leads from the version that was there when it began, or a later one, to the last one. */
const listening: Look = ({ ring, gap }, access) => {
  const { reader, errors } = readerOf(ring, { access, memo });
  let at = reader.adopted()?.meta.version as number;
  const { feed, wake, errors: feedErrors } = feedOf(reader);
  let wrong = false;
  let isFirst = true;
  feed.onChange(({ version, from, added, changed, removed }) => {
    wrong ||= from !== 0 && (isFirst ? from < at : from !== at);
    isFirst = false;
    const known = new Map(from === 0 ? [] : recordsOf(from));
    const then = new Map(recordsOf(version));
    for (const key of added) wrong ||= known.has(key) || !then.has(key);
    for (const key of changed)
      wrong ||= !known.has(key) || !then.has(key) || JSON.stringify(known.get(key)) === JSON.stringify(then.get(key));
    for (const key of removed) wrong ||= !known.has(key) || then.has(key);
    for (const key of [...added, ...changed]) known.set(key, then.get(key));
    for (const key of removed) known.delete(key);
    wrong ||= known.size !== then.size || [...then].some(([key, value]) => JSON.stringify(known.get(key)) !== JSON.stringify(value));
    at = version;
  });
  gap(VERSION);
  wake();
  feed.close();
  return wrong || errors.length + feedErrors.length > 0;
};

for (const [name, look] of Object.entries({ ...looks, 'a listener': listening })) {
  test(`no schedule shows anything FORBIDDEN: ${name}`, (t) => {
    let schedules = 0;
    for (const plan of plans) {
      const found = explore(prepare(plan), (run) => look(run, run.access, plan.start));
      t.is(found.forbidden, 0, `${plan.slots} slots from ${plan.start}`);
      schedules += found.schedules;
    }
    t.log(`${schedules} schedules`);
    t.true(schedules > plans.length);
  });
}

test('a writer that stops after any touch leaves every record readable', (t) => {
  for (const plan of [planOf(2, NEAR_WRAP, { during: [0] }), planOf(4, 0, { during: [0] })]) {
    const world: World = prepare(plan);
    for (let until = 0; until <= world.events.length; until += 1) {
      const found = explore(
        world,
        ({ ring, access, gap }) => {
          const { reader, errors } = readerOf(ring, { access, memo });
          gap(VERSION);
          const { lookups } = reader;
          const now = lookups.get('now') as number;
          const isRight = recordsOf(now).every(([key, value]) => JSON.stringify(lookups.get(key)) === JSON.stringify(value));
          return (!isRight && published(ring, plan.start) === now) || errors.length > 0;
        },
        { until },
      );
      t.is(found.forbidden, 0, `stopped after ${until}`);
    }
  }
});

/** Each of these is a fault that the search must be able to see. */
const mutants: Record<
  string,
  { plan?: Partial<Plan>; reader?: (access: SharedAccess) => SharedAccess; events?: (events: readonly Event[]) => Event[] }
> = {
  'the writer does not invalidate': {
    plan: { mutateWriter: (access) => ({ ...access, exchange: (words, index) => Atomics.load(words, index) }) },
  },
  'the reader does not validate': {
    reader: (access) => {
      let version = 0;
      return {
        ...access,
        load: (words, index) => {
          const value = access.load(words, index);
          if (index === VERSION) version = value;
          return value;
        },
        readModifyWrite: () => version,
      };
    },
  },
  'the writer invalidates after the bytes (weak order)': {
    events: (events) => {
      const at = events.findLastIndex((event) => event.kind === 'word' && event.value === BEING_WRITTEN);
      return [...events.slice(0, at), ...events.slice(at + 1, -2), events[at] as Event, ...events.slice(-2)];
    },
  },
};

for (const [name, { plan: more = {}, reader, events }] of Object.entries(mutants)) {
  test(`the search finds it: ${name}`, (t) => {
    const found = plans.some((plan) => {
      const world = prepare({ ...plan, ...more });
      const faulty = events ? { ...world, events: events(world.events) } : world;
      return Object.values(looks).some((look) => {
        const body = (run: Run): boolean => look(run, reader ? reader(run.access) : run.access, plan.start);
        return explore(faulty, body, { stopAtFirst: true }).forbidden > 0;
      });
    });
    t.true(found);
  });
}
