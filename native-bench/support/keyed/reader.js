// @ts-check
/** A thread that reads: looks some records up every millisecond, and notes for how long its event loop stood still. */
import { openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { requestFor } from './records.js';
import { MARKED, ways } from './ways.js';

const PERIOD = 1;

/** @type {{ way: import('./ways.js').WayKey, count: number, lookups: number, warmUp: number }} `warmUp`: milliseconds */
const { way, count, lookups, warmUp } = workerData;
/** @type {import('./ways.js').Get} */
let get;
let wanted = 0;
let isLooking = false;
let last = 0;
let ran = 0;
let waited = 0;
let longest = 0;
let longestOwn = 0;
let longestWork = 0;
/** @type {number[]} */
let meetings = [];
let lastRound = 0;

/**
 * Milliseconds that this thread has run, and that it was ready to run and had no processor, since it began; Linux only. What is in neither it slept, or
 * waited for another thread: a collection for its helpers, say, which have to wait for a processor too.
 *
 * @returns {() => readonly [ran: number, waited: number]}
 */
function processorTimes() {
  if (process.platform !== 'linux') return () => [Number.NaN, Number.NaN];
  const file = openSync('/proc/thread-self/schedstat', 'r');
  const buffer = Buffer.alloc(100);
  return () => {
    const [ran, waited] = buffer.toString('latin1', 0, readSync(file, buffer, 0, 100, 0)).split(' ');
    return [Number(ran) / 1e6, Number(waited) / 1e6];
  };
}
const timesSoFar = processorTimes();

/** A stall is what lies between the ends of two ticks, but for the period. */
function noteStall() {
  const now = performance.now();
  const [ranNow, waitedNow] = timesSoFar();
  const stall = now - last - PERIOD;
  if (last > 0) {
    longest = Math.max(longest, stall);
    longestOwn = Math.max(longestOwn, stall - (waitedNow - waited));
    longestWork = Math.max(longestWork, ranNow - ran);
  }
  last = now;
  ran = ranNow;
  waited = waitedNow;
}

async function attach(/** @type {unknown} */ data) {
  const begun = performance.now();
  get = await ways[way].reader(data);
  if ((await get(MARKED)) === undefined) throw new Error('The records are not there');
  return performance.now() - begun;
}

/** @param {import('./records.js').Record | undefined} marked */
function compareRound(marked) {
  if (wanted === 0 || (marked?.population ?? 0) < wanted) return;
  wanted = 0;
  tell(true);
}

async function look() {
  isLooking = true;
  const begun = performance.now();
  const looks = Array.from({ length: lookups }, () => get(requestFor(Math.floor(Math.random() * count))));
  for (const record of looks) if ((record instanceof Promise ? await record : record) === undefined) throw new Error('A record is missing');
  const answer = get(MARKED);
  const marked = answer instanceof Promise ? await answer : answer;
  if (marked && marked.population !== lastRound) meetings.push(performance.now() - begun);
  lastRound = marked?.population ?? 0;
  compareRound(marked);
  isLooking = false;
}

/** At first as often as it can, so that its code is compiled as well as it will be: until then the compilers take a processor for milliseconds. */
async function begin() {
  for (const end = performance.now() + warmUp; performance.now() < end; ) {
    await look();
    await nextTurn();
  }
  setInterval(() => {
    if (!isLooking) void look();
    noteStall();
  }, PERIOD);
  tell(true);
}

/** @param {unknown} answer */
const tell = (answer) => parentPort?.postMessage({ answer });

parentPort?.on('message', (message) => {
  if (message.attach) void attach(message.attach.data).then(tell);
  if (message.begin) void begin();
  if (message.until) wanted = message.until;
  if (message.stall) {
    noteStall();
    tell({ longest, own: longestOwn, work: longestWork, meetings });
    longest = longestOwn = longestWork = 0;
    meetings = [];
  }
});
await ways[way].prepare?.();
parentPort?.postMessage('started');
