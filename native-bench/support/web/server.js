// @ts-check
/** A server under node:cluster: each worker answers one record of the value; the primary refreshes it, in one of the ways of `../mirrors`. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { loadStrategy } from '../mirrors/strategy.js';
import { makeValue } from '../mirrors/value.js';

/**
 * @typedef {import('../mirrors/strategy.js').Place & { file: string, strategy: string, bytes: number, workers: number, refreshes: boolean }} Site
 */

/** @type {Site} */
const site = JSON.parse(process.env['BENCH_SITE'] ?? '');
const strategy = await loadStrategy(site.file, site.strategy);
if (cluster.isPrimary) await primary();
else await worker();

async function primary() {
  process.on('disconnect', () => process.exit());
  const value = makeValue(site.bytes);
  /** @type {import('node:child_process').ChildProcess[]} */
  const peers = [];
  const writer = await strategy.writer({ ...site, peers });
  let port = 0;
  cluster.on('listening', (_, address) => {
    port = address.port;
  });
  /** @type {Promise<unknown>[]} */
  const served = [];
  for (let i = 0; i < site.workers; i++) {
    const each = cluster.fork();
    peers.push(each.process);
    served.push(new Promise((resolve) => each.on('message', (message) => message === 'has it' && resolve(undefined))));
    await once(each, 'message');
  }
  const publish = async () => {
    value.n += 1;
    value.at = Date.now();
    // One record of a hundred changes with each refresh.
    for (let i = value.n % 100; i < value.items.length; i += 100) Object.assign(value.items[i] ?? {}, { price: value.n + i });
    await writer.publish(value);
  };
  await publish();
  await Promise.all(served);
  process.send?.({ port });
  if (!site.refreshes) return;
  for (;;) {
    const begin = performance.now();
    await publish();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, site.period - (performance.now() - begin))));
  }
}

async function worker() {
  /** @type {(value: import('../mirrors/value.js').Value) => void} */
  let listener = () => {};
  process.on('message', (/** @type {any} */ message) => {
    if (message.value !== undefined) listener(message.value);
  });
  let first = true;
  const reader = await strategy.reader({
    ...site,
    seen: () => {
      if (first) process.send?.('has it');
      first = false;
    },
    received: (each) => {
      listener = each;
    },
  });
  let i = 0;
  const server = createServer((_, response) => {
    i += 1;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(reader.record ? reader.record(i) : recordOf(reader.read(), i)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.('ready');
}

/** @param {unknown} value @param {number} i */
function recordOf(value, i) {
  const { items } = /** @type {import('../mirrors/value.js').Value} */ (value);
  return items[i % items.length];
}
