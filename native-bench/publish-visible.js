// @ts-check
// From the moment before `publish` in the writer's thread to the moment a reader has the value: in another thread of the
// writer's process, in the main thread of another process, and in a worker thread of that process.
//
//     npm run bench -- publish-visible [--quick]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { bg } from '../dist/index.js';
import { isQuick, progress, table } from './support/results.js';
import { quantile } from './support/stats.js';

const SELF = fileURLToPath(import.meta.url);
const SIZES = /** @type {const} */ ([
  ['1 kB', 1000, 500],
  ['1 MB', 1_000_000, 200],
  ['13 MB', 13_000_000, 30],
]);

/**
 * @typedef {{ size: string, scope: 'process' | 'host', reader: string, samples: number, p50: number, p99: number, max: number }} Row
 * milliseconds
 */

/** The clock that all processes of a host share, in milliseconds. */
function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/**
 * Bytes with the time in front: the serializer copies nothing and decodes nothing, so that what is measured is the way.
 * @type {{ name: string, dumps(value: unknown): Uint8Array, loads(bytes: Uint8Array): unknown }}
 */
const stamped = {
  name: '',
  dumps: (value) => {
    const bytes = /** @type {Uint8Array} */ (value);
    new DataView(bytes.buffer).setFloat64(0, now());
    return bytes;
  },
  loads: (bytes) => ({ at: new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0), length: bytes.byteLength }),
};

/**
 * Reports each new value's way to `tell`, once a first one is there.
 * @param {string} key @param {(message: unknown) => void} tell
 */
function follow(key, tell) {
  const mirror = bg.read(key, { serializer: stamped, freeze: false });
  const take = () => {
    const value = /** @type {{ at: number } | undefined} */ (mirror());
    if (value) tell({ key, took: now() - value.at, version: mirror.version });
  };
  mirror.onChange(take);
  void mirror.ready().then(take, () => {});
  return mirror;
}

/** @param {boolean} quick @returns {Promise<Row[]>} */
export async function publishVisible(quick = false) {
  const directory = mkdtempSync(join(process.platform === 'linux' ? '/dev/shm' : tmpdir(), 'publish-visible-'));
  const before = { ...process.env };
  Object.assign(process.env, { ADVANCED_CACHING_DIRECTORY: directory, ADVANCED_CACHING_NAMESPACE: 'publish-visible' });
  const child = fork(SELF, ['follow'], { execArgv: [] });
  const worker = new Worker(SELF, { workerData: 'publish-visible' });
  /** @type {Row[]} */
  const rows = [];
  try {
    await Promise.all([once(child, 'message'), once(worker, 'message')]);
    for (const [name, size, times] of SIZES) {
      for (const scope of /** @type {const} */ (['process', 'host'])) {
        const key = `${scope} ${name}`;
        progress(key);
        rows.push(...(await measure({ key, scope, name, size, times: quick ? Math.ceil(times / 5) : times, child, worker })));
      }
    }
  } finally {
    await bg.shutdown();
    await worker.terminate();
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(directory, { recursive: true, force: true });
    for (const name of ['ADVANCED_CACHING_DIRECTORY', 'ADVANCED_CACHING_NAMESPACE']) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
  return rows;
}

/** @param {{ key: string, scope: 'process' | 'host', name: string, size: number, times: number, child: import('node:child_process').ChildProcess, worker: Worker }} run */
async function measure({ key, scope, name, size, times, child, worker }) {
  const bytes = new Uint8Array(size).fill(7);
  const writer = bg.write(0, { key, scope, serializer: stamped, runImmediately: false, ref: false }, () => bytes);
  /** @type {Map<string, number[]>} */
  const samples = new Map();
  /** @type {Map<string, number>} the version that each reader has */
  const has = new Map();
  let wake = () => {};
  /** @param {string} reader @param {{ key: string, took: number, version: number }} message */
  const record = (reader, message) => {
    if (message.key !== key) return;
    has.set(reader, message.version);
    const of = samples.get(reader) ?? [];
    samples.set(reader, of);
    of.push(message.took);
    wake();
  };
  const fromWorker = (/** @type {any} */ message) => record("another thread of the writer's process", message);
  const fromChild = (/** @type {any} */ message) => record(message.thread ? 'a thread of another process' : 'another process', message);
  worker.on('message', fromWorker);
  worker.postMessage({ follow: key });
  if (scope === 'host') {
    child.on('message', fromChild);
    child.send({ follow: key });
  }
  const readers = scope === 'host' ? 3 : 1;
  while (writer.status().state === 'standby') await new Promise((resolve) => setTimeout(resolve, 1));
  const warmUp = 5;
  for (let round = 0; round < times + warmUp; round += 1) {
    await writer.refresh();
    const { version } = writer.status();
    const end = now() + 10_000;
    while (has.size < readers || [...has.values()].some((seen) => seen < version)) {
      if (now() > end) throw new Error(`${key}: version ${version} was not seen by ${readers} readers within 10 s`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 1000);
        wake = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
      });
    }
    if (round === warmUp - 1) samples.clear();
  }
  await writer.stop();
  worker.off('message', fromWorker);
  child.off('message', fromChild);
  worker.postMessage({ leave: key });
  if (scope === 'host') child.send({ leave: key });
  return [...samples]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([reader, took]) => {
      return {
        size: name,
        scope,
        reader,
        samples: took.length,
        p50: quantile(took, 0.5),
        p99: quantile(took, 0.99),
        max: Math.max(...took),
      };
    });
}

/** @param {(message: unknown) => void} tell @returns {(message: { follow?: string, leave?: string }) => void} */
function reader(tell) {
  /** @type {Map<string, ReturnType<typeof follow>>} */
  const mirrors = new Map();
  return ({ follow: key, leave }) => {
    if (key !== undefined) mirrors.set(key, follow(key, tell));
    if (leave !== undefined) mirrors.get(leave)?.close();
  };
}

if (!isMainThread && workerData === 'publish-visible') {
  const obey = reader((message) => parentPort?.postMessage(message));
  parentPort?.on('message', obey);
  parentPort?.postMessage('ready');
} else if (isMainThread && process.send && process.argv[2] === 'follow') {
  const inThread = new Worker(SELF, { workerData: 'publish-visible' });
  await once(inThread, 'message');
  inThread.on('message', (/** @type {object} */ message) => process.send?.({ ...message, thread: true }));
  const obey = reader((message) => process.send?.(message));
  process.on('message', (/** @type {any} */ message) => {
    obey(message);
    inThread.postMessage(message);
  });
  process.on('disconnect', () => process.exit());
  process.send('ready');
} else if (isMainThread && process.argv[1] === SELF) {
  const rows = await publishVisible(isQuick);
  table({
    title: 'From before `publish` to the value in a reader',
    columns: [
      { key: 'size', label: 'size' },
      { key: 'scope', label: 'scope' },
      { key: 'reader', label: 'reader' },
      { key: 'p50', label: 'p50', unit: 'ms' },
      { key: 'p99', label: 'p99', unit: 'ms' },
      { key: 'max', label: 'max', unit: 'ms' },
      { key: 'target', label: 'target of p99' },
    ],
    rows: rows.map((row) => ({ ...row, ...(isQuick ? {} : targetOf(row)) })),
  });
}

/** @param {Row} row */
function targetOf({ size, scope, reader: where, p99 }) {
  const ms = size === '1 kB' && scope === 'process' ? 2 : size === '1 MB' && where === 'another process' ? 20 : undefined;
  return ms === undefined ? {} : { target: `under ${ms} ms: ${p99 < ms ? 'met' : 'MISSED'}` };
}
