/** The page in a real browser, with real processes behind it. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { noChromium, startChromium } from '../support/chromium.js';
import { fileScope, once } from '../support/file-scope.js';
import { type Scope, until } from '../support/process.js';
import { application, files } from './support.js';

const browserTest = noChromium === undefined ? test.serial : test.serial.skip;
if (noChromium !== undefined) test(`the page in a browser is not tested: ${noChromium}`, (t) => t.pass());

const file = fileScope();
const browser = once(() => startChromium(file));

interface Opened {
  readonly page: Page;
  /** What the browser complained of, and what it asked for beyond the page. */
  readonly complaints: string[];
  readonly requests: string[];
}

async function open(t: Scope, url: string, options: BrowserContextOptions = {}, isClockFake = false): Promise<Opened> {
  const context = await (await browser()).newContext({ viewport: { width: 1280, height: 800 }, ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  if (isClockFake) await page.clock.install();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  await page.goto(url);
  await page.getByText('Live', { exact: true }).first().waitFor();
  return { page, complaints, requests };
}

const source = readFileSync(new URL('./fixtures/in-page.js', import.meta.url), 'utf8');
const inPage = <T = unknown>(page: Page, name: string): Promise<T> => page.evaluate<T>(`${source}\ninPage.${name}()`);

const row = (page: Page, section: string, name: string) =>
  page.locator(`#${section} .row`, { has: page.getByRole('button', { name, exact: true }) });

browserTest('it loads, shows everything, and a new version as it comes; nothing is asked for from elsewhere', async (t) => {
  const app = application(t);
  const [one, writer] = [app.start(), app.start()];
  await writer.tell('join', { name: 'the refresher' });
  await writer.tell('write', { key: 'rates' });
  await writer.tell('call', { id: 1 });
  await writer.tell('call', { id: 1 });
  const url = await one.serve({ name: 'the server' });
  const { page, complaints, requests } = await open(t, url);
  const rates = row(page, 'values', 'rates');
  await rates.locator('.cell.num', { hasText: 'Version' }).getByText('1', { exact: true }).waitFor();
  await rates.getByText('the refresher').waitFor();
  await writer.tell('publish', { key: 'rates' });
  await rates.locator('.cell.num', { hasText: 'Version' }).getByText('2', { exact: true }).waitFor();
  t.regex((await rates.locator('svg.chart').getAttribute('aria-label')) ?? '', /^The last 2 refreshes: none failed; the last one took /);
  await row(page, 'functions', 'userById').getByText('50.0 %').waitFor();
  t.deepEqual((await page.locator('#threads .row h3').allInnerTexts()).sort(), ['the refresher', 'the server']);
  t.regex(await page.title(), /· inspector$/);
  t.deepEqual(complaints, []);
  const { host } = new URL(url);
  t.true(
    requests.every((one_) => one_.startsWith('data:image/svg+xml') || new URL(one_).host === host),
    requests.join(' '),
  );
});

browserTest('a worker that is killed is shown as dead, and the page goes on', async (t) => {
  const app = application(t);
  const [one, worker] = [app.start(), app.start()];
  await worker.tell('join', { name: 'the worker' });
  const { page, complaints } = await open(t, await one.serve());
  const line = row(page, 'threads', 'the worker');
  await line.getByText('Live', { exact: true }).waitFor();
  worker.child.kill('SIGKILL');
  await line.getByText('Died', { exact: true }).waitFor();
  await page.locator('#totals').getByText('1 is silent or dead').waitFor();
  await line.getByRole('button').click();
  await line.getByText('killed, crashed, or terminated').waitFor();
  t.regex(await page.title(), /^\(1\) /);
  t.deepEqual(complaints, []);
});

browserTest('hostile names are text', async (t) => {
  const app = application(t);
  const one = app.start();
  const evil = '<script>document.title="pwned";alert(1)</script><img src=x onerror=alert(2)>';
  await one.tell('write', { key: evil, scope: 'process' });
  await one.tell('thread', { orders: [{ do: 'join', name: '<b>bold</b>' }] });
  const { page, complaints } = await open(t, await one.serve({ name: '"><svg onload=alert(3)>' }));
  await row(page, 'values', evil).getByRole('button', { name: evil }).click();
  await page.locator('#values .detail').getByText(evil).waitFor();
  await row(page, 'threads', '<b>bold</b>').waitFor();
  t.is(await inPage(page, 'intruders'), 0);
  t.notRegex(await page.title(), /pwned/);
  t.deepEqual(complaints, []);
});

browserTest('without allowActions there is nothing to press; with it, it works, also into another process', async (t) => {
  const app = application(t);
  const [looking, acting, other] = [app.start(), app.start(), app.start()];
  await other.tell('join');
  await other.tell('write', { key: 'rates' });
  await other.tell('call', { id: 7 });

  const first = await open(t, await looking.serve());
  await row(first.page, 'values', 'rates').getByRole('button').click();
  await row(first.page, 'functions', 'userById').getByRole('button').click();
  await first.page.locator('#functions .detail').waitFor();
  t.is(await first.page.locator('.action').count(), 0);
  t.is(await inPage(first.page, 'actWithoutToken'), 403);
  await first.page.getByText('This page only looks').waitFor();
  t.notRegex(await first.page.locator('main').innerText(), /text: 'the value'|a cached value/);

  const { page, complaints } = await open(t, await acting.serve({ allowActions: true, showValues: true }));
  const rates = row(page, 'values', 'rates');
  await rates.getByRole('button').click();
  await rates.getByRole('button', { name: 'Refresh now' }).click();
  await rates.getByText('Refreshed').waitFor();
  await rates.locator('.cell.num', { hasText: 'Version' }).getByText('2', { exact: true }).waitFor();
  await rates.getByRole('button', { name: 'Show the value' }).click();
  await rates.locator('pre').getByText('the value').waitFor();

  const user = row(page, 'functions', 'userById');
  await user.getByRole('button').click();
  await user.getByRole('button', { name: 'Invalidate' }).click();
  await user.getByText('Enter the key first').waitFor();
  await user.getByRole('textbox').fill('user:7');
  await user.getByRole('button', { name: 'Show the entry' }).click();
  await user.locator('pre').getByText('a cached value').waitFor();
  await user.getByRole('button', { name: 'Invalidate' }).click();
  await user.getByText('Removed').waitFor();
  t.is((await other.tell<{ loads: number }>('call', { id: 7 })).loads, 2);
  await user.getByRole('button', { name: 'Clear the store' }).click();
  t.is((await other.tell<{ loads: number }>('call', { id: 7 })).loads, 2, 'it asks first');
  await user.getByRole('button', { name: 'Remove everything in it?' }).click();
  await user.getByText('Cleared').waitFor();
  t.is((await other.tell<{ loads: number }>('call', { id: 7 })).loads, 3);
  t.deepEqual(complaints, []);
});

browserTest('a lost server is shown, and found again', async (t) => {
  const app = application(t);
  const one = app.start();
  const url = await one.serve();
  const { page } = await open(t, url);
  one.child.kill('SIGKILL');
  await page.getByText('Disconnected', { exact: true }).waitFor();
  await page.getByRole('alert').getByText('Trying again').waitFor();
  const next = app.start();
  await next.tell('call', { id: 1 });
  await next.tell('serve', { options: {}, port: Number(new URL(url).port) });
  await page.getByText('Live', { exact: true }).first().waitFor();
  await page.getByRole('alert').waitFor({ state: 'hidden' });
  await row(page, 'threads', 'process.js').getByText(`process ${next.child.pid}`).waitFor();
  t.pass();
});

browserTest('it is for the keyboard too, and filters', async (t) => {
  const app = application(t);
  const one = app.start();
  for (const key of ['alpha', 'beta']) await one.tell('write', { key, scope: 'process' });
  const { page } = await open(t, await one.serve());
  await row(page, 'values', 'beta').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('bet');
  await page.locator('#values-count').getByText('1 of 2').waitFor();
  await page.locator('#functions').getByText('None of the 1 here matches “bet”').waitFor();
  t.is(await page.locator('#values .row').count(), 1);
  await page.keyboard.press('Escape');
  await page.locator('#values-count').getByText('2', { exact: true }).waitFor();
  await row(page, 'values', 'alpha').getByRole('button').focus();
  await page.keyboard.press('Enter');
  t.is(await row(page, 'values', 'alpha').getByRole('button').getAttribute('aria-expanded'), 'true');
  await page.keyboard.press('Enter');
  t.is(await row(page, 'values', 'alpha').getByRole('button').getAttribute('aria-expanded'), 'false');
});

for (const width of [1280, 390]) {
  for (const colorScheme of ['light', 'dark'] as const) {
    browserTest(`${width} pixels, ${colorScheme}: nothing overflows or jumps, and all text can be read`, async (t) => {
      const app = application(t);
      const one = app.start();
      for (const key of ['rates', 'a-rather-long-key-that-somebody-might-well-choose:for/a.value/of.his'])
        await one.tell('write', { key, scope: 'process' });
      await one.tell('call', { id: 1 });
      const { page, complaints } = await open(t, await one.serve(), { viewport: { width, height: 800 }, colorScheme });
      await row(page, 'values', 'rates').getByRole('button').click();
      await row(page, 'functions', 'userById').getByRole('button').click();
      await page.locator('#functions .detail').waitFor();
      t.is(await inPage(page, 'overflow'), 0);
      const before = await inPage<number[]>(page, 'places');
      await one.tell('publish', { key: 'rates' });
      await row(page, 'values', 'rates').locator('.cells .cell.num', { hasText: 'Version' }).getByText('2', { exact: true }).waitFor();
      const moved = (await inPage<number[]>(page, 'places')).map((place, at) => Math.abs(place - (before[at] ?? Number.NaN)));
      // A pixel is a matter of rounding.
      t.true(Math.max(...moved) <= 1, `an update moved something: ${moved.join(' ')}`);
      const faint = await inPage(page, 'contrasts');
      t.deepEqual(faint, [], 'text of less contrast than WCAG AA asks for');
      t.deepEqual(complaints, []);
    });
  }
}

browserTest('a page that nobody sees rests after a minute, costs nothing then, and wakes', async (t) => {
  const app = application(t);
  const one = app.start();
  const { page } = await open(t, await one.serve(), {}, true);
  await until(() => files(app).length === 1, { what: 'the report' });
  await inPage(page, 'hide');
  await page.clock.fastForward(61_000);
  await page.getByText('Paused', { exact: true }).waitFor();
  await until(() => files(app).length === 0, { deadline: 30_000, what: 'its end' });
  await inPage(page, 'show');
  await page.getByText('Live', { exact: true }).first().waitFor();
  await until(() => files(app).length === 1, { what: 'the next report' });
  t.pass();
});
