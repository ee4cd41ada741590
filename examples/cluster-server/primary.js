// @ts-check
/** The primary: registers the writer, starts the workers and the load, and stops all of them. */
import { bg } from 'advanced-caching';
import { joinInspector } from 'advanced-caching/inspector';
import { firstMessage, startProcess, startWorker, stopAll, stopProcess } from './children.js';
import { choosePort, makeStage } from './stage.js';
import { State } from './state.js';
import { describe, judge, liveLine } from './summary.js';
import { INTERVAL, writeCities } from './write-cities.js';

/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/**
 * @param {Options} options
 * @returns {Promise<number>} the exit code
 */
export async function runDemo(options) {
  const state = new State();
  const stop = new AbortController();
  // A terminal sends SIGINT to all processes of the group, and npm passes it on: it may come more than once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop.abort());
  // Whoever read the output has gone, as in `npm run demo | head`.
  process.stdout.on('error', () => stop.abort());
  makeStage();
  try {
    const port = await choosePort(options.port, options.host);
    const other = options.kill ? startProcess('./other-writer.js') : undefined;
    if (other) await unlessStopped(firstMessage(other, 'ready'), stop.signal);

    if (!stop.signal.aborted) {
      joinInspector({ name: 'primary' });
      // The main job, first half. The other half is `bg.read('cities')`, in probe.js.
      writeCities((error) => {
        state.errors.push(error);
        console.error(`A refresh failed: ${error.message}`);
      });
      bg.write('250ms', { key: 'board', scope: 'host' })(() => state.board());
      const address = await unlessStopped(startWorkers(options, port, state, stop.signal), stop.signal);
      if (address !== undefined) await run(options, address, other, state, stop);
    }
    await stopAll();
    state.lookForTakeover();
    if (state.load === undefined) {
      console.log('Stopped before it had started.');
      return 0;
    }
    const verdict = judge(state, options);
    console.log(describe(state, verdict));
    if (options.json) console.log(JSON.stringify({ demo: verdict }));
    return verdict.faults.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    stop.abort();
    await stopAll();
    await bg.shutdown({ timeout: 2 });
  }
}

/**
 * @template T
 * @param {Promise<T>} work
 * @param {AbortSignal} signal
 * @returns {Promise<T | undefined>}
 */
function unlessStopped(work, signal) {
  return Promise.race([
    work,
    new Promise((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    }),
  ]);
}

/**
 * Starts all workers, and another one for each that ends on its own.
 *
 * @param {Options} options
 * @param {number} port
 * @param {State} state
 * @param {AbortSignal} stop
 * @returns {Promise<number>} the port, when all of them serve
 */
async function startWorkers(options, port, state, stop) {
  let listening = port;
  const startOne = async () => {
    const worker = startWorker({ PORT: String(port), HOST: options.host });
    worker.once('listening', (address) => {
      listening = address.port;
    });
    worker.on('message', (/** @type {import('./worker.js').FromWorker} */ message) => {
      if (message.type === 'report') state.workers.set(worker.id, { worker: worker.id, ...message });
    });
    await firstMessage(worker.process, 'ready');
    worker.once('exit', (code, signal) => {
      if (stop.aborted || signal === 'SIGINT') return;
      state.lose(worker.id);
      console.error(`Worker ${worker.id} ended (${signal ?? code}); another one starts`);
      startOne().catch((error) => console.error(String(error)));
    });
    worker.send('begin');
  };
  await Promise.all(Array.from({ length: options.workers }, startOne));
  return listening;
}

/**
 * Drives the load and tells how it goes, until the time is over or somebody stops it.
 *
 * @param {Options} options
 * @param {number} port
 * @param {ChildProcess | undefined} other the process to kill
 * @param {State} state
 * @param {AbortController} stop
 */
async function run({ seconds, host, workers }, port, other, state, stop) {
  const anywhere = host === '0.0.0.0' || host === '::';
  const load = startProcess('./load.js', {
    PORT: String(port),
    HOST: anywhere ? '127.0.0.1' : host,
    // Left alone, the demo shouldn't heat your laptop.
    DEMO_PAUSE: seconds === undefined ? '5' : '0',
  });
  load.on('message', (message) => {
    ({ load: state.load } = /** @type {{ load: import('./load.js').LoadReport }} */ (message));
  });
  await unlessStopped(firstMessage(load, 'load'), stop.signal);
  state.begun = performance.now();
  const url = `http://${anywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host}:${port}/`;
  const end = seconds === undefined ? 'Ctrl-C ends it' : `it ends after ${seconds} s`;
  console.log(`${url}  ${workers} workers with a thread each, a new version every ${INTERVAL}; ${end}`);

  const timers = [
    setInterval(() => console.log(liveLine(state.board())), 2000),
    setInterval(() => {
      state.lookForTakeover();
      if (seconds !== undefined && state.seconds >= seconds && !state.waitsForTakeover) stop.abort();
    }, 100),
    setTimeout(() => other && killWriter(other, state), seconds === undefined ? 10_000 : seconds * 400),
  ];
  await unlessStopped(new Promise(() => {}), stop.signal);
  for (const timer of timers) clearTimeout(timer);
  // The load first, so that no request is cut off.
  await stopProcess(load);
}

/**
 * @param {ChildProcess} other
 * @param {State} state
 */
function killWriter(other, state) {
  console.log(`Killing the process that writes, ${other.pid}, with SIGKILL`);
  state.kill = { pid: other.pid ?? 0, killedAt: Date.now(), tookOver: undefined };
  other.kill('SIGKILL');
}
