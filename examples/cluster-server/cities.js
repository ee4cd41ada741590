// @ts-check
/**
 * What is shared: every city of the world, a record for each name in each country. A lookup decodes that one record; no reader ever decodes
 * the other 150,000. What belongs to all of them is a record too, of the key 'about'.
 */

/** @typedef {{ lat: number, lng: number, admin1: string }} Place */
/** @typedef {{ stamp: number, places: Place[] }} City all places of a name; `stamp` is the checksum of the key and of them */
/** @typedef {{ generation: number, pid: number, names: number }} About `generation` is the number of the refresh */
/** @typedef {{ name: string, lat: string, lng: string, country: string, admin1: string }} GeoName a record of the source */

export const ABOUT = 'about';

/**
 * @param {readonly GeoName[]} records
 * @param {number} generation
 * @returns {Map<string, City | About>}
 */
export function recordsOf(records, generation) {
  /** @type {Map<string, Place[]>} */
  const byKey = new Map();
  for (const { name, lat, lng, country, admin1 } of records) {
    const place = { lat: Number(lat), lng: Number(lng), admin1 };
    const key = `${country}/${name}`;
    const places = byKey.get(key);
    if (places) places.push(place);
    else byKey.set(key, [place]);
  }
  /** @type {Map<string, City | About>} */
  const cities = new Map([[ABOUT, { generation, pid: process.pid, names: byKey.size }]]);
  for (const [key, places] of byKey) cities.set(key, { stamp: stampOf(key, places), places });
  return cities;
}

/**
 * All places of that name, or `undefined`.
 *
 * @param {import('advanced-caching').Lookups<City | About>} cities
 * @param {string} country two capital letters
 * @param {string} name
 * @returns {readonly Place[] | undefined}
 * @throws Error when the record isn't the one of its key: a torn read, which must never happen
 */
export function findCity(cities, country, name) {
  const key = `${country}/${name}`;
  const city = cities.get(key);
  if (city === undefined || !('places' in city)) return undefined;
  if (stampOf(key, city.places) !== city.stamp) throw new Error(`Torn: the record of ${key} doesn't have its checksum`);
  return city.places;
}

/**
 * FNV-1a, 32 bits.
 *
 * @param {string} key
 * @param {readonly Place[]} places
 */
function stampOf(key, places) {
  const text = `${key} ${places.map(({ lat, lng, admin1 }) => `${lat},${lng},${admin1}`).join(' ')}`;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/**
 * Some cities, spread over the whole list.
 *
 * @param {import('advanced-caching').Lookups<City | About>} cities
 * @param {number} count
 * @returns {{ country: string, name: string }[]}
 */
export function sampleCities(cities, count) {
  const step = Math.max(1, Math.floor(cities.size / count));
  const sample = [];
  let at = 0;
  for (const key of cities.keys()) {
    at += 1;
    const slash = key.indexOf('/');
    if (at % step === 0 && slash > 0) sample.push({ country: key.slice(0, slash), name: key.slice(slash + 1) });
  }
  return sample;
}
