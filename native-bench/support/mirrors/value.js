// @ts-check
/** The value that is refreshed: records, as a product list or a table of settings is, and when it was published. */

/**
 * @typedef {{ id: number, name: string, tags: string[], price: number, email: string, city: string }} Item
 * @typedef {{ at: number, n: number, items: Item[] }} Value `at`: milliseconds of the clock below; `n`: counts the publishes
 */

/** @param {number} id @returns {Item} */
const item = (id) => ({
  id,
  name: `record ${id}`,
  tags: ['a', 'b'],
  price: id * 1.01,
  email: `user${id}@example.com`,
  city: `Wherever City ${id % 977}`,
});

/** @param {number} bytes of its JSON, about @returns {Value} */
export function makeValue(bytes) {
  const items = [];
  for (let id = 0, length = 40; length < bytes; id++) {
    const next = item(id);
    items.push(next);
    length += JSON.stringify(next).length + 1;
  }
  return { at: 0, n: 0, items };
}

/** The clock that all processes of the host share, in milliseconds. */
export function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** @param {number} bytes */
export function sizeText(bytes) {
  return bytes >= 1e6 ? `${bytes / 1e6} MB` : `${bytes / 1e3} kB`;
}
