// @ts-check
/**
 * A worker thread of a cluster worker. It does what any thread of yours might: computes, and reads the cities while it does.
 * `bg.read` finds the writer from here too; nothing was handed to this thread.
 */
import { parentPort } from 'node:worker_threads';
import { bg } from 'advanced-caching';
import { joinInspector } from 'advanced-caching/inspector';
import { sampleCities } from './cities.js';
import { createProbe } from './probe.js';

/** Reads for one millisecond of every ten, so that a small machine has something left for the rest of the demo. */
const BURST_MS = 1;
const PAUSE_MS = 9;

joinInspector({ name: 'worker thread' });
const probe = createProbe('worker thread');
const wanted = sampleCities(await probe.cities.ready(30), 2000);
let at = 0;

function burst() {
  const end = performance.now() + BURST_MS;
  while (performance.now() < end) {
    for (let turn = 0; turn < 8; turn += 1) {
      const city = wanted[at++ % wanted.length];
      if (city) probe.find(city.country, city.name);
    }
  }
}

const bursts = setInterval(burst, BURST_MS + PAUSE_MS);
parentPort?.postMessage({ type: 'ready' });

parentPort?.on('message', (/** @type {'begin' | 'report' | 'stop'} */ request) => {
  if (request === 'begin') {
    probe.begin();
    return;
  }
  parentPort?.postMessage({ type: 'report', report: probe.report() });
  if (request === 'stop') {
    clearInterval(bursts);
    void bg.shutdown().then(() => parentPort?.close());
  }
});
