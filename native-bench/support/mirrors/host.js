// @ts-check
/** One run, in a process of its own: the writer, and its readers beside it. Answers what they reported. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { memory, processorTime } from './measures.js';
import { loadStrategy } from './strategy.js';
import { makeValue, now } from './value.js';

/**
 * @typedef {import('./strategy.js').Place & { file: string, strategy: string, bytes: number, readers: number, publishes: number, limit: number }} Run
 * `limit`: seconds after which a value that a reader hasn't got counts as missed
 * @typedef {{ took: number[], slowest: number[], stalls: number[], missed: number, cpu: number, seconds: number, read: number, memory: number }} Outcome
 * `took`: of each reader and publish; `slowest`: of the last reader of each publish; `cpu`: seconds in all; `memory`: bytes a further reader
 */

const READER = fileURLToPath(new URL('reader.js', import.meta.url));
const WARM_UPS = 2;

// Who started it is gone: nobody waits for an answer.
process.on('disconnect', () => process.exit());

/** @type {Run} */
const run = JSON.parse(process.argv[2] ?? '');
const strategy = await loadStrategy(run.file, run.strategy);
const value = makeValue(run.bytes);
/** @type {import('./strategy.js').Peer[]} */
const peers = [];
const redis = strategy.needs === 'redis' ? new (await import('ioredis')).Redis(String(run.redis)) : undefined;

/** @type {((peer: import('./strategy.js').Peer, report: import('./reader.js').Report) => void) | undefined} */
let listener;

async function addReader() {
  const { file, strategy: name, kind, directory, redis: socket, period } = run;
  const spec = { file, strategy: name, kind, directory, redis: socket, period };
  const peer = kind === 'threads' ? new Worker(READER, { workerData: spec }) : fork(READER, [JSON.stringify(spec)]);
  await once(peer, 'message');
  peer.on('message', (report) => listener?.(peer, report));
  peers.push(peer);
}

/** @param {import('./strategy.js').Peer} peer @param {'memory' | 'cpu' | 'read' | 'stop'} what @returns {Promise<number>} */
function ask(peer, what) {
  return new Promise((resolve) => {
    listener = (_, report) => {
      if ('figure' in report) resolve(report.figure);
      if (report.told === 'stopped') resolve(0);
    };
    if ('postMessage' in peer) peer.postMessage({ ask: what });
    else peer.send({ ask: what });
  });
}

/** @param {'memory' | 'cpu'} what @returns {Promise<number>} of all readers together */
async function sum(what) {
  let total = 0;
  for (const peer of peers) total += await ask(peer, what);
  return total;
}

async function allMemory() {
  return memory() + (await sum('memory'));
}

async function allProcessorTime() {
  let seconds = processorTime() + (await sum('cpu'));
  if (redis) {
    const info = await redis.info('cpu');
    for (const name of ['used_cpu_sys', 'used_cpu_user']) seconds += Number(new RegExp(`^${name}:(.*)`, 'm').exec(info)?.[1]);
  }
  return seconds;
}

/** @type {Outcome} */
const outcome = { took: [], slowest: [], stalls: [], missed: 0, cpu: 0, seconds: 0, read: 0, memory: 0 };

/** @param {import('./strategy.js').Writer} writer @param {boolean} counts */
async function publish(writer, counts) {
  value.n += 1;
  const { n } = value;
  /** @type {number[]} */
  const took = [];
  /** @type {number[]} */
  const stalls = [];
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, run.limit * 1000);
    listener = (_, report) => {
      if (report.told !== 'seen' || report.n !== n) return;
      took.push(report.took);
      stalls.push(report.stall);
      if (took.length < peers.length) return;
      clearTimeout(timer);
      resolve(undefined);
    };
    value.at = now();
    void Promise.resolve(writer.publish(value)).then(() => {
      if (strategy.name === 'none') resolve(undefined);
    });
  });
  if (!counts) return;
  outcome.missed += peers.length - took.length;
  outcome.took.push(...took);
  outcome.slowest.push(Math.max(...took));
  outcome.stalls.push(Math.max(...stalls));
}

/** Between two publishes: no fixed beat, which readers that poll could fall in step with. */
const pause = () => new Promise((resolve) => setTimeout(resolve, run.period * (0.5 + Math.random())));

// Before its readers, as it should be: a mirror that finds no writer in its process looks on the host.
const writer = await strategy.writer({ ...run, peers });
await addReader();
for (let i = 0; i < WARM_UPS; i++) await publish(writer, false);
const alone = await allMemory();
while (peers.length < run.readers) await addReader();
for (let i = 0; i < WARM_UPS; i++) await publish(writer, false);
if (run.readers > 1) outcome.memory = ((await allMemory()) - alone) / (run.readers - 1);

const cpu = await allProcessorTime();
const begin = now();
for (let i = 0; i < run.publishes; i++) {
  await publish(writer, true);
  await pause();
}
outcome.cpu = (await allProcessorTime()) - cpu;
outcome.seconds = (now() - begin) / 1000;
const [first] = peers;
if (first) outcome.read = await ask(first, 'read');

for (const peer of peers) await ask(peer, 'stop');
await writer.stop();
redis?.disconnect();
process.send?.(outcome, () => process.exit());
