/**
 * Records that are looked up one by one: a keyed mirror. A lookup decodes its record and no other, and what a publication left alone
 * stays the same object.
 *
 *   node --import=tsx examples/keyed.ts
 */
import { bg, ViewExpiredError } from 'advanced-caching';

interface City {
  readonly name: string;
  readonly country: string;
  readonly population: number;
}

let amsterdam = 741_636;

/** Records may come as a Map, a plain object or, as here, one after another: no second copy of them is ever made. */
async function* loadCities(): AsyncGenerator<[string, City]> {
  yield ['NL/Amsterdam', { name: 'Amsterdam', country: 'NL', population: amsterdam }];
  yield ['NL/Utrecht', { name: 'Utrecht', country: 'NL', population: 290_529 }];
  for (let i = 1; i <= 100_000; i++) yield [`XX/Village ${i}`, { name: `Village ${i}`, country: 'XX', population: i }];
}

// In an application: in one process. `bg.read.keyed` finds it from every thread, and with `scope: 'host'` from every process.
const writer = bg.write(60, { key: 'cities', keyed: true }, loadCities);
const cities = await bg.read.keyed<City>('cities').ready();

console.log(`${cities.size} records in ${(cities.status().bytes / 1e6).toFixed(1)} MB; none of them decoded so far`);
console.log('NL/Amsterdam:', cities.get('NL/Amsterdam'));
console.log('NL/Nowhere:', cities.get('NL/Nowhere'), cities.has('NL/Nowhere'));
console.log('several:', [...cities.getMany(['NL/Utrecht', 'XX/Village 7']).keys()]);
console.log('decoded by now:', cities.status().decodes);

const utrecht = cities.get('NL/Utrecht');
const view = cities.view();
const changed = new Promise<void>((resolve) => {
  cities.onChange(({ version, from, added, changed, removed }) => {
    console.log(`version ${version}, after ${from}: added`, added, 'changed', changed, 'removed', removed);
    resolve();
  });
});
cities.onKey('NL/Amsterdam', (city) => console.log('NL/Amsterdam has', city?.population, 'inhabitants now'));

amsterdam += 1;
await writer.refresh();
await changed;

console.log('Utrecht is the same object:', cities.get('NL/Utrecht') === utrecht);
console.log('the view has the version before:', view.version, view.get('NL/Amsterdam')?.population);

await writer.refresh();
console.log('a refresh that changed nothing makes no version:', cities.version);

amsterdam += 1;
await writer.refresh();
try {
  view.get('NL/Amsterdam');
} catch (error) {
  if (!(error instanceof ViewExpiredError)) throw error;
  console.log('the view is over:', error.message);
}

const { indexLoad, memo } = cities.status();
console.log(`index ${(indexLoad * 100).toFixed(0)} % full, memo`, memo);
await bg.shutdown();
