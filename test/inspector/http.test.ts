/** The handler over real HTTP: who is answered, with what, and what is refused. */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import test from 'ava';
import { bg, cache, health } from '../../dist/index.js';
import { inspector, type InspectorOptions, joinInspector } from '../../dist/inspector/index.js';
import { until } from '../support/process.js';
import { act, type Around, plainly, send, serve, View } from './support.js';

test.after.always(() => bg.shutdown({ wait: false }));

test('one page that asks for nothing else, and may not', async (t) => {
  const { url } = await serve(t);
  const { status, headers, text } = await send(url);
  t.is(status, 200);
  t.is(headers['content-type'], 'text/html; charset=utf-8');
  t.is(headers['cache-control'], 'no-store');
  t.is(headers['x-content-type-options'], 'nosniff');
  t.is(headers['x-frame-options'], 'DENY');
  t.is(headers['referrer-policy'], 'no-referrer');
  const policy = new Map(
    String(headers['content-security-policy'])
      .split('; ')
      .map((rule) => [rule.split(' ', 1)[0] ?? '', rule.split(' ').slice(1)]),
  );
  t.deepEqual(policy.get('default-src'), ["'none'"]);
  t.deepEqual(policy.get('connect-src'), ["'self'"]);
  t.deepEqual(policy.get('frame-ancestors'), ["'none'"]);
  t.deepEqual(policy.get('base-uri'), ["'none'"]);
  t.deepEqual(policy.get('form-action'), ["'none'"]);
  t.deepEqual(policy.get('require-trusted-types-for'), ["'script'"]);
  const hash = (of: string | undefined): string =>
    `'sha256-${createHash('sha256')
      .update(of ?? '')
      .digest('base64')}'`;
  t.deepEqual(policy.get('script-src'), [hash(/<script>([\s\S]*)<\/script>/.exec(text)?.[1])]);
  t.deepEqual(policy.get('style-src'), [hash(/<style>([\s\S]*)<\/style>/.exec(text)?.[1])]);
  const addresses = text.match(/(?:https?:)?\/\/[\w.-]+\.\w+[^\s'"]*/g) ?? [];
  t.deepEqual([...new Set(addresses)], ['http://www.w3.org/2000/svg'], 'the name of SVG, which nobody fetches');
  t.notRegex(text, / style=| on\w+="|javascript:/);
});

test('its own paths only; all others are the next handler’s', async (t) => {
  const { url, port } = await serve(t);
  for (const path of ['', '/', '?x=1']) t.is((await send(url + path)).status, 200, path);
  for (const path of ['/inspector/nothing', '/inspectors', '/', '/inspector/events/x']) {
    t.deepEqual((await send(`http://127.0.0.1:${port}${path}`)).text, 'another handler', path);
  }
  t.is((await send(url, { method: 'HEAD' })).status, 200);
  for (const [path, method, allow] of [
    ['', 'POST', 'GET, HEAD'],
    ['/events', 'HEAD', 'GET'],
    ['/events', 'DELETE', 'GET, HEAD'],
    ['/act', 'GET', 'POST'],
  ] as const) {
    const { status, headers } = await send(url + path, { method });
    t.deepEqual([status, headers.allow], [405, allow], `${method} ${path}`);
  }
  let calls = 0;
  const asMiddleware: Around = (handler, request, response) => {
    if (!handler(request, response, () => calls++)) response.end('next');
  };
  const { port: other } = await serve(t, {}, '127.0.0.1', asMiddleware);
  t.is((await send(`http://127.0.0.1:${other}/x`)).text, 'next');
  t.is(calls, 1);
});

test('where a framework cuts its prefix off, either way of mounting it works', async (t) => {
  const mounted: Around = (handler, request, response) => {
    Object.assign(request, { originalUrl: request.url, url: request.url?.replace(/^\/admin\/inspector/, '') || '/' });
    plainly(handler, request, response);
  };
  for (const path of ['/', '/admin/inspector']) {
    const { port } = await serve(t, { path }, '127.0.0.1', mounted);
    const url = `http://127.0.0.1:${port}/admin/inspector`;
    t.is((await send(url)).status, 200, path);
    const view = new View(t, url);
    await until(() => view.events > 0, { what: 'events' });
    view.close();
  }
});

const other = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

(other === undefined ? test.skip : test)('only this machine is answered, unless told otherwise', async (t) => {
  const { port } = await serve(t, {}, '0.0.0.0');
  const { status, text } = await send(`http://${other}:${port}/inspector`);
  t.is(status, 403);
  t.regex(text, /its own machine only.*allowRemote/);
  t.is((await send(`http://${other}:${port}/inspector`, { headers: { host: 'localhost' } })).status, 403, 'Host is only a claim');
  t.is((await send(`http://${other}:${port}/inspector/events`)).status, 403);
  const open = await serve(t, { allowRemote: true }, '0.0.0.0');
  t.is((await send(`http://${other}:${open.port}/inspector`)).status, 200);
});

test('a proxy on this machine is another machine', async (t) => {
  const { url, port } = await serve(t);
  for (const header of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'via', 'x-forwarded-host', 'cf-connecting-ip']) {
    t.is((await send(url, { headers: { [header]: '203.0.113.9' } })).status, 403, header);
  }
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /inspector HTTP/1.0\r\nHost: localhost\r\n\r\n'));
    let text = '';
    socket.on('data', (more: Buffer) => {
      text += more.toString('latin1');
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });
  t.regex(answer, /^HTTP\/1\.1 403 /);
  const open = await serve(t, { allowRemote: true });
  t.is((await send(open.url, { headers: { 'x-forwarded-for': '203.0.113.9' } })).status, 200);
});

test('a name that was rebound to this machine is refused, others must be named', async (t) => {
  const { url } = await serve(t);
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '[::2]',
    '127.0.0.1.evil.example',
    'local host',
    '[::1',
    'localhost:x',
  ]) {
    t.is((await send(url, { headers: { host } })).status, 403, host);
  }
  for (const host of ['localhost:3000', 'LOCALHOST', 'app.localhost', '127.0.0.1', '[::1]:8080', '127.9.9.9:1', 'localhost.']) {
    t.is((await send(url, { headers: { host } })).status, 200, host);
  }
  const named = await serve(t, { hosts: ['Shop.test'] });
  t.is((await send(named.url, { headers: { host: 'shop.test:3000' } })).status, 200);
  t.is((await send(named.url, { headers: { host: 'x.shop.test' } })).status, 403);
  const open = await serve(t, { allowRemote: true });
  t.is((await send(open.url, { headers: { host: 'evil.example' } })).status, 403, 'also where other machines may ask');
  t.is((await send(open.url, { headers: { host: '10.0.0.1:80' } })).status, 200);
});

test('no page of another site may ask', async (t) => {
  const { url, port } = await serve(t, { allowActions: true });
  const own = `http://127.0.0.1:${port}`;
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' },
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:1' },
    { origin: 'not a url' },
  ]) {
    for (const path of ['', '/events', '/act'])
      t.is((await send(url + path, { headers, method: path === '/act' ? 'POST' : 'GET' })).status, 403);
  }
  t.is(
    (await send(url, { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' } })).status,
    200,
    'a link to it may be followed',
  );
  t.is((await send(url, { headers: { 'sec-fetch-site': 'none' } })).status, 200);
  t.is((await send(url, { headers: { origin: own } })).status, 200);
});

test('it only shows, unless told otherwise; and then asks for its token', async (t) => {
  const load = cache(60, { key: 'act:{}' }, (id: number) => ({ id }));
  load(1);
  const plain = await serve(t);
  const plainView = new View(t, plain.url);
  await until(() => plainView.hello, { what: 'hello' });
  t.is(plainView.hello?.token, undefined);
  t.is((await act(plain.url, plainView, { action: 'refresh', target: 'x' })).status, 403);

  const showing = await serve(t, { showValues: true });
  const showingView = new View(t, showing.url);
  t.is((await act(showing.url, showingView, { action: 'clear', target: 'x' })).status, 403);
  t.regex((await act(showing.url, showingView, { action: 'clear', target: 'x' })).text, /allowActions/);

  const acting = await serve(t, { allowActions: true });
  const view = new View(t, acting.url);
  const { id } = await view.until('function', ({ template }) => template === 'act:{}', 'the function');
  t.is((await act(acting.url, view, { action: 'value', target: 'x' })).status, 403);
  t.is((await act(acting.url, view, { action: 'entry', target: id.slice(1), key: 'act:1' })).status, 403);
  const { token = '' } = view.hello ?? {};
  const { origin } = new URL(acting.url);
  const body = JSON.stringify({ action: 'clear', target: id.slice(1) });
  const headers = { origin, 'content-type': 'application/json', 'x-inspector-token': token };
  const post = (changed: Record<string, string>, text = body) =>
    send(`${acting.url}/act`, { method: 'POST', headers: { ...headers, ...changed }, body: text });
  t.is((await post({ 'x-inspector-token': 'f'.repeat(64) })).status, 403);
  t.is((await post({ 'x-inspector-token': '' })).status, 403);
  t.is((await post({ 'x-inspector-token': 'é'.repeat(64) })).status, 403);
  const { origin: _origin, ...withoutOrigin } = headers;
  t.is((await send(`${acting.url}/act`, { method: 'POST', headers: withoutOrigin, body })).status, 403);
  for (const text of [
    '{',
    '[]',
    '{"action":"eval","target":"x"}',
    '{"action":"clear"}',
    '{"action":"clear","target":7}',
    'x'.repeat(200_000),
  ]) {
    t.is((await post({}, text)).status, 400, text.slice(0, 40));
  }
  t.is(load.store.size, 1);
  t.is((await post({})).status, 200);
  t.is(load.store.size, 0);
});

test('a framework that has read the body already hands it over', async (t) => {
  for (const read of [(text: string): unknown => JSON.parse(text), (text: string) => text, (text: string) => Buffer.from(text)]) {
    const around: Around = (handler, request, response) => {
      if (request.method !== 'POST') return plainly(handler, request, response);
      let text = '';
      request.on('data', (more: Buffer) => {
        text += more.toString();
      });
      request.on('end', () => plainly(handler, Object.assign(request, { body: read(text) }), response));
    };
    const { url } = await serve(t, { allowActions: true }, '127.0.0.1', around);
    const view = new View(t, url);
    t.is((await act(url, view, { action: 'refresh', target: 'nobody' })).status, 200);
    view.close();
  }
});

test('what a function did is counted, whatever its store and collector', async (t) => {
  const { InMemoryMetrics, InstrumentedStorage, InMemCache, NULL_METRICS } = await import('../../dist/index.js');
  const own = new InMemoryMetrics();
  const seen: string[] = [];
  const collector = { ...NULL_METRICS, recordHit: () => void seen.push('hit'), recordMiss: () => void seen.push('miss') };
  const functions = {
    fast: cache(60, { key: 'fast', name: 'fast' }, () => 1),
    memo: cache(60, { key: 'memo:{}', name: 'memo' }, (id: number) => id),
    nothing: cache(60, { key: 'nothing', name: 'nothing', metrics: NULL_METRICS }, () => 1),
    collected: cache(60, { key: 'collected', name: 'collected', metrics: own }, () => 1),
    beside: cache(60, { key: 'beside', name: 'beside', metrics: collector }, () => 1),
    slow: cache(60, { key: 'slow', name: 'slow', store: new InstrumentedStorage(new InMemCache(), NULL_METRICS, 'x') }, async () => 1),
  };
  for (let turn = 0; turn < 4; turn++) for (const call of Object.values(functions)) await call(1);
  const { url } = await serve(t);
  const view = new View(t, url);
  for (const name of Object.keys(functions)) {
    const row = await view.until('function', (one) => one.name === name, name);
    t.like(row, { hits: 3, misses: 1, isCounted: true }, name);
  }
  t.deepEqual(seen, ['miss', 'hit', 'hit', 'hit'], 'the user’s collector hears all of it, once');
  t.is(view.all('function').find(({ name }) => name === 'slow')?.store, 'InstrumentedStorage');
});

test('hostile names and long ones go through as text', async (t) => {
  const name = '</script><script>alert(1)</script>\u2028\n\n"\\';
  cache(60, { key: `${'k'.repeat(8000)}{}`, name }, (id: number) => id)(1);
  const { url } = await serve(t);
  const view = new View(t, url);
  const row = await view.until('function', (one) => one.name === name, 'it');
  t.is(row.template?.length, 8002);
});

test('streams are bounded, and end with their server, or when told', async (t) => {
  const { url, handler, server } = await serve(t);
  const views = Array.from({ length: 20 }, () => new View(t, url));
  await until(() => views.every(({ events }) => events > 0), { what: 'twenty pages' });
  const { status, headers } = await send(`${url}/events`);
  t.deepEqual([status, headers['retry-after']], [503, '5']);
  views[0]?.close();
  await until(
    async () => {
      const view = new View(t, url);
      await until(() => view.ended || view.events > 0, { what: 'an answer' });
      view.close();
      return view.events > 0;
    },
    { what: 'the place of the one that left' },
  );
  server.close();
  await until(() => views.every(({ ended }) => ended), { what: 'their end' });
  handler.close();
  handler.close();
  const again = await serve(t);
  const view = new View(t, again.url);
  await until(() => view.events > 0, { what: 'a stream' });
  again.handler.close();
  await until(() => view.ended, { what: 'its end' });
});

test('wrong options throw at the call', (t) => {
  const wrong: [unknown, RegExp][] = [
    [{ path: 'inspector' }, /`path` to be a path that begins with a slash, got 'inspector'/],
    [{ path: '/a?b' }, /`path`/],
    [{ allowActions: 1 }, /`allowActions` to be a boolean/],
    [{ showValue: true }, /options of inspector to be among .*showValues.*, got 'showValue'/],
    [{ hosts: 'localhost' }, /`hosts` to be an array/],
    [{ hosts: ['a:80'] }, /`hosts`/],
    [{ name: '' }, /`name`/],
  ];
  for (const [options, message] of wrong) t.throws(() => inspector(options as InspectorOptions), { instanceOf: TypeError, message });
  t.throws(() => joinInspector({ name: 'x'.repeat(101) }), { instanceOf: TypeError });
  t.throws(() => joinInspector({ path: '/' } as object), { instanceOf: TypeError });
  joinInspector()();
});

test('looking changes nothing: not the health, not the counts of reads', async (t) => {
  const writer = bg.write('1h', { key: 'looked at', ref: false })(() => 1);
  await writer.ready();
  const mirror = bg.read('looked at');
  mirror();
  const { url } = await serve(t);
  const view = new View(t, url);
  const row = await view.until('value', ({ key, readerCount }) => key === 'looked at' && readerCount === 1, 'the value');
  t.is(row.state, 'live');
  const { events } = view;
  await until(() => view.events > events + 2, { what: 'more looks' });
  t.is(view.all('value').find(({ key }) => key === 'looked at')?.rate, 0, 'the inspector’s own reads are left out');
  t.true(health().mirrors.some(({ key }) => key === 'looked at'));
  mirror.close();
  await writer.stop();
});
