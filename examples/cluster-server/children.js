// @ts-check
/** The processes beside the primary: how they are started and how they all end, whatever happens. */
import cluster from 'node:cluster';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** After being asked to, a child has so long (milliseconds) to end. */
const PATIENCE = 4000;

/** @type {Set<ChildProcess>} */
const running = new Set();

/**
 * @param {string} file beside this one
 * @param {Record<string, string>} [env]
 */
export function startProcess(file, env = {}) {
  return watch(fork(fileURLToPath(new URL(file, import.meta.url)), { env: { ...process.env, ...env } }));
}

/** @param {Record<string, string>} env */
export function startWorker(env) {
  cluster.setupPrimary({ exec: fileURLToPath(new URL('./worker.js', import.meta.url)), args: [] });
  const worker = cluster.fork(env);
  watch(worker.process);
  return worker;
}

/** @param {ChildProcess} child */
function watch(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  // A message to a child that has just died: its `exit` says so.
  child.on('error', () => {});
  return child;
}

/**
 * The first message of that type.
 *
 * @param {ChildProcess} child
 * @param {string} type
 * @returns {Promise<void>} rejects when the child ends without it
 */
export function firstMessage(child, type) {
  return new Promise((resolve, reject) => {
    const look = (/** @type {unknown} */ message) => {
      if (/** @type {{ type?: unknown }} */ (message).type !== type) return;
      child.off('message', look).off('exit', fail);
      resolve();
    };
    const fail = (/** @type {number | null} */ code, /** @type {string | null} */ signal) => {
      // A Ctrl-C that came before the child was there to ignore it: the primary has got it too.
      if (signal !== 'SIGINT') reject(new Error(`A process ended (${signal ?? code}) before it was ready`));
    };
    child.on('message', look).once('exit', fail);
  });
}

/**
 * Asks a child to end, and kills one that doesn't.
 *
 * @param {ChildProcess} child
 * @returns {Promise<void>} resolves when it has ended
 */
export function stopProcess(child) {
  return new Promise((resolve) => {
    if (!running.has(child)) return resolve();
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    if (child.connected) child.send('stop', () => {});
  });
}

export const stopAll = () => Promise.all([...running].map(stopProcess));
