// @ts-check
/**
 * The load, in a process of its own: so many clients, each with one connection that is kept. A connection stays with one worker,
 * so what a client is told may never become older from one answer to the next.
 */
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { bg } from 'advanced-caching';
import { sampleCities } from './cities.js';
import { createSamples, percentile } from './samples.js';

/**
 * @typedef {object} LoadReport
 * @property {number} requests
 * @property {number} requestsPerSecond of the last period
 * @property {number} averagePerSecond
 * @property {number} errors
 * @property {number} backward answers that were older than the one before on the same connection
 * @property {number} p50 milliseconds
 * @property {number} p99
 * @property {string} lastError
 */

const CLIENTS = 16;
/** Milliseconds that each client waits after an answer. */
const pause = Number(process.env['DEMO_PAUSE']);
const port = Number(process.env['PORT']);
const host = process.env['HOST'] ?? '127.0.0.1';

process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());
/** @type {() => unknown} */
let stop = () => process.exit();
process.on('message', () => void stop());

/** @type {import('advanced-caching').KeyedMirror<import('./cities.js').City | import('./cities.js').About>} */
const cities = bg.read.keyed('cities');
const paths = sampleCities(await cities.ready(30), 2000).map(({ country, name }) => `/cities/${country}/${encodeURIComponent(name)}`);
await bg.shutdown();

const latencies = createSamples();
let [requests, errors, backward, running, lastError] = [0, 0, 0, true, ''];
const begun = performance.now();
let reported = { requests: 0, at: begun };

/**
 * @param {Agent} agent
 * @param {string} path
 * @returns {Promise<{ version: number }>}
 */
const fetchJson = (agent, path) =>
  new Promise((resolve, reject) => {
    const request = get({ host, port, path, agent, timeout: 10_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(body));
        else reject(new Error(`${path}: ${response.statusCode} ${body}`));
      });
    });
    request.on('error', reject).on('timeout', () => request.destroy(new Error(`${path}: no answer within 10 s`)));
  });

/** @param {number} client */
async function runClient(client) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let version = 0;
  for (let turn = client; running; turn += CLIENTS) {
    const sent = performance.now();
    try {
      const answer = await fetchJson(agent, String(paths[turn % paths.length]));
      if (answer.version < version) backward += 1;
      ({ version } = answer);
      requests += 1;
      latencies.add(performance.now() - sent);
    } catch (error) {
      if (!running) break;
      errors += 1;
      lastError = String(error);
      // The connection was lost: the next one may be another worker's.
      version = 0;
      await delay(50);
    }
    if (pause > 0) await delay(pause);
  }
  agent.destroy();
}

/** @returns {LoadReport} */
function makeReport() {
  const now = performance.now();
  const requestsPerSecond = Math.round(((requests - reported.requests) * 1000) / Math.max(1, now - reported.at));
  reported = { requests, at: now };
  const averagePerSecond = Math.round((requests * 1000) / (now - begun));
  const all = latencies.all();
  return { requests, requestsPerSecond, averagePerSecond, errors, backward, p50: percentile(all, 50), p99: percentile(all, 99), lastError };
}

const reports = setInterval(() => process.connected && process.send?.({ type: 'load', load: makeReport() }, () => {}), 500);
const clients = Promise.all(Array.from({ length: CLIENTS }, (_, client) => runClient(client)));

stop = async () => {
  clearInterval(reports);
  running = false;
  await clients;
  process.send?.({ type: 'load', load: makeReport() }, () => process.disconnect());
};
