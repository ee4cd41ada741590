// @ts-check
/** One process of the soak: writes or reads, checks what it reads, and says what it holds. */
import { readdirSync } from 'node:fs';
import { Socket } from 'node:net';
import v8 from 'node:v8';
import { Redis } from 'ioredis';
import { bg, RedisCache } from '../../dist/index.js';

const [role, port] = process.argv.slice(2);
const client = new Redis({ port: Number(port), maxRetriesPerRequest: 0, retryStrategy: (times) => Math.min(times * 50, 500) });
client.on('error', () => {});
const store = new RedisCache(client, { prefix: 'soak:' });
/** @type {string[]} */
const faults = [];
process.on('unhandledRejection', (reason) => faults.push(`unhandled rejection: ${String(reason)}`));
process.on('warning', ({ name, message }) => {
  // Of what this script itself uses.
  if (name !== 'ExperimentalWarning') faults.push(`warning: ${message}`);
});
process.on('uncaughtException', (error) => faults.push(`uncaught: ${error.stack}`));
const onError = () => {};

if (role === 'writer') {
  let count = 0;
  const text = 'x'.repeat(20_000);
  bg.write('100ms', { key: 'soak', scope: 'fleet', store, lease: '2s', onError })(() => {
    count += 1;
    return { pid: process.pid, count, again: `${process.pid}:${count}`, text };
  });
}
/** @type {import('../../dist/index.js').Mirror<any>} */
const mirror = bg.read('soak', { ...(role === 'storeless' ? {} : { store, interval: '1s' }), onError });
const seen = { epoch: 0, version: 0, versions: 0 };
setInterval(() => {
  const value = mirror();
  const { epoch, version } = mirror.status();
  if (value === undefined || mirror() !== value) return;
  if (value.again !== `${value.pid}:${value.count}` || value.text.length !== 20_000) faults.push('a torn value');
  if (epoch < seen.epoch || (epoch === seen.epoch && version < seen.version))
    faults.push(`back to ${epoch}/${version} from ${seen.epoch}/${seen.version}`);
  if (epoch !== seen.epoch || version !== seen.version) seen.versions += 1;
  Object.assign(seen, { epoch, version });
}, 5).unref();

const Timeout = setTimeout(() => {}, 0).constructor;
/** How many live objects of a class there are, garbage excluded. */
const alive = (/** @type {unknown} */ of) => /** @type {any} */ (v8).queryObjects(of, { format: 'count' });

function report() {
  /** @type {any} */ (globalThis).gc();
  const { rss, heapUsed } = process.memoryUsage();
  const listeners = client.eventNames().reduce((sum, name) => sum + client.listenerCount(name), 0);
  const own = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  return {
    rss: rss / 1e6,
    heap: heapUsed / 1e6,
    fds: readdirSync('/proc/self/fd').length,
    timers: alive(Timeout),
    sockets: alive(Socket),
    listeners: listeners + own,
    versions: seen.versions,
    epoch: seen.epoch,
    version: seen.version,
    state: mirror.status().state,
    faults,
  };
}

process.on('message', (message) => void obey(message));

/** @param {unknown} message */
async function obey(message) {
  if (message === 'report') {
    process.send?.(report());
    return;
  }
  await bg.shutdown({ timeout: 2 });
  client.disconnect();
  process.disconnect();
}
