// @ts-check
/** A web application with Express: functions cached over two tiers, flags refreshed in the background, metrics, health, inspector. */
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Before what it is to count.
import { inspector } from 'advanced-caching/inspector';
import { bg, cache, ChainCache, healthHandler, InMemCache, InMemoryMetrics, LocalFileCache } from 'advanced-caching';
import express from 'express';
import { fetchFlags, fetchUser } from '../shared/backend.js';

// --- Stores and metrics. With several servers: new RedisCache(client, { prefix: 'app:' }) as the second tier.
const files = new LocalFileCache(join(tmpdir(), `express-app-${process.pid}`));
const tiered = ChainCache.build(new InMemCache({ maxEntries: 10_000 }), files, { ttls: ['1m', '1h'] });
const metrics = new InMemoryMetrics();

// --- What is cached
const getUser = cache('5m', { key: 'user:{id}', store: tiered, metrics, name: 'getUser' }, (/** @type {number} */ id) => fetchUser(id));

// --- What is refreshed: by this process for all of its threads (`scope: 'host'`: by one process for all of this host)
/** @type {import('advanced-caching').Mirror<import('../shared/backend.js').Flags>} */
const flags = bg.read('flags');

// --- The application
const app = express();
let stopping = false;
app.use(healthHandler({ isReady: ({ ready }) => ready && !stopping }));
const inspect = inspector({ path: '/inspector' });
app.use(inspect);

app.get('/users/:id', async (request, response) => {
  const id = Number(request.params.id);
  if (Number.isInteger(id)) response.json(await getUser(id));
  else response.status(400).json({ error: 'Expected a whole number' });
});
app.get('/flags', (_, response) => {
  // No await: it is in memory.
  response.json(flags());
});
app.get('/metrics', (_, response) => {
  response.json(metrics.getStats());
});

// --- Its life
/** @type {import('node:http').Server | undefined} */
let server;

/** @param {number} port */
export async function start(port) {
  bg.write('1s', { key: 'flags', metrics })(fetchFlags);
  // No request comes before the first value is there.
  await flags.ready();
  server = app.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: chosen } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return `http://127.0.0.1:${chosen}`;
}

export async function stop() {
  stopping = true;
  inspect.close();
  await new Promise((resolve) => {
    server?.close(resolve);
    server?.closeIdleConnections();
  });
  await bg.shutdown();
  await files.clear();
}
