// @ts-check
/** One reader of the cities, with everything that this demo wants to know of it. In your own server: `bg.read.keyed('cities')`, and that's it. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { bg } from 'advanced-caching';
import { ABOUT, findCity } from './cities.js';
import { createSamples } from './samples.js';

/**
 * What a reader tells about itself. Times are milliseconds, but `age`, which is seconds.
 *
 * @typedef {object} ReaderReport
 * @property {'event loop' | 'worker thread'} where
 * @property {number} pid
 * @property {number} version
 * @property {number} generation
 * @property {number} writerPid the process that made this version
 * @property {number} age
 * @property {number} versionsSeen
 * @property {number} reads
 * @property {number} readsPerSecond
 * @property {number} empty reads that got no value
 * @property {number} torn
 * @property {number} backward
 * @property {number} stall the longest of the last period
 * @property {number} longestStall
 * @property {number[]} visible from each publish to the read that got it
 * @property {Record<string, number>} firstSeenFrom for each process that wrote: when (Unix time) its first version was read
 */

/** How finely the event loop is watched: a shorter stall isn't seen. */
const RESOLUTION = 10;

/** @param {ReaderReport['where']} where */
export function createProbe(where) {
  /** @type {import('advanced-caching').KeyedMirror<import('./cities.js').City | import('./cities.js').About>} */
  const cities = bg.read.keyed('cities');
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION });
  const visible = createSamples();
  /** @type {Record<string, number>} */
  const firstSeenFrom = {};
  let [version, generation, versionsSeen, reads, empty, torn, backward, longestStall] = [0, 0, 0, 0, 0, 0, 0, 0];
  let reported = { reads: 0, at: performance.now() };
  /** @type {import('./cities.js').About | undefined} */
  let last;

  const about = () => /** @type {import('./cities.js').About | undefined} */ (cities.get(ABOUT));

  /** Looks whether there is a new version, and checks it against the last one. Its record `about` is another object then. */
  function look() {
    const value = about();
    reads += 1;
    if (!value) {
      empty += 1;
    } else if (value !== last) {
      if (cities.version < version || value.generation <= generation) backward += 1;
      // The first version was there before this reader was.
      if (last) visible.add(Date.now() - (cities.createdAt ?? 0) * 1000);
      firstSeenFrom[value.pid] ??= Date.now();
      last = value;
      ({ version } = cities);
      ({ generation } = value);
      versionsSeen += 1;
    }
  }
  cities.onKey(ABOUT, look);

  return {
    cities,

    /**
     * @param {string} country
     * @param {string} name
     */
    find(country, name) {
      look();
      try {
        return findCity(cities, country, name);
      } catch (error) {
        torn += 1;
        console.error(String(error));
        return undefined;
      }
    },

    /** Leaves the start behind: what is counted from here on is the running server. */
    begin() {
      [reads, empty, longestStall] = [0, 0, 0];
      reported = { reads: 0, at: performance.now() };
      visible.clear();
      loop.enable();
      loop.reset();
      look();
    },

    /** @returns {ReaderReport} */
    report() {
      const now = performance.now();
      const readsPerSecond = Math.round(((reads - reported.reads) * 1000) / Math.max(1, now - reported.at));
      reported = { reads, at: now };
      const stall = Math.max(0, loop.max / 1e6 - RESOLUTION);
      loop.reset();
      longestStall = Math.max(longestStall, stall);
      return {
        where,
        pid: process.pid,
        version,
        generation,
        writerPid: about()?.pid ?? 0,
        age: cities.age ?? 0,
        versionsSeen,
        reads,
        readsPerSecond,
        empty,
        torn,
        backward,
        stall,
        longestStall,
        visible: visible.all(),
        firstSeenFrom,
      };
    },
  };
}
