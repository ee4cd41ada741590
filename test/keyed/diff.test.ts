/** The parts that compare: tables of records, what differs between two of them, and the copy of keys that a listener keeps. */
import test from 'ava';
import fc from 'fast-check';
import { Diff } from '../../dist/keyed/diff.js';
import { sipHash } from '../../dist/keyed/hash.js';
import { packKey, textOfKey } from '../../dist/keyed/key.js';
import { findRecord, hashKey, HEADER_WORDS, KEY, KEY_BYTES, recordEnd, type Table, VALUE_BYTES, valueOf } from '../../dist/keyed/layout.js';
import { placesFor, RecordTable, type TableOptions } from '../../dist/keyed/records.js';

type Records = readonly (readonly [key: string, value: number])[];

const SEEDS = [
  { seed0: 1, seed1: 2 },
  { seed0: -5, seed1: 0x7fffffff },
] as const;

function tableOf(records: Records, options: TableOptions): { table: RecordTable; duplicates: number } {
  const table = new RecordTable(options);
  const hash = new Int32Array(2);
  let duplicates = 0;
  for (const [key, value] of records) {
    const text = Buffer.from(String(value));
    const keyBytes = packKey(key);
    const at = table.begin(keyBytes, text.length);
    const from = valueOf(at, keyBytes);
    new Uint8Array(table.words.buffer).set(text, from * 4);
    sipHash(table.words, from, text.length, table.seed0, table.seed1, hash);
    if (table.finish(at, keyBytes, text.length, hash)) duplicates++;
  }
  return { table, duplicates };
}

function keyAt(table: Table, at: number): string {
  return textOfKey(table.words, at + KEY, table.words[at + KEY_BYTES] as number);
}

function valueAt(table: Table, at: number): number {
  const from = valueOf(at, table.words[at + KEY_BYTES] as number) * 4;
  return Number(Buffer.from(table.words.slice().buffer).toString('latin1', from, from + (table.words[at + VALUE_BYTES] as number)));
}

const key = fc.oneof(fc.constantFrom('', 'a', 'b', 'cc', 'dddd', '__proto__'), fc.string({ unit: 'binary', maxLength: 9 }));
const records = fc.array(fc.tuple(key, fc.nat(5)), { maxLength: 60 });

test('a table has of each key the last record, in its place, whatever size was foreseen', (t) => {
  fc.assert(
    fc.property(records, fc.constantFrom(0, 3, 1000), (list, foreseen) => {
      const { table, duplicates } = tableOf(list, { ...SEEDS[0], records: foreseen });
      table.compact();
      table.fitIndex();
      const model = new Map<string, number>();
      for (const [name, value] of list) {
        model.delete(name);
        model.set(name, value);
      }
      t.deepEqual([table.records, duplicates], [model.size, list.length - model.size]);
      t.is(table.mask + 1, placesFor(model.size));
      t.true(table.records * 3 <= (table.mask + 1) * 2);
      const listed: [string, number][] = [];
      for (let at = HEADER_WORDS; at < table.recordsEnd; at = recordEnd(table, at)) listed.push([keyAt(table, at), valueAt(table, at)]);
      t.deepEqual(listed, [...model]);
      for (const [name, value] of model) {
        const keyBytes = packKey(name);
        const at = findRecord(table, keyBytes, hashKey(table, keyBytes));
        t.deepEqual([keyAt(table, at), valueAt(table, at)], [name, value]);
      }
      const absent = packKey('not there');
      t.is(findRecord(table, absent, hashKey(table, absent)), 0);
    }),
  );
});

/** What a diff tells, in slices of so many records. */
function differences(before: Table, next: Table, slice: number, allChanged: boolean): Record<'added' | 'changed' | 'removed', string[]> {
  const told = { added: [] as string[], changed: [] as string[], removed: [] as string[] };
  const diff = new Diff(
    before,
    next,
    {
      added: (at) => told.added.push(keyAt(next, at)),
      changed: (at, old) => told.changed.push(keyAt(next, at), ...(keyAt(before, old) === keyAt(next, at) ? [] : ['another key'])),
      removed: (at) => told.removed.push(keyAt(before, at)),
    },
    allChanged,
  );
  let steps = 0;
  for (let outcome = diff.step(slice); outcome !== 'done'; outcome = diff.step(slice)) {
    if (outcome === 'broken') throw new Error('A sound table is broken');
    if (++steps > 10_000) throw new Error('It does not end');
  }
  return { added: told.added.sort(), changed: told.changed.sort(), removed: told.removed.sort() };
}

test('a diff is exact: in any order, under any seeds, in slices of any size', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(key, fc.nat(3)), { maxLength: 40, selector: ([name]) => name }),
      fc.uniqueArray(fc.tuple(key, fc.nat(3)), { maxLength: 40, selector: ([name]) => name }),
      fc.constantFrom(0, 1),
      fc.constantFrom(1, 2, 7, Infinity),
      fc.boolean(),
      (one, other, seed, slice, allChanged) => {
        const { table: before } = tableOf(one, SEEDS[0]);
        const { table: next } = tableOf(other, SEEDS[seed] as (typeof SEEDS)[0]);
        const [had, has] = [new Map(one), new Map(other)];
        t.deepEqual(differences(before, next, slice, allChanged), {
          added: [...has.keys()].filter((name) => !had.has(name)).sort(),
          changed: [...has.keys()].filter((name) => had.has(name) && (allChanged || had.get(name) !== has.get(name))).sort(),
          removed: [...had.keys()].filter((name) => !has.has(name)).sort(),
        });
      },
    ),
  );
});

test('a table whose lengths lead out of it is broken, and nothing else happens', (t) => {
  const list: Records = [
    ['a', 1],
    ['bb', 2],
    ['ccccc', 3],
  ];
  const { table: before } = tableOf(list, SEEDS[0]);
  for (const word of [KEY_BYTES, VALUE_BYTES]) {
    for (const wrong of [-1, 0x7fffffff, 0x10000, -0x80000000, 1 << 20]) {
      const { table: next } = tableOf(list, SEEDS[1]);
      next.words[recordEnd(next, HEADER_WORDS) + word] = wrong;
      const told: number[] = [];
      const diff = new Diff(before, next, {
        added: (at) => told.push(at),
        changed: (at) => told.push(at),
        removed: (at) => told.push(at),
      });
      t.is(diff.step(Infinity), 'broken');
      t.deepEqual(told, [], `${word}: ${wrong}; the record before it is the same`);
    }
  }
});
