// @ts-check
/**
 * The value that is shared: every city of the world, made for lookups by country and name.
 *
 * Its shape is chosen for its readers. Each thread decodes each new version once, and an object with a property for each of
 * 170,000 cities takes 200 ms for that. One text for each country takes 5 ms; the first lookup in a country then makes an
 * index of that country alone. So no request ever waits for the whole world.
 */

/** @typedef {{ stamp: number, text: string }} Country `stamp` is the checksum of `text` */
/** @typedef {{ generation: number, pid: number, names: number, countries: Readonly<Record<string, Country>> }} Cities */
/** @typedef {{ lat: number, lng: number, admin1: string }} Place */
/** @typedef {{ name: string, lat: string, lng: string, country: string, admin1: string }} GeoName a record of the source */

/**
 * @param {readonly GeoName[]} records
 * @param {number} generation the number of this refresh: it goes into each text, so that no two versions are alike
 * @returns {Cities}
 */
export function packCities(records, generation) {
  /** @type {Map<string, Map<string, string>>} */
  const byCountry = new Map();
  let names = 0;
  for (const { name, lat, lng, country, admin1 } of records) {
    let lines = byCountry.get(country);
    if (!lines) byCountry.set(country, (lines = new Map()));
    const line = lines.get(name);
    if (line === undefined) names += 1;
    lines.set(name, `${line ?? name}\t${lat},${lng},${admin1}`);
  }
  /** @type {Record<string, Country>} */
  const countries = {};
  for (const [country, lines] of byCountry) {
    const text = [`${country} ${generation}`, ...lines.values()].join('\n');
    countries[country] = { stamp: checksum(text), text };
  }
  return { generation, pid: process.pid, names, countries };
}

/** @type {WeakMap<Country, Map<string, string>>} */
const indexes = new WeakMap();

/**
 * All places of that name, or `undefined`.
 *
 * @param {Cities} cities
 * @param {string} country two capital letters
 * @param {string} name
 * @returns {Place[] | undefined}
 * @throws Error when the text isn't the one that its generation had: a torn read, which must never happen
 */
export function findCity(cities, country, name) {
  const found = Object.hasOwn(cities.countries, country) ? cities.countries[country] : undefined;
  if (!found) return undefined;
  // A mirror answers the same object until there is a new version, so what is derived from it can be kept beside it.
  let index = indexes.get(found);
  if (!index) indexes.set(found, (index = makeIndex(found, `${country} ${cities.generation}`)));
  return index
    .get(name)
    ?.split('\t')
    .slice(1)
    .map((place) => {
      const [lat, lng, admin1 = ''] = place.split(',');
      return { lat: Number(lat), lng: Number(lng), admin1 };
    });
}

/**
 * @param {Country} country
 * @param {string} title
 */
function makeIndex({ stamp, text }, title) {
  if (checksum(text) !== stamp) throw new Error(`Torn: the text of ${title} doesn't have its checksum`);
  const [first, ...lines] = text.split('\n');
  if (first !== title) throw new Error(`Torn: expected the text of ${title}, got that of ${first}`);
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('\t')), line]));
}

/**
 * FNV-1a, 32 bits.
 *
 * @param {string} text
 */
function checksum(text) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/**
 * Some cities, spread over the whole list.
 *
 * @param {Cities} cities
 * @param {number} count
 * @returns {{ country: string, name: string }[]}
 */
export function sampleCities(cities, count) {
  const step = Math.max(1, Math.floor(cities.names / count));
  const sample = [];
  let at = 0;
  for (const [country, { text }] of Object.entries(cities.countries)) {
    for (const line of text.split('\n').slice(1)) {
      at += 1;
      if (at % step === 0) sample.push({ country, name: line.slice(0, line.indexOf('\t')) });
    }
  }
  return sample;
}
