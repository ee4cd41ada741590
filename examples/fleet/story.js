// @ts-check
/** What every web worker saw: told as it happens, checked, and judged at the end. */
import { setTimeout as delay } from 'node:timers/promises';

/** @typedef {import('./web.js').Message} Message */

/**
 * What is known of a reader.
 *
 * @typedef {{ state: string, epoch: number, version: number, round: number, writer: string, from: string, port: number }} Reader
 */

export class Story {
  #start = performance.now();
  /** @type {Map<string, Reader>} */
  #readers = new Map();
  /** Who has each version, and after how many milliseconds. @type {Map<string, Map<string, number>>} */
  #seen = new Map();
  #requests = { answered: 0, failed: 0 };
  #versions = 0;
  /** @type {string[]} */
  #faults = [];
  #faultAt = 0;
  #isOver = false;

  /** @param {string} name of a reader that will come */
  expect(name) {
    this.#readers.set(name, { state: 'not there', epoch: 0, version: 0, round: 0, writer: '', from: '', port: 0 });
    void this.#visit(name);
  }

  /**
   * @param {string} name
   * @param {Message} message
   */
  heard(name, { state, port, epoch, version, prices, isWhole, after, age }) {
    const reader = /** @type {Reader} */ (this.#readers.get(name));
    if (port) reader.port = port;
    if (state !== reader.state)
      this.#tell(`${name} is ${state}${state === 'interrupted' ? `: serves the value of ${age.toFixed(1)} s ago` : ''}`);
    reader.state = state;
    if (!prices) return;
    if (epoch < reader.epoch || (epoch === reader.epoch && version < reader.version)) this.fail(`${name} went back to version ${version}`);
    if (!isWhole) this.fail(`${name} read a value that is not whole`);
    Object.assign(reader, { epoch, version, round: prices.round, writer: prices.writer, from: prices.host });
    const id = `${epoch}/${version}`;
    const seen = this.#seen.get(id) ?? new Map();
    this.#seen.set(id, seen.set(name, after));
    this.#versions += 1;
    if (seen.size === this.#readers.size) {
      const times = [...seen].map(([who, ms]) => `${who} ${Math.max(0, ms).toFixed(0)}`).join(', ');
      this.#tell(`round ${prices.round} by ${prices.writer} is version ${version} for everybody, after (ms) ${times}`);
      this.#seen.clear();
    }
  }

  /** Who wrote what was seen last. */
  writer() {
    return [...this.#readers.values()].toSorted((x, y) => y.epoch - x.epoch || y.version - x.version)[0]?.writer;
  }

  /** @param {string} what */
  fault(what) {
    this.#faultAt = performance.now();
    this.#tell(`--- ${what}`);
  }

  /** @param {number} count */
  async seconds(count) {
    await delay(count * 1000);
  }

  /** Every reader has a value. @param {string} what @param {number} limit */
  async all(what, limit) {
    await this.#wait(what, limit, ({ version, state }) => version > 0 && state === 'live');
  }

  /** Every reader has a value newer than now. @param {string} what @param {number} limit */
  async newer(what, limit) {
    const before = new Map([...this.#readers].map(([name, { epoch, version }]) => [name, { epoch, version }]));
    await this.#wait(what, limit, ({ epoch, version, state }, name) => {
      const then = /** @type {{ epoch: number, version: number }} */ (before.get(name));
      return state === 'live' && (epoch > then.epoch || (epoch === then.epoch && version > then.version));
    });
  }

  /**
   * Every reader (of the host `of`) has a value that the host `from` wrote.
   *
   * @param {string} from
   * @param {string} what
   * @param {number} limit
   * @param {string} [of]
   */
  async newerFrom(from, what, limit, of = '') {
    await this.#wait(what, limit, (reader, name) => !name.startsWith(of) || (reader.from === from && reader.state === 'live'));
  }

  /** @param {string} state @param {string} what @param {number} limit */
  async states(state, what, limit) {
    await this.#wait(what, limit, (reader) => reader.state === state);
  }

  /** @param {string} what */
  fail(what) {
    this.#faults.push(what);
    this.#tell(`FAULT: ${what}`);
  }

  /** The web workers are visited no more: they may end. */
  end() {
    this.#isOver = true;
  }

  /** Tells how it went; whether all is well. */
  verdict() {
    if (this.#requests.failed > 0) this.#faults.push(`${this.#requests.failed} requests failed`);
    console.log(`
  web workers                       ${this.#readers.size}, on two hosts
  versions seen                     ${this.#versions}, none backward, none torn
  requests answered from memory     ${this.#requests.answered}, ${this.#requests.failed} failed
  verdict                           ${this.#faults.length === 0 ? 'all as it should be' : this.#faults.join('; ')}`);
    return this.#faults.length === 0;
  }

  /**
   * @param {string} what
   * @param {number} limit milliseconds
   * @param {(reader: Reader, name: string) => boolean} holds of each reader
   */
  async #wait(what, limit, holds) {
    const from = this.#faultAt || this.#start;
    const end = performance.now() + limit;
    while (![...this.#readers].every(([name, reader]) => holds(reader, name))) {
      if (performance.now() > end) throw new Error(`not within ${limit / 1000} s: ${what}`);
      await delay(5);
    }
    this.#tell(`=> ${what}, ${(performance.now() - from).toFixed(0)} ms after ${this.#faultAt ? 'that' : 'the start'}`);
  }

  /** Asks a web worker again and again, as its clients do. @param {string} name */
  async #visit(name) {
    while (!this.#isOver) {
      const { port, version } = /** @type {Reader} */ (this.#readers.get(name));
      await delay(20);
      if (version === 0 || this.#isOver) continue;
      try {
        const response = await fetch(`http://127.0.0.1:${port}/`);
        await response.json();
        if (response.ok) this.#requests.answered += 1;
        else this.#requests.failed += 1;
      } catch {
        if (!this.#isOver) this.#requests.failed += 1;
      }
    }
  }

  /** @param {string} what */
  #tell(what) {
    console.log(`${((performance.now() - this.#start) / 1000).toFixed(2).padStart(6)} s  ${what}`);
  }
}
