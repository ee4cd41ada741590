/** The inspector and the threads that it looks at: real processes, which die in all ways. */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { tempDir, until } from '../support/process.js';
import { act, application, files, type Process, View } from './support.js';

const linux = process.platform === 'linux' ? test.serial : test.serial.skip;

test.serial('shows every value, function and thread of each process that joined', async (t) => {
  const app = application(t);
  const [one, other] = [app.start(), app.start()];
  await other.tell('join', { name: 'the other' });
  const url = await one.serve({ name: 'the server' });
  await Promise.all([one.tell('write', { key: 'rates' }), other.tell('read', { key: 'rates' })]);
  await other.tell('write', { key: 'own', scope: 'process' });
  for (const id of [1, 1, 1, 2]) await other.tell('call', { id });
  await one.tell('call', { id: 1 });
  const { thread } = await other.tell<{ thread: number }>('thread', {
    orders: [
      { do: 'join', name: 'a thread' },
      { do: 'read', key: 'rates' },
    ],
  });

  const view = new View(t, url);
  const rates = await view.until(
    'value',
    (row) => row.key === 'rates' && row.readerCount === 2 && row.state === 'live',
    'the value and its readers',
  );
  t.is(rates.scope, 'host');
  t.like(rates.writers[0], { at: `${one.child.pid}.0`, state: 'live', version: 1, refreshes: 1, failures: 0 });
  t.deepEqual(rates.readers.map(({ at }) => at).sort(), [`${other.child.pid}.0`, `${other.child.pid}.${thread}`].sort());
  t.true(rates.readers.every(({ version, via }) => version === 1 && via === 'host'));
  t.is(rates.refreshes.length, 1);
  await view.until(
    'value',
    ({ key, scope, writers }) => key === 'own' && scope === 'process' && writers[0]?.at === `${other.child.pid}.0`,
    'its own value',
  );

  const user = await view.until('function', ({ name, hits }) => name === 'userById' && hits > 0, 'the function');
  t.like(user, {
    template: 'user:{id}',
    ttl: 3600,
    store: 'InMemCache',
    copies: 3,
    threadCount: 3,
    isCounted: true,
    hits: 2,
    misses: 3,
    entries: 3,
  });
  t.is(user.latencies.find(({ operation }) => operation === 'load')?.count, 3);

  const threads = view.all('thread');
  t.deepEqual(threads.map(({ name }) => name).sort(), ['a thread', 'the other', 'the server']);
  for (const row of threads) {
    t.is(row.state, 'live');
    t.true(row.memory.heapUsed > 0 && row.startedAt > 0);
    t.is(row.node, process.version);
  }
  t.like(view.totals, { threads: 3, processes: 2, lostThreads: 0, troubled: 0, unreadable: 0 });
});

test.serial('a new version, a failure and its end are told as they happen', async (t) => {
  const app = application(t);
  const [one, writer] = [app.start(), app.start()];
  await writer.tell('join');
  await writer.tell('write', { key: 'rates' });
  const view = new View(t, await one.serve());
  await view.until('value', ({ version }) => version === 1, 'the first version');
  await writer.tell('publish', { key: 'rates' });
  const second = await view.until('value', ({ version }) => version === 2, 'the second version');
  t.deepEqual(
    second.refreshes.map(([, , isGood]) => isGood),
    [1, 1],
  );
  await writer.tell('fail', { on: true });
  await writer.tell('publish', { key: 'rates' });
  const failing = await view.until('value', ({ state }) => state === 'failing', 'the failure');
  t.is(failing.version, 2);
  t.is(failing.refreshes.at(-1)?.[2], 0);
  t.like(view.all('error')[0], { subject: 'rates', where: 'writer', name: 'TypeError', code: 'ECONNREFUSED', count: 1 });
  t.is(view.totals?.troubled, 1);
  await writer.tell('fail', { on: false });
  await writer.tell('publish', { key: 'rates' });
  await view.until('value', ({ state, version }) => state === 'live' && version === 3, 'the recovery');
});

test.serial('a process that is killed is shown as dead; one that ends, as ended', async (t) => {
  const app = application(t);
  const [one, killed, ending] = [app.start(), app.start(), app.start()];
  await Promise.all([killed.tell('join', { name: 'killed' }), ending.tell('join', { name: 'ending' })]);
  await killed.tell('write', { key: 'only there', scope: 'process' });
  const view = new View(t, await one.serve());
  await until(() => view.totals?.threads === 3, { what: 'three threads' });
  killed.child.kill('SIGKILL');
  ending.child.send({ do: 'exit' });
  await view.until('thread', ({ name, state }) => name === 'killed' && state === 'died', 'the dead one');
  await view.until('thread', ({ name, state }) => name === 'ending' && state === 'ended', 'the one that ended');
  await view.until('value', ({ key, state }) => key === 'only there' && state === 'gone', 'what it had');
  t.like(view.totals, { threads: 1, processes: 1, lostThreads: 1 });
  t.is(view.all('thread').find(({ pid }) => pid === one.child.pid)?.state, 'live');
});

linux('a worker thread that is gone is told from one that is blocked, and a process from one that is stopped', async (t) => {
  const app = application(t);
  const [one, blocked, stopped] = [app.start(), app.start(), app.start()];
  await Promise.all([blocked.tell('join', { name: 'blocked' }), stopped.tell('join', { name: 'stopped' })]);
  await Promise.all([blocked, stopped].map((process_) => process_.tell('thread', { orders: [{ do: 'join', name: 'a thread' }] })));
  const view = new View(t, await one.serve());
  await until(() => view.totals?.threads === 5, { what: 'five threads' });
  const is = (name: string, { child }: Process, state: string) =>
    view.until('thread', (row) => row.name === name && row.pid === child.pid && row.state === state, `${name} is ${state}`);

  await stopped.tell('terminate');
  await is('a thread', stopped, 'died');
  const file = join(tempDir(t), 'block');
  writeFileSync(file, '');
  blocked.child.send({ do: 'block', file });
  stopped.child.kill('SIGSTOP');
  await is('stopped', stopped, 'stopped');
  await is('blocked', blocked, 'silent');
  await is('a thread', blocked, 'live');
  stopped.child.kill('SIGCONT');
  rmSync(file);
  await is('stopped', stopped, 'live');
  await is('blocked', blocked, 'live');
  t.is(view.totals?.lostThreads, 1);
});

test.serial('actions work in another process; what it has done is told at once', async (t) => {
  const app = application(t);
  const [one, other] = [app.start(), app.start()];
  await other.tell('join');
  await other.tell('write', { key: 'rates' });
  await other.tell('call', { id: 7 });
  const url = await one.serve({ allowActions: true, showValues: true });
  const view = new View(t, url);
  const user = await view.until('function', ({ threadCount }) => threadCount === 2, 'the function in both');
  const target = user.id.slice(1);
  const there = { at: `${other.child.pid}.0`, isDone: true };

  t.deepEqual((await act(url, view, { action: 'refresh', target: 'rates' })).outcomes, [{ ...there, text: 'Refreshed' }]);
  await view.until('value', ({ key, version }) => key === 'rates' && version === 2, 'the refreshed value');
  const [shown] = (await act(url, view, { action: 'value', target: 'rates' })).outcomes;
  t.like(shown, there);
  t.regex(shown?.text ?? '', /round: 2/);

  const entries = (await act(url, view, { action: 'entry', target, key: 'user:7' })).outcomes;
  t.regex(entries.find(({ isDone }) => isDone)?.text ?? '', /s old, fresh for .* s more\n\{ id: 7/);
  t.is((await other.tell<{ loads: number }>('call', { id: 7 })).loads, 1);
  const removed = (await act(url, view, { action: 'invalidate', target, key: 'user:7' })).outcomes;
  t.is(removed.find(({ at }) => at === there.at)?.text, 'Removed');
  t.is((await other.tell<{ loads: number }>('call', { id: 7 })).loads, 2);
  t.is((await act(url, view, { action: 'clear', target })).outcomes.length, 2);
  t.is((await other.tell<{ loads: number }>('call', { id: 7 })).loads, 3);

  t.deepEqual((await act(url, view, { action: 'refresh', target: 'nobody has it' })).outcomes, []);

  const second = await other.serve({ allowActions: true });
  const secondView = new View(t, second);
  await secondView.until('value', ({ key }) => key === 'rates', 'the value, in another process’s page');
  t.deepEqual(
    (await act(second, view, { action: 'refresh', target: 'rates' })).outcomes,
    [{ ...there, text: 'Refreshed' }],
    'as behind one port of a cluster',
  );
  secondView.close();
  t.deepEqual([files(app, 'commands'), files(app, 'answers')], [[], []], 'nothing is left of them');
});

test.serial('nobody looks: no thread writes, nothing stays, and the process ends when it wants to', async (t) => {
  const app = application(t);
  const [one, other] = [app.start(), app.start()];
  await other.tell('join');
  const url = await one.serve();
  t.deepEqual(files(app), []);
  const view = new View(t, url);
  await until(() => files(app).length === 2, { what: 'the files of both' });
  for (const name of files(app)) t.is(statSync(join(app.folder, 'threads', name)).mode & 0o777, 0o600);
  view.close();
  await until(() => files(app).length === 0, { deadline: 30_000, what: 'the end of them' });
  other.child.send({ do: 'release' });
  t.deepEqual(await other.child.exited, { code: 0, signal: null });
});

test.serial('an open page holds no process, and does not keep its server from closing', async (t) => {
  const app = application(t);
  const one = app.start();
  const view = new View(t, await one.serve());
  await until(() => view.events > 0, { what: 'the stream' });
  await one.tell('close');
  await until(() => view.ended, { what: 'the end of the stream' });
  one.child.send({ do: 'release' });
  t.deepEqual(await one.child.exited, { code: 0, signal: null });
});

test.serial('files that are no reports are counted, and hurt nobody', async (t) => {
  const app = application(t);
  const [one, other] = [app.start(), app.start()];
  await other.tell('join', { name: 'good' });
  const url = await one.serve();
  const threads = join(app.folder, 'threads');
  await until(() => existsSync(threads), { what: 'the folder' });
  mkdirSync(join(threads, '101.0.jsonl'));
  const garbage: Record<string, string | Buffer> = {
    '102.0.jsonl': 'not json',
    '103.0.jsonl': Buffer.alloc(100_000, 0xff),
    '104.0.jsonl': '{"pid":104,"thread":0}',
    '105.0.jsonl': '',
    '106.0.jsonl': '[[[[',
    'not a report': 'x',
  };
  for (const [name, text] of Object.entries(garbage)) writeFileSync(join(threads, name), text, { mode: 0o600 });
  writeFileSync(join(threads, '107.0.jsonl'), '{}', { mode: 0o644 });
  symlinkSync('/etc/passwd', join(threads, '108.0.jsonl'));
  const view = new View(t, url);
  await view.until('thread', ({ name }) => name === 'good', 'the good one');
  await until(() => view.totals?.unreadable === 8, { what: 'the bad ones' });
  t.is(view.all('thread').length, 2);
  t.notRegex(view.raw, /root:/);
  rmSync(join(threads, '101.0.jsonl'), { recursive: true });
});

test.serial('where the directory can’t be used, the page shows its own thread and says why', async (t) => {
  const app = application(t);
  const file = join(app.env['ADVANCED_CACHING_DIRECTORY'] ?? '', 'a file');
  writeFileSync(file, '');
  const one = app.start({ ADVANCED_CACHING_DIRECTORY: file });
  const url = await one.serve({ name: 'alone', allowActions: true });
  await one.tell('write', { key: 'rates', scope: 'process' });
  const view = new View(t, url);
  await view.until('thread', ({ name, state }) => name === 'alone' && state === 'live', 'its own thread');
  t.regex(view.trouble ?? '', /Set `directory` to one that this user may write/);
  t.deepEqual(
    (await act(url, view, { action: 'refresh', target: 'rates' })).outcomes.map(({ text }) => text),
    ['Refreshed'],
  );
  t.is(one.child.stderr().match(/AdvancedCachingWarning: the inspector/g)?.length, 2, 'said once by each of its two parts');
});

test.serial('what the dead left is cleared away', async (t) => {
  const app = application(t);
  const [one, dead] = [app.start(), app.start()];
  await dead.tell('join', { name: 'dead' });
  const url = await one.serve();
  const first = new View(t, url);
  await first.until('thread', ({ name }) => name === 'dead', 'it');
  dead.child.kill('SIGKILL');
  await dead.child.exited;
  first.close();
  const left = files(app).find((name) => name.startsWith(`${dead.child.pid}.`));
  t.truthy(left);
  // As if that were long ago.
  const report = join(app.folder, 'threads', left ?? '');
  const text = readFileSync(report, 'utf8').replace(/"at":\d+(\.\d+)?/, '"at":1000');
  writeFileSync(report, text, { mode: 0o600 });
  const old = new Date(Date.now() - 3_600_000);
  for (const path of [join(app.folder, 'commands', '1.0.abc'), join(app.folder, 'answers', 'abc'), `${report}.1.0123456789ab.tmp`]) {
    writeFileSync(path, '', { mode: 0o600 });
    utimesSync(path, old, old);
  }
  const two = app.start();
  const second = new View(t, await two.serve());
  await until(() => second.events > 0, { what: 'the second look' });
  await until(() => !files(app).includes(left ?? '') && files(app, 'commands').length + files(app, 'answers').length === 0, {
    what: 'the clearing',
  });
  t.false(existsSync(`${report}.1.0123456789ab.tmp`));
  t.false(
    second.all('thread').some(({ name }) => name === 'dead'),
    'who died long ago is not mourned',
  );
});
