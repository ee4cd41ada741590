// @ts-check
// From `publish` in one process to the snapshot in another, and from the SIGKILL of a writer to the next one's grant.
//
//     npm run bench -- host-link [--quick]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hostPlace } from '../dist/link/host/place.js';
import { monotonic as now } from '../dist/core/clock.js';
import { followHost } from '../dist/link/host/follow.js';
import { leadHost } from '../dist/link/host/lead.js';
import { isQuick, progress, table } from './support/results.js';
import { quantile } from './support/stats.js';

const [role = 'main', directory = '', key = ''] = process.argv.length > 4 ? process.argv.slice(2) : [];

/** @param {string} base */
const placeIn = (base) => hostPlace({ namespace: 'bench', directory: base });

if (role === 'main') await main();
else member();

async function main() {
  const base = mkdtempSync(process.platform === 'linux' ? '/dev/shm/bench-' : 'bench-');
  /** @param {string} kind @param {string} [subject] the key */
  const spawn = (kind, subject = 'news') => fork(fileURLToPath(import.meta.url), [kind, base, subject]);
  /** @type {Set<import('node:child_process').ChildProcess>} */
  const children = new Set();
  /** @type {import('./support/results.js').Row[]} */
  const rows = [];
  try {
    for (const [name, size, times] of /** @type {const} */ ([
      ['1 kB', 1e3, 1000],
      ['1 MB', 1e6, 500],
      ['13 MB', 13e6, 60],
    ])) {
      progress(`publish to visible, ${name}`);
      const writer = spawn('lead');
      children.add(writer);
      await heard(writer, 'granted');
      const reader = spawn('follow');
      children.add(reader);
      await heard(reader, 'live');
      /** @type {number[]} */
      const visible = [];
      for (let round = 0; round < (isQuick ? 10 : times); round += 1) {
        const seen = heard(reader, 'snapshot');
        const published = heard(writer, 'publishing');
        writer.send({ size });
        visible.push((await seen).at - (await published).at);
      }
      rows.push(row(`publish to visible, ${name}`, visible));
      for (const child of [writer, reader]) await end(child, children);
    }

    /** @type {number[]} */
    const takeovers = [];
    let writer = spawn('lead', 'takeover');
    children.add(writer);
    await heard(writer, 'granted');
    for (let round = 0; round < (isQuick ? 3 : 30); round += 1) {
      const standby = spawn('lead', 'takeover');
      children.add(standby);
      await heard(standby, 'live');
      const granted = heard(standby, 'granted');
      const killed = now();
      writer.kill('SIGKILL');
      takeovers.push((await granted).at - killed);
      await end(writer, children);
      writer = standby;
    }
    rows.push(row('SIGKILL to the next grant', takeovers));
    table({
      title: 'From process to process, without decoding',
      columns: [
        { key: 'what', label: 'what' },
        { key: 'p50', label: 'p50', unit: 'ms' },
        { key: 'p99', label: 'p99', unit: 'ms' },
        { key: 'max', label: 'max', unit: 'ms' },
        { key: 'times', label: 'times' },
      ],
      rows,
    });
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(base, { recursive: true, force: true });
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {Set<import('node:child_process').ChildProcess>} children
 */
async function end(child, children) {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  children.delete(child);
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} event
 * @returns {Promise<{ event: string, at: number }>}
 */
function heard(child, event) {
  return new Promise((resolve) => {
    child.on('message', function listener(/** @type {any} */ message) {
      if (message.event !== event) return;
      child.off('message', listener);
      resolve(message);
    });
  });
}

/** @param {string} what @param {number[]} times @returns {import('./support/results.js').Row} */
function row(what, times) {
  return { what, p50: quantile(times, 0.5), p99: quantile(times, 0.99), max: Math.max(...times), times: String(times.length) };
}

function member() {
  const tell = (/** @type {string} */ event) => process.send?.({ event, at: now() });
  let epoch = 0;
  let version = 0;
  const options = {
    place: placeIn(directory),
    key,
    ref: true,
    onSnapshot: () => tell('snapshot'),
    onState: (/** @type {string} */ state) => tell(state),
    onGranted: (/** @type {any} */ grant) => {
      epoch = grant.epoch;
      version = grant.last?.version ?? 0;
      tell('granted');
    },
  };
  process.on('disconnect', () => process.exit());
  if (role === 'follow') {
    followHost(options);
    return;
  }
  const candidate = leadHost(options);
  process.on('message', (/** @type {any} */ { size }) => {
    version += 1;
    const snapshot = {
      epoch,
      version,
      createdAt: Date.now(),
      createdAtMonotonic: now(),
      freshFor: 1000,
      codec: 'v8',
      bytes: Buffer.alloc(size, version),
    };
    tell('publishing');
    void candidate.publish(snapshot);
  });
}
