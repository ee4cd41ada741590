// @ts-check
/** What the primary knows of all the others. */
import { INTERVAL } from './write-cities.js';

/** @typedef {import('./probe.js').ReaderReport} ReaderReport */
/** @typedef {import('./load.js').LoadReport} LoadReport */
/** @typedef {{ worker: number, readers: ReaderReport[], boardVisible: number[], gone?: boolean }} WorkerState `gone`: it has ended on its own */
/** @typedef {{ pid: number, killedAt: number, tookOver: number | undefined }} Kill `tookOver`: milliseconds until a reader had the next writer's value */

/** @typedef {Omit<ReaderReport, 'visible' | 'firstSeenFrom'> & { worker: number }} BoardReader */
/**
 * What `/status` answers and the page shows.
 *
 * @typedef {object} Board
 * @property {string} interval
 * @property {number} seconds
 * @property {LoadReport | undefined} load
 * @property {BoardReader[]} readers
 * @property {Kill | undefined} kill
 */

/** The end waits for a takeover, but not for ever (milliseconds). */
const TAKEOVER_LIMIT = 10_000;

export class State {
  /** @type {Map<number, WorkerState>} */
  workers = new Map();
  /** @type {LoadReport | undefined} */
  load;
  /** @type {Kill | undefined} */
  kill;
  /** @type {Error[]} failed refreshes */
  errors = [];
  begun = performance.now();

  get seconds() {
    return (performance.now() - this.begun) / 1000;
  }

  /** @param {number} id of a worker that has ended on its own */
  lose(id) {
    this.workers.set(id, { worker: id, readers: [], boardVisible: [], ...this.workers.get(id), gone: true });
  }

  /** @returns {Board} */
  board() {
    const running = [...this.workers.values()].filter(({ gone }) => !gone);
    const readers = running.flatMap(({ worker, readers: own }) =>
      // The samples are for the summary alone.
      own.map(({ visible: _visible, firstSeenFrom: _seen, ...reader }) => ({ worker, ...reader })),
    );
    return { interval: INTERVAL, seconds: this.seconds, load: this.load, readers, kill: this.kill };
  }

  get waitsForTakeover() {
    const { kill } = this;
    return kill !== undefined && kill.tookOver === undefined && Date.now() - kill.killedAt < TAKEOVER_LIMIT;
  }

  /** Looks whether a reader has a value by now that was made after the kill, and not by the process that was killed. */
  lookForTakeover() {
    const { kill } = this;
    if (!kill || kill.tookOver !== undefined) return;
    const firsts = [...this.workers.values()]
      .flatMap(({ readers }) => readers.flatMap(({ firstSeenFrom }) => Object.entries(firstSeenFrom)))
      .filter(([pid, at]) => Number(pid) !== kill.pid && at >= kill.killedAt)
      .map(([, at]) => at);
    if (firsts.length > 0) kill.tookOver = Math.min(...firsts) - kill.killedAt;
  }
}
