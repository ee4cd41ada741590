// @ts-check
/**
 * Two hosts with writers and readers for a long time, while processes are killed and frozen, Redis dies and comes back, and networks are cut.
 * Each half minute it prints what the two readers that live through all of it hold; at the end, whether that stayed constant, whether any
 * reader ever saw something torn or older, and whether all agree.
 *
 *   npm run soak:fleet                         an hour
 *   SOAK_MINUTES=10 npm run soak:fleet
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 60);
const MEMBER = fileURLToPath(new URL('./fleet-member.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'fleet-soak-'));
const socket = join(folder, 'redis.sock');

/** @typedef {{ rss: number, heap: number, fds: number, timers: number, sockets: number, listeners: number, versions: number, faults: string[], epoch: number, version: number, state: string }} Report */
/** @typedef {{ child: import('node:child_process').ChildProcess, host: string, role: string, isFrozen: boolean }} Member */

/** @type {import('node:child_process').ChildProcess} */
let redis;
/** @type {Set<Member>} */
const members = new Set();
process.once('exit', () => {
  redis?.kill('SIGKILL');
  for (const { child } of members) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function startRedis() {
  rmSync(socket, { force: true });
  redis = spawn(process.env['REDIS_SERVER'] ?? 'redis-server', ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', ''], {
    stdio: 'ignore',
  });
  while (!existsSync(socket)) await delay(10);
}

/** A network between a host and Redis: it can be cut. */
async function openNetwork() {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  const network = { port: 0, isCut: false, cut: () => sockets.forEach((one) => one.destroy()) };
  const server = createServer((here) => {
    if (network.isCut) return void here.destroy();
    const there = connect(socket);
    here.pipe(there).pipe(here);
    for (const one of [here, there]) {
      sockets.add(one);
      one
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(one);
          here.destroy();
          there.destroy();
        });
    }
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  network.port = /** @type {import('node:net').AddressInfo} */ (server.address()).port;
  return network;
}

/** @param {string} host @param {string} role @param {number} port */
function start(host, role, port) {
  const env = { ...process.env, ADVANCED_CACHING_DIRECTORY: join(folder, host), ADVANCED_CACHING_NAMESPACE: 'soak' };
  const child = fork(MEMBER, [role, String(port)], { env, execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'] });
  const member = { child, host, role, isFrozen: false };
  members.add(member);
  child.once('exit', () => members.delete(member));
  return member;
}

/** @param {Member} member @returns {Promise<Report>} */
async function ask({ child }) {
  child.send('report');
  const [report] = await once(child, 'message');
  return report;
}

/** @template T @param {readonly T[]} all @returns {T} */
const pick = (all) => /** @type {T} */ (all[Math.floor(Math.random() * all.length)]);

await startRedis();
const networks = { A: await openNetwork(), B: await openNetwork() };
const hosts = /** @type {const} */ (['A', 'B']);
const observers = hosts.flatMap((host) => [start(host, 'reader', networks[host].port), start(host, 'storeless', networks[host].port)]);
for (const host of hosts) for (const role of ['writer', 'writer', 'reader']) start(host, role, networks[host].port);

const mortal = () => [...members].filter((member) => !observers.includes(member) && !member.isFrozen);
/** @type {Record<string, number>} */
const done = {};
/** @type {readonly (readonly [string, () => Promise<void>])[]} */
const disasters = [
  [
    'killed',
    async () => {
      const { child, host, role } = pick(mortal());
      child.kill('SIGKILL');
      await once(child, 'exit');
      start(host, role, networks[/** @type {'A' | 'B'} */ (host)].port);
    },
  ],
  [
    'frozen',
    async () => {
      const member = pick(mortal());
      member.isFrozen = true;
      member.child.kill('SIGSTOP');
      await delay(500 + Math.random() * 5000);
      member.child.kill('SIGCONT');
      member.isFrozen = false;
    },
  ],
  [
    'replaced',
    async () => {
      const { child, host, role } = pick(mortal());
      child.send('stop');
      await once(child, 'exit');
      start(host, role, networks[/** @type {'A' | 'B'} */ (host)].port);
    },
  ],
  [
    'cut off',
    async () => {
      const network = pick(Object.values(networks));
      network.isCut = true;
      network.cut();
      await delay(Math.random() * 6000);
      network.isCut = false;
    },
  ],
  ['cut for a moment', async () => pick(Object.values(networks)).cut()],
  [
    'Redis killed',
    async () => {
      redis.kill('SIGKILL');
      await once(redis, 'exit');
      await delay(Math.random() * 3000);
      await startRedis();
    },
  ],
  [
    'Redis frozen',
    async () => {
      redis.kill('SIGSTOP');
      await delay(Math.random() * 4000);
      redis.kill('SIGCONT');
    },
  ],
];

const began = performance.now();
const end = began + MINUTES * 60_000;
/** @type {Report[][]} */
const reports = [];
const columns = /** @type {const} */ (['rss', 'heap', 'fds', 'timers', 'sockets', 'listeners', 'versions']);

async function look() {
  const all = await Promise.all(observers.map(ask));
  reports.push(all);
  const minutes = ((performance.now() - began) / 60_000).toFixed(1).padStart(6);
  for (const [index, report] of all.entries()) {
    const { host, role } = /** @type {Member} */ (observers[index]);
    const cells = columns.map((name) =>
      `${name} ${name === 'rss' || name === 'heap' ? `${report[name].toFixed(1)} MB` : report[name]}`.padEnd(16),
    );
    console.log(`${minutes} min  ${host} ${role.padEnd(10)}${cells.join('')}`);
  }
}

let nextLook = performance.now() + 30_000;
while (performance.now() < end) {
  const [name, disaster] = pick(disasters);
  await disaster();
  done[name] = (done[name] ?? 0) + 1;
  await delay(1000 + Math.random() * 4000);
  if (performance.now() < nextLook) continue;
  nextLook = performance.now() + 30_000;
  await look();
}
// In peace all have the same.
await delay(10_000);
await look();

const last = /** @type {Report[]} */ (reports.at(-1));
const faults = last.flatMap((report) => report.faults);
if (new Set(last.map(({ epoch, version }) => `${epoch}/${version}`)).size > 1) {
  // A version may have come between two answers: once more.
  await look();
}
const final = /** @type {Report[]} */ (reports.at(-1));
const spread = Math.max(...final.map(({ version }) => version)) - Math.min(...final.map(({ version }) => version));
if (spread > 2 || new Set(final.map(({ epoch }) => epoch)).size > 1) faults.push(`the readers differ by ${spread} versions`);
for (const { state } of final) if (state !== 'live') faults.push(`a reader is ${state} in peace`);

/** The median of a part of the reports, in which the fifth of the start is left out: it is warming up. */
const median = (
  /** @type {number} */ observer,
  /** @type {(typeof columns)[number]} */ name,
  /** @type {number} */ from,
  /** @type {number} */ to,
) => {
  const numbers = reports
    .slice(Math.floor(reports.length * from), Math.ceil(reports.length * to))
    .map((all) => Number(all[observer]?.[name]));
  return numbers.toSorted((x, y) => x - y)[Math.floor(numbers.length / 2)] ?? 0;
};
const allowed = { rss: 15, heap: 4, fds: 4, timers: 6, sockets: 4, listeners: 2, versions: Number.POSITIVE_INFINITY };
console.log(
  `\n${Object.entries(done)
    .map(([name, count]) => `${count} × ${name}`)
    .join(', ')}`,
);
for (const [index, { host, role }] of observers.entries()) {
  for (const name of columns) {
    if (name === 'versions') continue;
    const [early, late] = [median(index, name, 0.2, 0.5), median(index, name, 0.75, 1)];
    const grew = late - early > allowed[name];
    if (grew) faults.push(`${name} of ${host} ${role} grew from ${early} to ${late}`);
    console.log(`${host} ${role.padEnd(10)} ${name.padEnd(10)} ${early.toFixed(1)} early, ${late.toFixed(1)} late${grew ? '   GREW' : ''}`);
  }
}
console.log(faults.length === 0 ? 'All as it should be' : `FAULTS: ${faults.join('; ')}`);
process.exitCode = faults.length === 0 ? 0 : 1;
for (const { child } of members) child.send('stop');
setTimeout(() => process.exit(), 5000).unref();
