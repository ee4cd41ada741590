/**
 * Every feature of `cache` and `bg` in one process, each with what it prints.
 *
 *     npx tsx examples/quickstart.ts        (in this repository: after `npm run setup`)
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { bg, cache, InMemCache, InMemoryMetrics } from 'advanced-caching';

const section = (title: string): void => console.log(`\n${title}`);
const show = (what: string, value: unknown): void => console.log(`  ${what.padEnd(48)} ${JSON.stringify(value)}`);

/** Stands for a database: it counts how often it is asked, and takes 20 ms to answer. */
let queries = 0;
async function query<T>(row: T): Promise<T> {
  queries += 1;
  await sleep(20);
  return row;
}

section('TTL: the second call of a key is answered from memory');
const getUser = cache('1m', { key: 'user:{id}' }, async function getUser(id: number) {
  return query({ id, name: `User ${id}` });
});
show('getUser(1), a miss', await getUser(1));
show('getUser(1), a hit', await getUser(1));
show('getUser(2), another key, so a miss', await getUser(2));
show('queries made', queries);
queries = 0;
await Promise.all(Array.from({ length: 1000 }, () => getUser(3)));
show('queries for 1000 calls of getUser(3) at once', queries);

section('Stale-while-revalidate: the old value at once, the new one loaded behind');
let price = 100;
const getPrice = cache('100ms', { key: 'price:{}', stale: '1m' }, async function getPrice(symbol: string) {
  return query({ symbol, price: price++ });
});
show('first call, waits for the load', await getPrice('ACME'));
await sleep(150);
const before = performance.now();
show('150 ms later it is stale: the old value', await getPrice('ACME'));
show('did that call wait for the 20 ms query?', performance.now() - before >= 20);
await sleep(60);
show('60 ms later the refresh has come', await getPrice('ACME'));

section('Background refresh: no call ever waits for the loader');
let loads = 0;
const flags = bg('100ms', { key: 'flags' })(async function loadFlags() {
  loads += 1;
  return query({ darkMode: true, load: loads });
});
show('the first call waits for the one initial load', await flags());
await sleep(350);
show('after 350 ms of refreshes', await flags());
show('its status', pick(flags.status(), 'state', 'version', 'failures'));
await flags.stop();

section('Mirror: written in one place, read in every thread (here: the same)');
const writer = bg.write('100ms', { key: 'rates' })(async function fetchRates() {
  return query({ USD: 1, EUR: 0.9 + loads++ / 1000 });
});
const rates = bg.read<{ USD: number; EUR: number }>('rates');
show('before the first publication', rates() ?? 'undefined');
await rates.ready();
show('then, synchronously', rates());
show('two reads, one version: the same object?', rates() === rates());
const version = rates.version;
await writer.refresh();
show('its version, before and after refresh()', [version, rates.version]);

section('A store of your own choice: bounded here, shared by two functions');
const store = new InMemCache({ maxEntries: 100 });
const getConfig = cache(60, { key: 'config:{env}', store }, (env: string) => ({ env, debug: env !== 'prod' }));
const getLocale = cache(60, { key: 'locale:{}', store }, (code: string) => ({ code }));
show('a synchronous function stays synchronous', getConfig('prod'));
show('and another in the same store', getLocale('en'));
show('entries in the store', store.size);

section('Metrics: one collector for as many functions as you like');
const metrics = new InMemoryMetrics();
const square = cache(60, { key: 'square:{}', metrics }, function square(n: number) {
  return n * n;
});
for (let n = 0; n < 20; n++) square(n % 4);
const stats = metrics.getStats();
show('caches.square', stats.caches['square']);
show("latency['square.get'], in ms", rounded(stats.latency['square.get']));

section('Invalidation: one key, or everything in the store');
show('key(1)', getUser.key(1));
show('invalidate(1): was there something?', getUser.invalidate(1));
queries = 0;
await getUser(1);
show('queries for the next getUser(1)', queries);
getUser.clear();
queries = 0;
await getUser(2);
show('and after clear(), for getUser(2)', queries);

section('Keys by a function: five patterns');
const byId = cache(60, { key: (id: number) => `u:${id}` }, (id: number) => ({ id }));
show('1. simple', byId.key(42));
const resource = cache(60, { key: (tenant: string, id: number) => `${tenant}:res:${id}` }, (tenant: string, id: number) => ({
  tenant,
  id,
}));
show('2. several arguments: tenants apart', resource.key('acme', 7));
const page = cache(
  60,
  { key: (id: number, { admin = false }: { admin?: boolean } = {}) => `${admin ? 'admin' : 'public'}:page:${id}` },
  (id: number, options: { admin?: boolean } = {}) => ({ id, ...options }),
);
show('3. conditional', [page.key(1), page.key(1, { admin: true })]);
const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
const run = cache(30, { key: (sql: string) => `query:${hash(sql)}` }, (sql: string) => ({ sql }));
show('4. a hash of something long', run.key('SELECT * FROM users WHERE name = $1'));
const translate = cache(300, { key: (...words: string[]) => `i18n:${words.join('+') || 'none'}` }, (...words: string[]) => words);
show('5. any number of arguments', [translate.key(), translate.key('a', 'b')]);

section('As a decorator');
class Orders {
  loaded = 0;

  @cache('1m', { key: 'order:{userId}:{orderId}' })
  async byId(userId: number, orderId: number): Promise<string> {
    this.loaded += 1;
    return query(`order ${orderId} of user ${userId}`);
  }
}
const orders = new Orders();
await orders.byId(1, 99);
show('orders.byId(1, 99), twice', await orders.byId(1, 99));
show('runs of the method', orders.loaded);

// Ends the writer's schedule, and with it the process.
await bg.shutdown();
console.log('\nDone.');

function pick<T, K extends keyof T>(from: T, ...names: K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}

function rounded(numbers: object | undefined): Record<string, number> {
  return Object.fromEntries(Object.entries(numbers ?? {}).map(([name, value]) => [name, Number((value as number).toPrecision(2))]));
}
