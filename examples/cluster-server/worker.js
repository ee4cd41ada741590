// @ts-check
/** A cluster worker: a web server that reads the cities at memory speed, and a worker thread beside it that does so too. */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Worker } from 'node:worker_threads';
import { bg } from 'advanced-caching';
import { inspector } from 'advanced-caching/inspector';
import { createProbe } from './probe.js';
import { createSamples } from './samples.js';

/** @typedef {import('./probe.js').ReaderReport} ReaderReport */
/** @typedef {{ type: 'ready' } | { type: 'report', readers: ReaderReport[], boardVisible: number[] }} FromWorker */
/** @typedef {'begin' | 'stop'} ToWorker */

// A Ctrl-C reaches every process of the terminal; when to stop is for the primary to say.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

const page = readFileSync(new URL('./page.html', import.meta.url));
const probe = createProbe('event loop');

// What the primary knows of all workers comes the same way as the cities: so each worker can answer for all of them.
/** @type {import('advanced-caching').Mirror<import('./state.js').Board>} */
const board = bg.read('board');
const boardVisible = createSamples();
board.onChange(() => boardVisible.add(Date.now() - (board.createdAt ?? 0) * 1000));

// The inspector shows all processes and threads, whichever worker it asks; and answers this machine only, whatever HOST is.
const inspect = inspector({ path: '/inspector', name: `worker ${cluster.worker?.id ?? 0}` });

const server = createServer((request, response) => {
  if (inspect(request, response)) return;
  /**
   * @param {number} status
   * @param {unknown} body
   */
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
    response.end(JSON.stringify(body));
  };
  if (request.method !== 'GET') return answer(405, { error: 'Expected GET' });
  const [path = '/'] = (request.url ?? '/').split('?');
  const [, first, second, third, ...rest] = path.split('/');

  if (path === '/') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    return response.end(page);
  }
  if (path === '/status') return answer(board() ? 200 : 503, board() ?? { error: 'No status yet' });
  if (first !== 'cities' || !second || !third || rest.length > 0) return answer(404, { error: 'Try /cities/FR/Paris' });

  let [country, name] = ['', ''];
  try {
    [country, name] = [decodeURIComponent(second).toUpperCase(), decodeURIComponent(third)];
  } catch {
    return answer(400, { error: 'That path is not percent-encoded UTF-8' });
  }
  const places = probe.find(country, name);
  if (!places) return answer(404, { error: `No city of that name in ${country}` });
  return answer(200, { country, name, places, version: probe.cities.version, age: probe.cities.age, pid: process.pid });
});

const thread = new Worker(new URL('./thread.js', import.meta.url));

/**
 * @param {'report' | 'stop'} request
 * @returns {Promise<ReaderReport[]>} none when the thread is gone
 */
const askThread = (request) =>
  new Promise((resolve) => {
    const settle = (/** @type {ReaderReport[]} */ reports) => {
      thread.off('message', receive).off('exit', gone);
      resolve(reports);
    };
    const gone = () => settle([]);
    const receive = (/** @type {{ type: string, report: ReaderReport }} */ message) => {
      if (message.type === 'report') settle([message.report]);
    };
    thread.on('message', receive).on('exit', gone);
    thread.postMessage(request);
  });

/** @param {boolean} last */
async function report(last) {
  const readers = [probe.report(), ...(await askThread(last ? 'stop' : 'report'))];
  tell({ type: 'report', readers, boardVisible: boardVisible.all() });
}

/** @param {FromWorker} message */
function tell(message) {
  // The primary may be gone meanwhile; then this process ends too.
  if (process.connected) process.send?.(message, () => {});
}

let serving = false;
/** @type {NodeJS.Timeout | undefined} */
let reports;

process.on('message', (/** @type {ToWorker} */ request) => {
  if (request === 'begin') {
    probe.begin();
    boardVisible.clear();
    thread.postMessage('begin');
    reports ??= setInterval(() => void report(false), 500);
    return;
  }
  void stop();
});

async function stop() {
  // Stopped while it started: there is nothing to finish or to report.
  if (!serving) process.exit();
  clearInterval(reports);
  inspect.close();
  server.close();
  server.closeAllConnections();
  await report(true);
  await bg.shutdown({ timeout: 2 });
  await thread.terminate();
  cluster.worker?.disconnect();
}

await Promise.all([
  probe.cities.ready(30),
  new Promise((resolve, reject) => {
    thread.once('message', resolve).once('error', reject);
  }),
]);
await new Promise((resolve) => {
  server.listen({ port: Number(process.env['PORT']), host: process.env['HOST'] }, () => resolve(undefined));
});
serving = true;
tell({ type: 'ready' });
