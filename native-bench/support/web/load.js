// @ts-check
/** The load generator, in a process of its own: autocannon, with the times of single responses, which it rounds to milliseconds itself. */
import autocannon from 'autocannon';

/**
 * @typedef {{ url: string, connections: number, seconds: number, rate?: number }} Load `rate`: requests a second; without one as many as go
 * @typedef {{ rate: number, errors: number, times: number[] }} Answer `rate`: requests a second; `times` in milliseconds
 */

process.on('disconnect', () => process.exit());

/** @type {Load} */
const { url, connections, seconds, rate } = JSON.parse(process.argv[2] ?? '');
/** Milliseconds between two requests of a connection. */
const beat = rate === undefined ? Number.POSITIVE_INFINITY : (connections / rate) * 1000;

let requests = 0;
let first = 0;
let last = 0;
/** @type {number[]} */
const times = [];
const instance = autocannon({ url, connections, duration: seconds, ...(rate === undefined ? {} : { overallRate: rate }) });
instance.on('response', (_client, _status, _bytes, milliseconds) => {
  last = performance.now();
  first ||= last;
  requests += 1;
  times.push(milliseconds);
  // A connection that waits sends nothing. The requests that it would have sent meanwhile have waited too (coordinated omission; G. Tene).
  for (let late = milliseconds - beat; late > beat; late -= beat) times.push(late);
});
const { errors, timeouts, non2xx } = await instance;
// Nobody answered in all that time: this long, at least.
if (requests === 0) times.push(seconds * 1000);
const answered = last > first ? requests / ((last - first) / 1000) : requests / seconds;
process.send?.({ rate: answered, errors: errors + timeouts + non2xx, times }, () => process.exit());
