// @ts-check
/** Publishes a second: how many go, how many of them a reader sees, and what they take. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { bg } from '../../../dist/index.js';
import { makeValue } from '../mirrors/value.js';
import { isQuick, lines, progress, table } from '../results.js';

const FOLLOWER = fileURLToPath(new URL('follower.js', import.meta.url));
const RATES = isQuick ? [100] : [10, 100, 1000, 10_000, 100_000];
const SECONDS = isQuick ? 0.3 : 3;
const VALUE = makeValue(1000);

/** @typedef {{ seen: number, newest: { n: number } | undefined, cpu: number }} Report */

/** @param {'threads' | 'processes'} kind */
async function measure(kind) {
  const scope = kind === 'threads' ? 'process' : 'host';
  const writer = bg.write(0, { key: 'rate', scope, runImmediately: false, ref: false, loader: () => VALUE });
  while (writer.status().state === 'standby') await new Promise((resolve) => setTimeout(resolve, 1));
  const publish = () => {
    VALUE.n += 1;
    return writer.refresh();
  };
  await publish();
  const follower = kind === 'threads' ? new Worker(FOLLOWER) : fork(FOLLOWER);
  await once(follower, 'message');
  /** @returns {Promise<Report>} */
  const ask = async () => {
    const answer = once(follower, 'message');
    if ('postMessage' in follower) follower.postMessage('?');
    else follower.send('?');
    return (await answer)[0];
  };
  const settled = async () => {
    for (;;) {
      const report = await ask();
      if (report.newest?.n === VALUE.n) return report;
    }
  };
  const rows = [];
  for (const asked of RATES) {
    progress(`${asked} publishes a second, ${kind}`);
    const before = await settled();
    const cpu = process.cpuUsage();
    const begin = performance.now();
    let published = 0;
    while (performance.now() - begin < SECONDS * 1000) {
      const due = Math.floor(((performance.now() - begin) / 1000) * asked);
      if (published > due) await new Promise((resolve) => setTimeout(resolve, 1));
      for (let burst = 0; published <= due && burst < 50; burst++) {
        await publish();
        published += 1;
      }
      // The event loop has its turn, as it has in a server.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const seconds = (performance.now() - begin) / 1000;
    const after = await settled();
    const { user, system } = process.cpuUsage(cpu);
    const spent = (user + system) / 1e6 + after.cpu - before.cpu;
    rows.push({ kind, asked, rate: published / seconds, seen: (after.seen - before.seen) / published, cores: spent / seconds });
  }
  await writer.stop();
  if ('terminate' in follower) await follower.terminate();
  else {
    follower.kill('SIGKILL');
    await once(follower, 'exit');
  }
  return rows;
}

export async function byRate() {
  const rows = [...(await measure('threads')), ...(await measure('processes'))];
  table({
    title: 'By publishes a second, of 1 kB, with one reader that listens',
    columns: [
      { key: 'kind', label: 'reader' },
      { key: 'asked', label: 'asked for', unit: '/s' },
      { key: 'rate', label: 'published', unit: '/s' },
      { key: 'seen', label: 'of them seen', unit: '%' },
      { key: 'cores', label: 'processors busy' },
    ],
    rows: rows.map((row) => ({ ...row, kind: row.kind === 'threads' ? 'a thread' : 'a process', seen: row.seen * 100 })),
    note: 'A reader sees the newest value; those that came and went while it decoded pass it by.',
  });
  lines({
    title: 'Processors busy by publishes a second, of 1 kB',
    x: { label: 'publishes a second', log: true },
    y: { label: 'processors busy', log: true },
    series: /** @type {const} */ (['threads', 'processes']).map((kind) => ({
      name: kind === 'threads' ? 'a thread reads' : 'another process reads',
      ours: kind === 'threads',
      points: rows.filter((row) => row.kind === kind).map((row) => ({ x: row.rate, y: row.cores })),
    })),
  });
}
