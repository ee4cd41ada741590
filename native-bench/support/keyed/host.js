// @ts-check
/** A process with a writer and so many reading threads: what they cost, while the records are refreshed. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ways } from './ways.js';

/**
 * @typedef {{ way: import('./ways.js').WayKey, count: number, readers: number, lookups: number, warmUps: number, refreshes: number, window: number }} Run `lookups`: of each thread in a millisecond; `warmUps`: refreshes that are not counted; `window`: milliseconds without a refresh
 * @typedef {{ attach: number, refresh: number[], visible: number[], quiet: Stalls, stall: Stalls, rss: number, elsewhere: number | undefined }} Outcome
 * @typedef {{ longest: number[], own: number[], work: number[], meetings: number[] }} Stalls the longest of all threads in each refresh. `own`: of the one that was
 * longest but for what the thread waited for a processor; `work`: the longest that a thread ran between two ticks; `meetings`: what the lookups of a tick took that
 * found a new version.
 *
 * All in milliseconds and bytes. `refresh` ends with the writer, `visible` with the last thread that has it; `quiet`: in as many windows without a refresh
 */

const READER = new URL('reader.js', import.meta.url);

/** @type {Run} */
const { way, count, readers, lookups, warmUps, refreshes, window } = JSON.parse(process.argv[2] ?? '');
/** @type {Worker[]} */
const workers = [];
const writer = await ways[way].writer(count, workers);
let round = 0;
// Twice, so that all memory that it takes in the long run is in use.
for (let i = 0; i < 2; i++) await writer.refresh(++round);

for (let i = 0; i < readers; i++) workers.push(new Worker(READER, { workerData: { way, count, lookups, warmUp: warmUps > 0 ? 2000 : 0 } }));
// Started: what counts is what they do from here on.
await Promise.all(workers.map((worker) => once(worker, 'message')));

/** What all threads answer. @param {object} question @returns {Promise<any[]>} */
function all(question) {
  return Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          const answered = (/** @type {any} */ message) => {
            if (message.answer === undefined) return;
            worker.off('message', answered).off('error', reject);
            resolve(message.answer);
          };
          worker.on('message', answered).on('error', reject);
          worker.postMessage(question);
        }),
    ),
  );
}

/** @returns {Stalls} */
const noStalls = () => ({ longest: [], own: [], work: [], meetings: [] });

/** Adds what there was in all threads since they were asked before. @param {Stalls} to */
async function addStalls(to) {
  /** @type {{ longest: number, own: number, work: number, meetings: number[] }[]} */
  const each = await all({ stall: true });
  for (const figure of /** @type {const} */ (['longest', 'own', 'work'])) to[figure].push(Math.max(...each.map((stall) => stall[figure])));
  to.meetings.push(...each.flatMap(({ meetings }) => meetings));
}

const attach = Math.max(...(await all({ attach: { data: writer.data } })));
/** @param {Stalls} stalls those that there are meanwhile are added */
async function refreshOnce(stalls) {
  const begun = performance.now();
  await writer.refresh(++round);
  refresh.push(performance.now() - begun);
  if (!ways[way].unchanged) {
    await all({ until: round });
    visible.push(performance.now() - begun);
  }
  await addStalls(stalls);
}

/** @type {number[]} */
const refresh = [];
/** @type {number[]} */
const visible = [];
const quiet = noStalls();
const stall = noStalls();
await all({ begin: true });
// Until all code is compiled that a refresh needs, and the heaps have grown.
for (let i = 0; i < warmUps; i++) await refreshOnce(noStalls());
await sleep(window / 4);
await addStalls(noStalls());
for (let i = 0; i < refreshes; i++) {
  await sleep(window);
  await addStalls(quiet);
}
refresh.length = visible.length = 0;
for (let i = 0; i < refreshes; i++) await refreshOnce(stall);
const { rss } = process.memoryUsage();
/** @type {Outcome} */
const outcome = { attach, refresh, visible, quiet, stall, rss, elsewhere: await writer.elsewhere?.() };
process.send?.(outcome);
await Promise.all(workers.map((worker) => worker.terminate()));
await writer.stop();
