/** The types of keyed writers and mirrors. Nothing here runs: the compiler reads it. */
import { bg, InMemCache, type KeyedLookups, type KeyedMirror, type KeyedView, type Mirror, type Writer } from '../../dist/index.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectType<Expected>(): <Actual>(value: Actual, ...same: Equal<Actual, Expected> extends true ? [] : [never]) => void {
  return () => {};
}

interface City {
  readonly name: string;
}
declare const map: Map<string, City>;
declare const object: Record<string, City>;
declare function records(): Generator<[string, City]>;
declare function stream(): AsyncGenerator<readonly [string, City]>;

// What the records are is inferred from what the loader gives.
const w1 = bg.write(60, { key: 'a', keyed: true })(() => map);
expectType<Writer<KeyedLookups<City>>>()(w1);
const w2 = bg.write(60, { key: 'a', keyed: true })(async () => map);
expectType<Writer<KeyedLookups<City>>>()(w2);
const w3 = bg.write(60, { key: 'a', keyed: true })(() => object);
expectType<Writer<KeyedLookups<City>>>()(w3);
const w4 = bg.write(60, { key: 'a', keyed: true })(() => records());
expectType<Writer<KeyedLookups<City>>>()(w4);
const w5 = bg.write(60, { key: 'a', keyed: true })(() => stream());
expectType<Writer<KeyedLookups<City>>>()(w5);
const w6 = bg.write(60, { key: 'a', keyed: true }, () => map);
expectType<Writer<KeyedLookups<City>>>()(w6);
const w7 = bg.write<City>(60, { key: 'a', keyed: true, loader: new URL('file:///x.js') });
expectType<Writer<KeyedLookups<City>>>()(w7);
bg.write<City>(60, { key: 'a', keyed: true, validate: (next, previous) => next.size > (previous?.size ?? 0) }, ({ previous }) => {
  expectType<City | undefined>()(previous?.get('a'));
  return map;
});
// @ts-expect-error no records
bg.write(60, { key: 'a', keyed: true })(() => 5);
// @ts-expect-error records of another kind
bg.write<City>(60, { key: 'a', keyed: true })(() => new Map([['a', 5]]));
// Without `keyed`, a Map is a value like others.
const w8 = bg.write(60, { key: 'a' })(() => map);
expectType<Writer<Map<string, City>>>()(w8);

const cities = bg.read.keyed<City>('a', { ttl: '1m', memo: { maxEntries: 10 } });
expectType<KeyedMirror<City>>()(cities);
expectType<City | undefined>()(cities.get('a'));
expectType<Map<string, City>>()(cities.getMany(['a']));
expectType<IterableIterator<[string, City]>>()(cities.entries());
expectType<KeyedView<City>>()(cities.view());
cities.onChange(({ added, from }) => {
  expectType<readonly string[]>()(added);
  expectType<number>()(from);
});
cities.onKey('a', (city) => expectType<City | undefined>()(city));
expectType<unknown>()(bg.read.keyed('a').get('x'));
// @ts-expect-error a key is a string
cities.get(5);
// @ts-expect-error no such option
bg.read.keyed('a', { store: new InMemCache() });
expectType<Mirror<number>>()(bg.read<number>('a'));
