/** `npm run demo`, run for real: its facts, its answers, and that it leaves nothing behind, however it ends. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createHash } from 'node:crypto';
import test from 'ava';
import { View } from '../inspector/support.js';
import { type Child, type Scope, spawnNode, tempDir, until } from '../support/process.js';

const MAIN = new URL('../../examples/cluster-server/main.js', import.meta.url);
const WORKERS = 2;

interface Verdict {
  readonly demo: {
    readonly requests: number;
    readonly requestsPerSecond: number;
    readonly requestErrors: number;
    readonly readers: readonly { readonly worker: number; readonly where: string; readonly versionsSeen: number; readonly reads: number }[];
    readonly publishToVisibleMs: { readonly p50: number; readonly p99: number; readonly samples: number };
    readonly readsChecked: number;
    readonly emptyReads: number;
    readonly tornReads: number;
    readonly backwardReads: number;
    readonly longestStallMs: number;
    readonly takeoverMs?: number;
    readonly faults: readonly string[];
  };
}

interface Demo {
  readonly child: Child;
  readonly directory: string;
  readonly namespace: string;
}

function startDemo(t: Scope, env: Readonly<Record<string, string>>): Demo {
  const directory = tempDir(t);
  const namespace = `demo-test-${process.pid}-${directory}`;
  const child = spawnNode(t, MAIN, {
    env: {
      DEMO_SECONDS: '',
      DEMO_KILL: '',
      DEMO_WORKERS: String(WORKERS),
      DEMO_JSON: '1',
      PORT: '0',
      ADVANCED_CACHING_DIRECTORY: directory,
      ADVANCED_CACHING_NAMESPACE: namespace,
      ...env,
    },
  });
  return { child, directory, namespace };
}

/** All processes that `pid` started, and they, and so on; Linux only. */
function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // The name of the process, in parentheses, may hold anything.
        const ppid = /^.*\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[1];
        return [[Number(name), Number(ppid)] as const];
      } catch {
        return [];
      }
    });
  const found = [pid];
  for (const parent of found) found.push(...parents.filter(([, ppid]) => ppid === parent).map(([child]) => child));
  return found.slice(1);
}

const sockets = (namespace: string): string[] => {
  const id = createHash('sha256').update(namespace).digest('hex').slice(0, 16);
  return readFileSync('/proc/net/unix', 'latin1')
    .split('\n')
    .filter((line) => line.includes(`advanced-caching/${id}/`));
};

/** What Ctrl-C does in a terminal: every process of the group gets the signal. */
function interrupt(pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGINT');
}

const isThere = (pid: number): boolean => existsSync(`/proc/${pid}`);

const urlOf = (child: Child): Promise<string> =>
  until(() => child.lines.find((line) => line.startsWith('http://'))?.split(' ')[0], {
    deadline: 40_000,
    what: `the demo's address (${child.stderr()})`,
  });

const linux = process.platform === 'linux' ? test.serial : test.serial.skip;

test.serial('ends by itself, and every thread of every worker has read new versions, whole and in order', async (t) => {
  const { child, directory } = startDemo(t, { DEMO_SECONDS: '8' });
  const { demo } = await child.message<Verdict>((message) => 'demo' in message, 60_000);
  t.deepEqual(demo.faults, []);
  t.is(demo.tornReads, 0);
  t.is(demo.backwardReads, 0);
  t.is(demo.emptyReads, 0);
  t.is(demo.requestErrors, 0);
  t.true(demo.requests > 0 && demo.requestsPerSecond > 0);
  t.true(demo.longestStallMs >= 0);
  t.is(demo.readers.length, WORKERS * 2);
  for (const reader of demo.readers) {
    t.true(reader.versionsSeen >= 2, `${reader.where} of worker ${reader.worker} saw ${reader.versionsSeen} versions`);
    t.true(reader.reads > 0);
  }
  t.true(demo.publishToVisibleMs.samples >= WORKERS * 2);
  t.true(demo.publishToVisibleMs.p50 <= demo.publishToVisibleMs.p99);
  t.deepEqual(await child.exited, { code: 0, signal: null }, child.stderr());
  t.true(child.lines.some((line) => /^ {2}torn reads +0$/.test(line)));
  t.deepEqual(readdirSync(directory), []);
});

linux('serves cities, status and page; Ctrl-C leaves no process, no socket and no file', async (t) => {
  const { child, directory, namespace } = startDemo(t, {});
  const url = await urlOf(child);

  const paris = await fetch(`${url}cities/fr/Paris`);
  t.is(paris.status, 200);
  const { places, version } = (await paris.json()) as { places: { lat: number; lng: number }[]; version: number };
  t.true(places.some(({ lat, lng }) => Math.abs(lat - 48.85) < 0.1 && Math.abs(lng - 2.35) < 0.1));
  t.true(version >= 1);
  t.is((await fetch(`${url}cities/DE/${encodeURIComponent('Köln')}`)).status, 200, 'names of any script');
  for (const [path, status] of [
    ['cities/FR/Nowhere%20at%20all', 404],
    ['cities/__proto__/constructor', 404],
    ['cities/FR/%E0%A4', 400],
    ['cities/FR', 404],
    ['nothing', 404],
  ] as const) {
    t.is((await fetch(url + path)).status, status, path);
  }
  t.is((await fetch(`${url}status`, { method: 'POST' })).status, 405);
  t.regex(await (await fetch(url)).text(), /^<!doctype html>/);

  const board = await until(
    async () => {
      const response = await fetch(`${url}status`);
      const { readers = [] } = (await response.json()) as { readers?: Record<string, unknown>[] };
      return readers.length === WORKERS * 2 && readers;
    },
    { what: 'the status of all readers, from whichever worker' },
  );
  for (const reader of board) for (const name of ['version', 'age', 'readsPerSecond', 'stall']) t.is(typeof reader[name], 'number', name);

  const inspector = `${url}inspector`;
  t.is((await fetch(inspector)).status, 200);
  const view = new View(t, inspector);
  const cities = await view.until(
    'value',
    ({ key, readerCount }) => key === 'cities' && readerCount === WORKERS * 2,
    'all readers in the inspector',
  );
  t.like(cities.writers[0], { at: `${child.pid}.0`, state: 'live' });
  t.deepEqual(
    view
      .all('thread')
      .map(({ name }) => name)
      .sort(),
    ['primary', 'worker 1', 'worker 2', 'worker thread', 'worker thread'],
  );
  view.close();

  const pids = [child.pid, ...descendants(child.pid)];
  t.true(pids.length >= 1 + WORKERS + 1, 'the primary, the workers and the load');
  t.not(sockets(namespace).length, 0);
  t.not(readdirSync(directory).length, 0);
  interrupt(pids);
  t.deepEqual(await child.exited, { code: 0, signal: null }, child.stderr());
  await until(() => !pids.some(isThere), { what: 'the end of all processes' });
  t.deepEqual(sockets(namespace), []);
  t.deepEqual(readdirSync(directory), []);
  await t.throwsAsync(fetch(url));
});

linux('Ctrl-C while it starts leaves nothing either', async (t) => {
  const { child, directory, namespace } = startDemo(t, { DEMO_KILL: '1' });
  const pids = await until(
    () => {
      const found = descendants(child.pid);
      return found.length > 0 && [child.pid, ...found];
    },
    { what: 'the first process that the demo starts' },
  );
  interrupt(pids);
  t.deepEqual(await child.exited, { code: 0, signal: null }, child.stderr());
  await until(() => !pids.some(isThere), { what: 'the end of all processes' });
  t.deepEqual(sockets(namespace), []);
  t.deepEqual(readdirSync(directory), []);
});

test.serial('the primary takes over from a writer that is killed, and no reader notices', async (t) => {
  const { child, directory } = startDemo(t, { DEMO_SECONDS: '4', DEMO_KILL: '1' });
  const { demo } = await child.message<Verdict>((message) => 'demo' in message, 60_000);
  t.deepEqual(demo.faults, []);
  t.is(typeof demo.takeoverMs, 'number');
  t.is(demo.emptyReads, 0);
  t.is(demo.backwardReads, 0);
  t.deepEqual(await child.exited, { code: 0, signal: null }, child.stderr());
  t.deepEqual(readdirSync(directory), []);
});

test('says what is wrong with an option', async (t) => {
  const { child } = startDemo(t, { DEMO_SECONDS: 'ten' });
  t.deepEqual(await child.exited, { code: 2, signal: null });
  t.regex(child.stderr(), /Expected seconds to be a whole number from 1 to 86400, got 'ten'/);
});

test('starts one worker for each core unless told', async (t) => {
  const { readOptions } = (await import(new URL('../../examples/cluster-server/options.js', import.meta.url).href)) as {
    readOptions: () => { workers: number };
  };
  const before = process.argv;
  t.teardown(() => {
    process.argv = before;
  });
  process.argv = before.slice(0, 2);
  t.is(readOptions().workers, availableParallelism());
});
