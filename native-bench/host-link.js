// @ts-check
// From `publish` in one process to the snapshot in another, and from the SIGKILL of a writer to the next one's grant.
// node native-bench/host-link.js [abstract|file]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hostPlace } from '../dist/link/host/place.js';
import { followHost } from '../dist/link/host/follow.js';
import { leadHost } from '../dist/link/host/lead.js';

const [role, directory, socketsArg, key] = process.argv.length > 5 ? process.argv.slice(2) : ['main', '', process.argv[2], ''];
const sockets = socketsArg === 'file' ? 'file' : process.platform === 'linux' ? 'abstract' : undefined;

/** The clock that all processes of the host share, in milliseconds. */
function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** @param {string} base */
const placeIn = (base) => hostPlace({ namespace: 'bench', directory: base, ...(sockets ? { sockets } : {}) });

if (role === 'main') await main();
else member();

async function main() {
  const base = mkdtempSync(process.platform === 'linux' ? '/dev/shm/bench-' : 'bench-');
  /** @param {string} kind @param {string} [subject] the key */
  const spawn = (kind, subject = 'news') => fork(fileURLToPath(import.meta.url), [kind, base, sockets ?? '', subject]);
  /** @type {Set<import('node:child_process').ChildProcess>} */
  const children = new Set();
  try {
    for (const [name, size, times] of /** @type {const} */ ([
      ['1 kB', 1e3, 1000],
      ['1 MB', 1e6, 500],
      ['13 MB', 13e6, 60],
    ])) {
      const writer = spawn('lead');
      children.add(writer);
      await heard(writer, 'granted');
      const reader = spawn('follow');
      children.add(reader);
      await heard(reader, 'live');
      /** @type {number[]} */
      const visible = [];
      for (let round = 0; round < times; round += 1) {
        const seen = heard(reader, 'snapshot');
        const published = heard(writer, 'publishing');
        writer.send({ size });
        visible.push((await seen).at - (await published).at);
      }
      print(`publish to visible, ${name}`, visible);
      for (const child of [writer, reader]) await end(child, children);
    }

    /** @type {number[]} */
    const takeovers = [];
    let writer = spawn('lead', 'takeover');
    children.add(writer);
    await heard(writer, 'granted');
    for (let round = 0; round < 30; round += 1) {
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
    print('SIGKILL to the next grant', takeovers);
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

/** @param {string} what @param {number[]} times */
function print(what, times) {
  times.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    /** @type {number} */ (times[Math.min(times.length - 1, Math.floor(times.length * share))]).toFixed(2);
  console.log(`${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms (${times.length} times)`);
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
