// @ts-check
/** A web application with Fastify: functions cached over two tiers, flags refreshed in the background, metrics, health, inspector. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Before what it is to count.
import { inspector } from 'advanced-caching/inspector';
import { bg, cache, healthHandler, HybridCache, InMemCache, InMemoryMetrics, LocalFileCache } from 'advanced-caching';
import fastify from 'fastify';
import { fetchFlags, fetchUser } from '../shared/backend.js';

const files = new LocalFileCache(join(tmpdir(), `fastify-app-${process.pid}`));
const store = new HybridCache({ l1Ttl: '1m', l1Cache: new InMemCache({ maxEntries: 10_000 }), l2Ttl: '1h', l2Cache: files });
const metrics = new InMemoryMetrics();
const getUser = cache('5m', { key: 'user:{id}', store, metrics, name: 'getUser' }, (/** @type {number} */ id) => fetchUser(id));

export function makeApp() {
  const app = fastify();
  const handlers = [healthHandler(), inspector({ path: '/inspector' })];

  // A handler of node:http: before Fastify reads a body, and instead of it where the request is the handler's own.
  app.addHook('onRequest', (request, reply, done) => {
    if (handlers.some((handler) => handler(request.raw, reply.raw))) reply.hijack();
    else done();
  });

  // Its life: the writer starts before the server listens, and ends after its last request.
  const flags = bg('1s', { key: 'flags', metrics })(fetchFlags);
  app.addHook('onReady', async () => {
    await flags();
  });
  app.addHook('onClose', async () => {
    await bg.shutdown();
    await files.clear();
  });

  app.get('/users/:id', { schema: { params: { type: 'object', properties: { id: { type: 'integer' } } } } }, async (request) =>
    getUser(/** @type {{ id: number }} */ (request.params).id),
  );
  app.get('/flags', () => flags());
  app.get('/metrics', async () => metrics.getStats());
  return app;
}
