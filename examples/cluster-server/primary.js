// @ts-check
/** The primary: registers the writer, starts the workers and the load, and knows how all of them are doing. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { bg } from 'advanced-caching';
import { firstMessage, startProcess, startWorker, stopAll, stopProcess } from './children.js';
import { choosePort, makeStage } from './stage.js';
import { describe, judge, liveLine } from './summary.js';
import { INTERVAL, writeCities } from './write-cities.js';

/** @typedef {import('./probe.js').ReaderReport} ReaderReport */
/** @typedef {import('./load.js').LoadReport} LoadReport */
/** @typedef {Omit<ReaderReport, 'visible' | 'firstSeenFrom'> & { worker: number }} BoardReader */
/** @typedef {{ pid: number, killedAt: number, tookOver: number | undefined }} Kill `tookOver`: milliseconds until a reader had the next writer's value */
/** @typedef {{ interval: string, seconds: number, primary: number, load: LoadReport | undefined, readers: BoardReader[], kill: Kill | undefined }} Board */
/** @typedef {{ worker: number, readers: ReaderReport[], boardVisible: number[] }} WorkerState */

/**
 * @param {import('./options.js').Options} options
 * @returns {Promise<number>} the exit code
 */
export async function runDemo(options) {
  /** @type {Map<number, WorkerState>} */
  const workers = new Map();
  /** @type {LoadReport | undefined} */
  let load;
  /** @type {Kill | undefined} */
  let kill;
  let lost = 0;
  let stopping = false;
  let begun = performance.now();
  /** @type {Error[]} */
  const errors = [];

  const stopped = new Promise((resolve) => {
    const stop = () => {
      stopping = true;
      resolve(undefined);
    };
    // A terminal sends SIGINT to all processes of the group, and npm passes it on: this may come more than once.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  });

  /** @returns {Board} */
  const board = () => ({
    interval: INTERVAL,
    seconds: (performance.now() - begun) / 1000,
    primary: process.pid,
    load,
    readers: [...workers.values()].flatMap(({ worker, readers }) =>
      readers.map(({ visible: _visible, firstSeenFrom: _seen, ...reader }) => ({ worker, ...reader })),
    ),
    kill,
  });

  const removeStage = makeStage();
  try {
    const port = await choosePort(options.port, options.host);
    const other = options.kill ? startProcess('./other-writer.js') : undefined;
    if (other) await Promise.race([firstMessage(other, 'ready'), stopped]);

    // The main job, first half. The other half is `bg.read('cities')`, in probe.js.
    const writer = writeCities((error) => {
      errors.push(error);
      console.error(`A refresh failed: ${error.message}`);
    });
    bg.write('250ms', { key: 'board', scope: 'host' })(board);

    const startOne = () => {
      const worker = startWorker({ PORT: String(port), HOST: options.host });
      worker.on('message', (/** @type {import('./worker.js').FromWorker} */ message) => {
        if (message.type === 'report') workers.set(worker.id, { worker: worker.id, ...message });
      });
      worker.once('exit', (code, signal) => {
        if (stopping || signal === 'SIGINT' || signal === 'SIGTERM') return;
        lost += 1;
        console.error(`Worker ${worker.id} ended (${signal ?? code}); another one starts`);
        const next = startOne();
        firstMessage(next.process, 'ready').then(() => next.send('begin')).catch(() => {});
      });
      return worker;
    };
    /** @type {Promise<[unknown, import('node:cluster').Address]>} */
    const listening = /** @type {never} */ (once(cluster, 'listening'));
    const all = Array.from({ length: options.workers }, startOne);
    await Promise.race([Promise.all(all.map((worker) => firstMessage(worker.process, 'ready'))), stopped]);

    if (!stopping) {
      const [, address] = await listening;
      const url = `http://${options.host === '0.0.0.0' ? 'localhost' : options.host}:${address.port}/`;
      const loader = startProcess('./load.js', {
        PORT: String(address.port),
        HOST: options.host === '0.0.0.0' ? '127.0.0.1' : options.host,
        DEMO_PAUSE: options.seconds === undefined ? '5' : '0',
      });
      loader.on('message', (message) => {
        ({ load } = /** @type {{ load: LoadReport }} */ (message));
      });
      await Promise.race([firstMessage(loader, 'load'), stopped]);
      for (const worker of all) if (worker.isConnected()) worker.send('begin');
      begun = performance.now();
      const how = `${options.workers} workers with a thread each, ${writer.status().version} versions so far, a new one every ${INTERVAL}`;
      console.log(`${url}  (${how}${options.seconds === undefined ? '; Ctrl-C ends it' : ''})`);

      const lines = setInterval(() => console.log(liveLine(board())), 2000);
      const killing = setTimeout(
        () => {
          if (!other) return;
          console.log(`Killing the process that writes, ${other.pid}, with SIGKILL`);
          kill = { pid: other.pid ?? 0, killedAt: Date.now(), tookOver: undefined };
          other.kill('SIGKILL');
        },
        options.seconds === undefined ? 10_000 : options.seconds * 400,
      );
      const watching = setInterval(() => {
        if (kill) kill.tookOver ??= takenOver(kill, [...workers.values()]);
      }, 100);
      const ending = options.seconds === undefined ? undefined : setTimeout(() => process.emit('SIGTERM'), options.seconds * 1000);
      await stopped;
      for (const timer of [lines, watching, killing]) clearInterval(timer);
      clearTimeout(ending);
      // First the load, so that no request is cut off.
      await stopProcess(loader);
    }

    await stopAll();
    if (kill) kill.tookOver ??= takenOver(kill, [...workers.values()]);
    await bg.shutdown({ timeout: 2 });

    const facts = { seconds: (performance.now() - begun) / 1000, load, kill, lost, errors, workers: [...workers.values()] };
    const verdict = judge(facts, options);
    console.log(describe(facts, verdict));
    if (options.json) console.log(JSON.stringify({ demo: verdict }));
    return verdict.faults.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    stopping = true;
    await stopAll();
    await bg.shutdown({ timeout: 2 });
    removeStage();
  }
}

/**
 * Milliseconds from the kill until the first reader had a value of the next writer.
 *
 * @param {Kill} kill
 * @param {WorkerState[]} workers
 * @returns {number | undefined} not yet
 */
function takenOver({ pid, killedAt }, workers) {
  const seen = workers.flatMap(({ readers }) =>
    readers.flatMap(({ firstSeenFrom }) => Object.entries(firstSeenFrom).map(([from, at]) => ({ from: Number(from), at }))),
  );
  const first = seen.filter(({ from, at }) => from !== pid && at >= killedAt).map(({ at }) => at);
  return first.length === 0 ? undefined : Math.min(...first) - killedAt;
}
