// @ts-check
/** The load generator, in a process of its own: as many requests as go by autocannon, or a fixed rate by `open-loop.js`. */
import autocannon from 'autocannon';
import { openLoop } from './open-loop.js';

/**
 * @typedef {{ url: string, connections: number, seconds: number, rate?: number }} Load `rate`: requests a second; without one as many as go
 * @typedef {{ rate: number, errors: number, times: number[] }} Answer `rate`: requests a second; `times` in milliseconds, of a fixed rate only
 */

process.on('disconnect', () => process.exit());

/** @type {Load} */
const { url, connections, seconds, rate } = JSON.parse(process.argv[2] ?? '');

/** @returns {Promise<Answer>} */
async function asFastAsTheyGo() {
  let requests = 0;
  let first = 0;
  let last = 0;
  const instance = autocannon({ url, connections, duration: seconds });
  instance.on('response', () => {
    last = performance.now();
    first ||= last;
    requests += 1;
  });
  const { errors, timeouts, non2xx } = await instance;
  return { rate: last > first ? requests / ((last - first) / 1000) : requests / seconds, errors: errors + timeouts + non2xx, times: [] };
}

/** @type {Answer} */
const answer =
  rate === undefined ? await asFastAsTheyGo() : { rate, errors: 0, times: await openLoop({ url, connections, seconds, rate }) };
process.send?.(answer, () => process.exit());
