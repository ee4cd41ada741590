// @ts-check
/**
 * What a cache hit costs, as ratios to the least that could do the same job, taken in one run.
 *
 *     npm run bench -- cache-hits [--quick]
 */
import { InMemoryMetrics, cache } from 'advanced-caching';
import { compare, loop } from './harness.js';

const IDS = 1024;

const numbers = Array.from({ length: IDS }, (_, i) => i * 7);
const strings = Array.from({ length: IDS }, (_, i) => `u${i * 7}`);
const pairs = Array.from({ length: IDS }, (_, i) => `o${i % 31}`);

{
  const map = new Map([['flags', 1]]);
  const hit = cache(600, { key: 'flags' })(() => 1);
  await compare('sync, static key', loop('sum += hit();', { hit }), loop("sum += map.get('flags');", { map }), 'target 1.4, must 2');
}
for (const [kind, ids] of /** @type {const} */ ([
  ['number', numbers],
  ['string', strings],
])) {
  const map = new Map();
  const hit = cache(600, { key: 'user:{}' })((/** @type {string | number} */ id) => String(id).length);
  for (const id of ids) map.set(`user:${id}`, hit(id));
  const scope = { hit, map, ids };
  await compare(
    `sync, 'user:{}', ${kind}`,
    loop('sum += hit(ids[i & 1023]);', scope),
    loop("sum += map.get('user:' + ids[i & 1023]);", scope),
    'target 1.0, must 1.5',
  );
}
{
  const map = new Map();
  const hit = cache(600, { key: 'user:{id}' })((/** @type {string} */ id) => id.length);
  for (const id of strings) map.set(`user:${id}`, hit(id));
  const scope = { hit, map, ids: strings };
  await compare(
    "sync, 'user:{id}', string",
    loop('sum += hit(ids[i & 1023]);', scope),
    loop("sum += map.get('user:' + ids[i & 1023]);", scope),
    'target 1.3',
  );
}
{
  const map = new Map();
  const hit = cache(600, { key: 'user:{id}' })((/** @type {{ id: string }} */ { id }) => id.length);
  const ids = strings.map((id) => ({ id }));
  for (const one of ids) map.set(`user:${one.id}`, hit(one));
  const scope = { hit, map, ids };
  await compare(
    "sync, 'user:{id}', a property",
    loop('sum += hit(ids[i & 1023]);', scope),
    loop("sum += map.get('user:' + ids[i & 1023].id);", scope),
    'target 1.3',
  );
}
for (const [kind, a, b] of /** @type {const} */ ([
  ['strings', pairs, strings],
  ['numbers', numbers, numbers],
])) {
  const map = new Map();
  const hit = cache(600, { key: 'order:{user}:{order}' })(
    (/** @type {unknown} */ user, /** @type {unknown} */ order) => String(user).length + String(order).length,
  );
  for (let i = 0; i < IDS; i++) map.set(`order:${a[i]}:${b[i]}`, hit(a[i], b[i]));
  const scope = { hit, map, a, b };
  await compare(
    `sync, 'order:{user}:{order}', ${kind}`,
    loop('sum += hit(a[i & 1023], b[i & 1023]);', scope),
    loop("sum += map.get('order:' + a[i & 1023] + ':' + b[i & 1023]);", scope),
    'target 1.3',
  );
}
{
  const map = new Map();
  const hit = cache(600, { key: 'order:{user}:{order}' })(
    (/** @type {{ user: string, order: string }} */ { user, order }) => user.length + order.length,
  );
  const orders = strings.map((order, i) => ({ user: /** @type {string} */ (pairs[i]), order }));
  for (const one of orders) map.set(`order:${one.user}:${one.order}`, hit(one));
  const scope = { hit, map, orders };
  await compare(
    "sync, 'order:{user}:{order}', properties",
    loop('sum += hit(orders[i & 1023]);', scope),
    loop("sum += map.get('order:' + orders[i & 1023].user + ':' + orders[i & 1023].order);", scope),
    'target 1.3',
  );
}
{
  const map = new Map();
  const hit = cache(600, { key: 'order:{}:{}:{}' })((/** @type {string[]} */ ...all) => all.length);
  for (let i = 0; i < IDS; i++) {
    map.set(
      `order:${pairs[i]}:${strings[i]}:${numbers[i]}`,
      hit(/** @type {string} */ (pairs[i]), /** @type {string} */ (strings[i]), String(numbers[i])),
    );
  }
  const scope = { hit, map, a: pairs, b: strings, c: numbers };
  await compare(
    'sync, three placeholders: the key is built',
    loop('sum += hit(a[i & 1023], b[i & 1023], c[i & 1023]);', scope),
    loop("sum += map.get('order:' + a[i & 1023] + ':' + b[i & 1023] + ':' + c[i & 1023]);", scope),
    'no target',
  );
}
{
  const map = new Map();
  const hit = cache(600, { key: (/** @type {string} */ id) => 'user:' + id })((/** @type {string} */ id) => id.length);
  for (const id of strings) map.set(`user:${id}`, hit(id));
  const scope = { hit, map, ids: strings };
  await compare(
    'sync, key function',
    loop('sum += hit(ids[i & 1023]);', scope),
    loop("sum += map.get('user:' + ids[i & 1023]);", scope),
    'no target',
  );
}
{
  const map = new Map([['flags', Promise.resolve(1)]]);
  const hit = cache(600, { key: 'flags' })(async () => 1);
  await hit();
  await compare(
    'async, static key',
    loop('sum += await hit();', { hit }, true),
    loop("sum += await map.get('flags');", { map }, true),
    'target 1.15, must 1.3',
  );
}
{
  const map = new Map();
  const hit = cache(600, { key: 'user:{}' })(async (/** @type {number} */ id) => id);
  for (const id of numbers) map.set(`user:${id}`, hit(id));
  await Promise.all(map.values());
  const scope = { hit, map, ids: numbers };
  await compare(
    "async, 'user:{}', number",
    loop('sum += await hit(ids[i & 1023]);', scope, true),
    loop("sum += await map.get('user:' + ids[i & 1023]);", scope, true),
    'target 1.15, must 1.3',
  );
}
{
  const ttl = cache(600, { key: 'user:{}' })((/** @type {number} */ id) => id);
  const swr = cache(600, { key: 'user:{}', stale: 60 })((/** @type {number} */ id) => id);
  for (const id of numbers) {
    ttl(id);
    swr(id);
  }
  const scope = { ttl, swr, ids: numbers };
  await compare(
    'stale-while-revalidate, fresh, to TTL only',
    loop('sum += swr(ids[i & 1023]);', scope),
    loop('sum += ttl(ids[i & 1023]);', scope),
    'target 1.1',
  );
}
{
  const map = new Map();
  let loads = 0;
  const stale = cache('1ms', { key: 'user:{}', stale: '1h' })((/** @type {number} */ id) => (loads++ < IDS ? id : new Promise(() => {})));
  for (const id of numbers) map.set(`user:${id}`, stale(id));
  await new Promise((resolve) => setTimeout(resolve, 50));
  // Each starts its refresh, which never ends: what is measured is the stale answer.
  for (const id of numbers) void stale(id);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const scope = { stale, map, ids: numbers };
  await compare(
    'stale-while-revalidate, stale, a refresh under way',
    loop('sum += stale(ids[i & 1023]);', scope),
    loop("sum += map.get('user:' + ids[i & 1023]);", scope),
    'no target',
  );
}
{
  const map = new Map();
  const hit = cache(600, { key: 'user:{}', metrics: new InMemoryMetrics() })((/** @type {number} */ id) => id);
  for (const id of numbers) map.set(`user:${id}`, hit(id));
  const scope = { hit, map, ids: numbers };
  await compare(
    "sync, 'user:{}', with metrics: hit and latency",
    loop('sum += hit(ids[i & 1023]);', scope),
    loop("sum += map.get('user:' + ids[i & 1023]);", scope),
    'no target',
  );
}
