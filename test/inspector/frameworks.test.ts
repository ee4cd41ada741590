/** The inspector and the health handler where they are mostly used: in Express and Fastify, the real ones. */
import type { AddressInfo } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import test from 'ava';
import { bg, healthHandler } from '../../dist/index.js';
import { inspector } from '../../dist/inspector/index.js';
import type { Scope } from '../support/process.js';
import { act, send, View } from './support.js';

test.before(async () => {
  await bg
    .write('1h', { key: 'framework', ref: false })(() => 1)
    .ready();
});
test.after.always(() => bg.shutdown({ wait: false }));

async function serveExpress(t: Scope, app: express.Express): Promise<string> {
  const server = app.listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const options = { allowActions: true } as const;

for (const [how, mount] of [
  [
    'beside all others',
    (app: express.Express) => app.use(inspector({ path: '/admin/inspector', ...options }), healthHandler({ ready: '/admin/ready' })),
  ],
  ['under a prefix, by its own path', (app: express.Express) => app.use('/admin', inspector(options), healthHandler())],
  [
    'under a prefix, by the whole path',
    (app: express.Express) => app.use('/admin/inspector', inspector({ path: '/', ...options })).use('/admin', healthHandler()),
  ],
  ['behind a parser of bodies', (app: express.Express) => app.use(express.json()).use('/admin', inspector(options), healthHandler())],
] as const) {
  test(`Express: ${how}`, async (t) => {
    const app = express();
    mount(app);
    app.get('/other', (_, response) => void response.send('the application'));
    const url = await serveExpress(t, app);
    t.is((await send(`${url}/other`)).text, 'the application');
    t.is((await send(`${url}/admin/ready`)).status, 200);
    t.is((await send(`${url}/admin/inspector`)).status, 200);
    const view = new View(t, `${url}/admin/inspector`);
    await view.until('value', ({ key }) => key === 'framework', 'the value');
    const { outcomes } = await act(`${url}/admin/inspector`, view, { action: 'refresh', target: 'framework' });
    t.deepEqual(
      outcomes.map(({ text }) => text),
      ['Refreshed'],
    );
    view.close();
  });
}

test('Fastify: in its first hook; it closes while a page is open', async (t) => {
  const app = fastify();
  const handlers = [healthHandler(), inspector(options)];
  app.addHook('onRequest', (request, reply, done) => {
    if (handlers.some((handler) => handler(request.raw, reply.raw))) reply.hijack();
    else done();
  });
  app.get('/other', async () => 'the application');
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  t.is((await send(`${url}/other`)).text, 'the application');
  t.is((await send(`${url}/ready`)).status, 200);
  t.is((await send(`${url}/inspector`)).status, 200);
  const view = new View(t, `${url}/inspector`);
  await view.until('value', ({ key }) => key === 'framework', 'the value');
  const { outcomes } = await act(`${url}/inspector`, view, { action: 'refresh', target: 'framework' });
  t.deepEqual(
    outcomes.map(({ text }) => text),
    ['Refreshed'],
  );
  await app.close();
  t.true(view.ended || view.events > 0);
});
