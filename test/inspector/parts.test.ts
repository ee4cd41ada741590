/** The parts that need no server: what is read with suspicion, what is sent, how a thread is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import test from 'ava';
import { lifeOf, ownTask, parseStat, type TaskId } from '../../dist/files/task.js';
import { Pace } from '../../dist/inspector/pace.js';
import { preview } from '../../dist/inspector/preview.js';
import type { ThreadReport } from '../../dist/inspector/report.js';
import { decodeReport, encodeReport } from '../../dist/inspector/report-file.js';
import { Rows } from '../../dist/inspector/rows.js';
import { ShapeError } from '../../dist/inspector/shape.js';

const report: ThreadReport = {
  pid: 1,
  thread: 0,
  task: { path: '1/task/1', born: '7', space: 'pid:[1]' },
  name: 'a thread',
  isMain: true,
  node: 'v20.0.0',
  startedAt: 1,
  at: 2,
  every: 1,
  memory: { rss: 1, heapUsed: 2, heapTotal: 3, external: 4 },
  loop: { p50: 0, p99: 0, max: 0, busy: 0 },
  helpers: [{ what: 'link', state: 'up', restarts: 0, lastError: undefined }],
  leftOut: 0,
  writers: [],
  mirrors: [
    {
      key: 'a\nkey\u2028"',
      state: 'live',
      since: undefined,
      via: 'host',
      epoch: 1,
      version: 2,
      createdAt: 3,
      isStale: false,
      rate: 0,
      decodes: 1,
      fallbacks: 0,
      refused: 0,
      lastError: { name: 'Error', code: undefined, message: 'm', time: 1 },
    },
  ],
  caches: [],
};

test('a report comes back as it went', async (t) => {
  const bytes = Buffer.concat(await encodeReport(report, new Pace()));
  t.deepEqual(await decodeReport(bytes, new Pace()), report);
});

test('whatever bytes a file has, reading them gives a report or a plain refusal', async (t) => {
  const good = Buffer.concat(await encodeReport(report, new Pace()));
  const isRefused = (error: unknown): boolean => error instanceof ShapeError || error instanceof SyntaxError;
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.uint8Array({ maxLength: 8 }), async (at, change) => {
      const bytes = Buffer.concat([good.subarray(0, at), change, good.subarray(at + change.length)]);
      await decodeReport(bytes, new Pace()).catch((error: unknown) => t.true(isRefused(error), String(error)));
    }),
    { numRuns: 500 },
  );
  for (const [line, why] of [
    ['{"pid":1}', 'too little'],
    [JSON.stringify({ ...report, pid: Infinity }), 'no number'],
    [JSON.stringify({ ...report, task: { ...report.task, path: '../../etc/passwd' } }), 'a path out of /proc'],
    ['null', 'nothing'],
    ['', 'empty'],
  ] as const) {
    const error = await t.throwsAsync(decodeReport(Buffer.from(line), new Pace()), undefined, why);
    t.true(isRefused(error), why);
  }
  const long = JSON.stringify({ ...report, name: 'x'.repeat(100_000) });
  t.is((await decodeReport(Buffer.from(long), new Pace())).name.length, 200);
});

test('rows: only what changed, in order, in bounded pieces; what was removed, once', async (t) => {
  const rows = new Rows();
  const row = (id: string, n = 0) => ({ id, kind: 'value' as const, n });
  const replace = (...all: ReturnType<typeof row>[]) => rows.replace(all, new Pace());
  const ids = (json: readonly string[]): string[] => json.map((one) => (JSON.parse(one) as { id: string }).id);
  await replace(row('a'), row('b'), row('c'));
  const first = rows.changes(0, 2);
  t.deepEqual([ids(first.rows), first.isComplete], [['a', 'b'], false]);
  const rest = rows.changes(first.revision, 2);
  t.deepEqual([ids(rest.rows), rest.isComplete, rest.removed], [['c'], true, []]);
  await replace(row('a'), row('b', 1), row('d'));
  const next = rows.changes(rest.revision, 10);
  t.deepEqual([ids(next.rows), next.removed], [['b', 'd'], ['c']]);
  t.deepEqual(rows.changes(next.revision, 10), { rows: [], removed: [], revision: next.revision, isComplete: true });
  await replace(row('a'), row('b', 1), row('c'), row('d'));
  const back = rows.changes(next.revision, 10);
  t.deepEqual([ids(back.rows), back.removed], [['c'], []]);
  t.deepEqual(ids(rows.changes(0, 10).rows).sort(), ['a', 'b', 'c', 'd']);
  t.true(rows.reaches(rest.revision));
});

test('rows: who has missed too much begins anew', async (t) => {
  const rows = new Rows();
  const many = Array.from({ length: 20_010 }, (_, at) => ({ id: `r${at}`, kind: 'value' as const }));
  await rows.replace(many, new Pace());
  const { revision } = rows.changes(0, 1);
  await rows.replace([], new Pace());
  t.false(rows.reaches(revision));
  t.true(rows.reaches(0));
  t.true(rows.reaches(rows.changes(0, 1).revision));
});

test('a value is shown bounded, and none of its code runs', (t) => {
  const fail = (): never => {
    throw new Error('its code ran');
  };
  class Own {
    a = 1;
    get b(): never {
      return fail();
    }
    toJSON = fail;
  }
  Object.assign(Own.prototype, { [Symbol.for('nodejs.util.inspect.custom')]: fail });
  t.regex(preview(new Own()), /^Own \{ a: 1/);
  const getter = Object.defineProperty({}, 'x', { get: fail, enumerable: true });
  t.is(preview(getter), '{ x: [Getter] }');
  t.is(preview(new Proxy({}, { get: fail, ownKeys: fail, getPrototypeOf: fail })), '[Proxy]');
  const round: { self?: unknown } = {};
  round.self = round;
  t.true(preview(round).length < 500);
  t.regex(preview(Array.from({ length: 100 }, () => 0)), /… 50 more/);
  t.is(preview({ a: [1, new Map([['c', new Set([2])]])] }).replaceAll(/\s+/g, ' '), "{ a: [ 1, Map(1) { 'c' => Set(1) { 2 } } ] }");
  for (const value of [
    Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, at])),
    'x'.repeat(1e6),
    new Uint8Array(1e6),
    Array.from({ length: 60 }, () => Array.from({ length: 60 }, () => Array.from({ length: 60 }, () => ({ a: 'x'.repeat(900) })))),
  ]) {
    t.true(preview(value).length < 8100);
  }
});

test('long work leaves room for others', async (t) => {
  const pace = new Pace();
  let others = 0;
  const counting = setInterval(() => others++, 1);
  // Without the rests it would never end.
  while (others < 3) if (pace.isDue()) await pace.rest();
  clearInterval(counting);
  t.true(pace.worked > 0);
});

const linux = process.platform === 'linux' ? test : test.skip;

linux('how a thread is: alive, stopped, gone, another one of the same number, or not to be seen', async (t) => {
  const own = ownTask();
  t.truthy(own);
  t.is(lifeOf(process.pid, own), 'alive');
  t.is(lifeOf(process.pid, { ...(own as TaskId), born: '1' }), 'gone', 'another one of the same number');
  t.is(lifeOf(process.pid, { ...(own as TaskId), space: 'pid:[1]' }), 'unknown', 'of another container');

  const child = spawn('sleep', ['60']);
  t.teardown(() => child.kill('SIGKILL'));
  const path = `${child.pid}/task/${child.pid}`;
  const stat = () => parseStat(readFileSync(`/proc/${path}/stat`, 'latin1'));
  const task: TaskId = { path, born: stat().born, space: readlinkSync('/proc/self/ns/pid') };
  t.is(lifeOf(child.pid ?? 0, task), 'alive');
  child.kill('SIGSTOP');
  while (stat().state !== 'T') await new Promise((resolve) => setImmediate(resolve));
  t.is(lifeOf(child.pid ?? 0, task), 'stopped');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.is(lifeOf(child.pid ?? 0, task), 'gone');

  const worker = new Worker(
    `const { readlinkSync } = require('node:fs'); require('node:worker_threads').parentPort.postMessage(readlinkSync('/proc/thread-self')); setInterval(() => {}, 1e6)`,
    { eval: true },
  );
  const [threadPath] = (await once(worker, 'message')) as [string];
  const thread: TaskId = { ...task, path: threadPath, born: parseStat(readFileSync(`/proc/${threadPath}/stat`, 'latin1')).born };
  t.is(lifeOf(process.pid, thread), 'alive');
  await worker.terminate();
  while (lifeOf(process.pid, thread) !== 'gone') await new Promise((resolve) => setImmediate(resolve));
  t.is(lifeOf(process.pid, own), 'alive');
});

test('without /proc, only the process can be asked for', (t) => {
  t.is(lifeOf(process.pid, undefined), 'unknown');
  t.is(lifeOf(2 ** 22 + 1, undefined), 'gone');
});

test('a name with parentheses does not shift the fields', (t) => {
  const fields = Array.from({ length: 25 }, (_, at) => String(at + 4)).join(' ');
  t.deepEqual(parseStat(`12 (a) b) S ${fields}`), { state: 'S', born: '22' });
});
