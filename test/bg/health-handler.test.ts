/** `healthHandler()` over real HTTP. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { bg } from '../../dist/index.js';
import { type HealthHandlerOptions, healthHandler } from '../../dist/bg/health-handler.js';
import type { Scope } from '../support/process.js';
import { collect, endAfterwards, newKey, warningsOf } from './support.js';

endAfterwards();

async function serve(t: Scope, options?: HealthHandlerOptions, change: (request: IncomingMessage) => void = () => {}): Promise<string> {
  const handler = healthHandler(options);
  const server = createServer((request, response) => {
    change(request);
    if (!handler(request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function get(url: string, init?: RequestInit): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const response = await fetch(url, { ...init, headers: { connection: 'close' } });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

test.serial('live and ready are apart', async (t) => {
  const url = await serve(t);
  t.like(await get(`${url}/live`), { status: 200, body: { live: true } });
  t.like(await get(`${url}/ready`), { status: 200, body: { ready: true, withoutValue: 0 } });
  const key = newKey();
  const mirror = bg.read(key);
  t.like(await get(`${url}/ready`), {
    status: 503,
    body: { ready: false, withoutValue: 1, mirrors: { total: 1, interrupted: 0, stale: 0 } },
  });
  t.is((await get(`${url}/live`)).status, 200, 'it lives all the same');
  const writer = bg.write('1h', { key, ref: false })(() => 1);
  await mirror.ready();
  t.like(await get(`${url}/ready`), { status: 200, body: { ready: true, writers: { total: 1, interrupted: 0 } } });
  mirror.close();
  await writer.stop();
});

test.serial('what ready means can be said, and a fault in that is not ready', async (t) => {
  let stopping = false;
  const url = await serve(t, { isReady: ({ ready }) => ready && !stopping });
  t.is((await get(`${url}/ready`)).status, 200);
  stopping = true;
  t.is((await get(`${url}/ready`)).status, 503);
  const faulty = await serve(t, {
    isReady: () => {
      throw new Error('no');
    },
  });
  const warnings = await warningsOf(async () => t.is((await get(`${faulty}/ready`)).status, 503));
  t.is(warnings.length, 1);
});

test.serial('no value and no message of an error is told, also with the details', async (t) => {
  const { onError } = collect();
  const key = newKey();
  let fails = false;
  const writer = bg.write<unknown>('1h', { key, name: 'loader', onError, ref: false })(async () => {
    if (fails) throw Object.assign(new TypeError('redis://me:canary@10.0.0.1 said canary'), { code: 'ECONNREFUSED' });
    return 'canary value';
  });
  await writer.ready();
  const mirror = bg.read(key);
  mirror();
  fails = true;
  await t.throwsAsync(writer.refresh());
  const plain = await get(`${await serve(t)}/ready`);
  t.like(plain, { status: 200, body: { writers: { total: 1, interrupted: 1 }, mirrors: { total: 1, interrupted: 1 } } });
  t.false(JSON.stringify(plain.body).includes(key), 'keys are details');
  const { body } = await get(`${await serve(t, { details: true })}/ready`);
  t.like((body['writerList'] as object[])[0], {
    key,
    name: 'loader',
    state: 'interrupted',
    version: 1,
    lastError: { name: 'TypeError', code: 'ECONNREFUSED' },
  });
  t.like((body['mirrorList'] as object[])[0], { key, version: 1, via: 'process' });
  t.notRegex(JSON.stringify(body), /canary/);
  mirror.close();
  await writer.stop();
});

test.serial('paths, methods, and frameworks that cut a prefix off', async (t) => {
  const url = await serve(t, { live: '/health/live/', ready: '/health/ready' });
  t.is((await get(`${url}/health/live`)).status, 200);
  t.is((await get(`${url}/health/ready/?verbose`)).status, 200);
  t.is((await get(`${url}/live`)).status, 404);
  const { status, headers, body } = await get(`${url}/health/live`, { method: 'HEAD' });
  t.deepEqual([status, body, headers.get('cache-control')], [200, {}, 'no-store']);
  t.like(await get(`${url}/health/live`, { method: 'POST' }), { status: 405, body: { error: 'Expected GET or HEAD' } });
  const mounted = await serve(t, {}, (request) => {
    Object.assign(request, { originalUrl: request.url, url: request.url?.replace('/health', '') });
  });
  t.is((await get(`${mounted}/health/live`)).status, 200);
  let next = 0;
  t.false(healthHandler()({ url: '/other', method: 'GET' } as IncomingMessage, {} as never, () => next++));
  t.is(next, 1);
});

test('wrong options throw at the call', (t) => {
  for (const options of [
    { live: 'live' },
    { ready: 7 },
    { live: '/x', ready: '/x/' },
    { isReady: true },
    { details: 1 },
    { alive: '/x' },
  ]) {
    t.throws(() => healthHandler(options as HealthHandlerOptions), { instanceOf: TypeError });
  }
});
