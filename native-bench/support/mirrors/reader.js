// @ts-check
/** A reader, as a thread or as a process: follows the value, and reports when it had it and for how long its event loop stood still. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { memory, processorTime } from './measures.js';
import { loadStrategy } from './strategy.js';
import { now } from './value.js';

/**
 * @typedef {import('./strategy.js').Place & { file: string, strategy: string }} Spec
 * @typedef {{ told: 'ready' } | { told: 'seen', n: number, took: number, stall: number } | { told: 'memory' | 'cpu' | 'read', figure: number } | { told: 'stopped' }} Report
 */

const RESOLUTION = 1;
/** Milliseconds after a value: what follows from it on the event loop has shown by then. */
const AFTER = 15;

/** @type {Spec} */
const spec = isMainThread ? JSON.parse(process.argv[2] ?? '') : workerData;
/** @param {Report} report */
const tell = (report) => void (parentPort ? parentPort.postMessage(report) : process.send?.(report));

const loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION });
loopDelay.enable();

/** @param {import('./value.js').Value} value */
function seen({ at, n }) {
  const took = now() - at;
  setTimeout(() => {
    tell({ told: 'seen', n, took, stall: Math.max(0, loopDelay.max / 1e6 - RESOLUTION) });
    loopDelay.reset();
  }, AFTER);
}

/** @type {Set<(value: import('./value.js').Value) => void>} */
const listeners = new Set();

/** Nanoseconds of a read: the median of blocks, of a value that doesn't change meanwhile. */
function readCost() {
  const { read } = reader;
  const blocks = [];
  let calls = 1;
  const end = now() + 150;
  let sum = 0;
  while (now() < end || blocks.length === 0) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) if (read()) sum++;
    const spent = Number(process.hrtime.bigint() - begin);
    blocks.push(spent / calls);
    if (spent < 2e6) calls *= 4;
  }
  // There is no value: nothing was measured.
  if (sum === 0) return Number.NaN;
  // The first blocks are of code that isn't optimized yet.
  const late = blocks.slice(blocks.length >> 1).sort((a, b) => a - b);
  return late[late.length >> 1] ?? Number.NaN;
}

/** @param {any} message */
async function obey(message) {
  if (message.value !== undefined) for (const listener of listeners) listener(message.value);
  if (message.ask === 'memory') tell({ told: 'memory', figure: isMainThread ? memory() : 0 });
  if (message.ask === 'cpu') {
    // Asked right before the publishes that count.
    loopDelay.reset();
    tell({ told: 'cpu', figure: isMainThread ? processorTime() : 0 });
  }
  if (message.ask === 'read') tell({ told: 'read', figure: readCost() });
  if (message.ask === 'stop') {
    await reader.stop();
    tell({ told: 'stopped' });
  }
}

if (parentPort) parentPort.on('message', (message) => void obey(message));
else {
  process.on('message', (message) => void obey(message));
  process.on('disconnect', () => process.exit());
}
const strategy = await loadStrategy(spec.file, spec.strategy);
// Nothing is asked before it is ready; a value may come.
const reader = await strategy.reader({ ...spec, seen, received: (listener) => void listeners.add(listener) });
tell({ told: 'ready' });
