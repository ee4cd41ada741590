// @ts-check
/** What the primary knows of all the others. */
import { INTERVAL } from './write-cities.js';

/** @typedef {import('./probe.js').ReaderReport} ReaderReport */
/** @typedef {import('./load.js').LoadReport} LoadReport */
/** @typedef {{ worker: number, readers: ReaderReport[], boardVisible: number[] }} WorkerState */
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

export class State {
  /** @type {Map<number, WorkerState>} */
  workers = new Map();
  /** @type {LoadReport | undefined} */
  load;
  /** @type {Kill | undefined} */
  kill;
  /** @type {Error[]} failed refreshes */
  errors = [];
  /** Workers that ended on their own. */
  lost = 0;
  begun = performance.now();

  get seconds() {
    return (performance.now() - this.begun) / 1000;
  }

  /** @returns {Board} */
  board() {
    const readers = [...this.workers.values()].flatMap(({ worker, readers: own }) =>
      // The samples are for the summary alone.
      own.map(({ visible: _visible, firstSeenFrom: _seen, ...reader }) => ({ worker, ...reader })),
    );
    return { interval: INTERVAL, seconds: this.seconds, load: this.load, readers, kill: this.kill };
  }

  /** Whether a reader has a value by now that was made after the kill, and not by the process that was killed. */
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
