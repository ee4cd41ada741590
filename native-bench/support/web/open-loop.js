// @ts-check
/**
 * Requests at a fixed rate over connections that stay open, whether or not the ones before have been answered. Each connection has its own beat,
 * and a request that waits for its connection has waited all the same: G. Tene's way around coordinated omission (wrk2).
 *
 * autocannon's `overallRate` is no fixed rate: each connection sends its share of a second as fast as it goes, and pauses for the rest, so that
 * it measures a server that is saturated for a part of each second.
 */
import { once } from 'node:events';
import { connect } from 'node:net';

/** Milliseconds between two looks at what is due. */
const TICK = 1;
/** Milliseconds for the last answers to come. */
const GRACE = 30_000;

/** @param {string} path @param {string} host */
const requestOf = (path, host) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`);

/**
 * The bytes of a response whose head ends before `bodyAt`.
 *
 * @param {string} head
 */
function lengthOf(head) {
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (!head.startsWith('HTTP/1.1 200 ') || length === undefined) throw new Error(`Expected 200 and a length, got ${head.split('\r\n')[0]}`);
  return Number(length);
}

class Connection {
  /** When each request that waits was due. @type {number[]} */
  #due = [];
  #sentAt = 0;
  #isBusy = false;
  /** @type {Buffer} */
  #received = Buffer.alloc(0);
  #socket;
  #request;
  #answered;

  /** @param {import('node:net').Socket} socket @param {Buffer} request @param {(took: number) => void} answered milliseconds */
  constructor(socket, request, answered) {
    this.#socket = socket;
    this.#request = request;
    this.#answered = answered;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.#take(bytes));
  }

  get waiting() {
    return this.#due.length + (this.#isBusy ? 1 : 0);
  }

  /** @param {number} at */
  ask(at) {
    this.#due.push(at);
    if (!this.#isBusy) this.#next();
  }

  end() {
    this.#socket.destroy();
  }

  #next() {
    const due = this.#due.shift();
    if (due === undefined) return;
    this.#sentAt = due;
    this.#isBusy = true;
    this.#socket.write(this.#request);
  }

  /** @param {Buffer} bytes */
  #take(bytes) {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const bodyAt = this.#received.indexOf('\r\n\r\n') + 4;
    if (bodyAt < 4) return;
    if (this.#received.length < bodyAt + lengthOf(this.#received.toString('latin1', 0, bodyAt))) return;
    this.#received = Buffer.alloc(0);
    this.#isBusy = false;
    this.#answered(performance.now() - this.#sentAt);
    this.#next();
  }
}

/**
 * @param {{ url: string, connections: number, seconds: number, rate: number }} load
 * @returns {Promise<number[]>} milliseconds of each request, from when it was due: those that are never answered count as long as was waited
 */
export async function openLoop({ url, connections, seconds, rate }) {
  const { hostname, port, host, pathname } = new URL(url);
  /** @type {number[]} */
  const times = [];
  const request = requestOf(pathname, host);
  const all = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      return new Connection(socket, request, (took) => times.push(took));
    }),
  );
  const total = Math.round(rate * seconds);
  const begin = performance.now();
  for (let sent = 0; sent < total; ) {
    await new Promise((resolve) => setTimeout(resolve, TICK));
    const now = performance.now();
    // From the tick at which it was found due: how late this process's own timer is, is nothing of the server's.
    for (const due = ((now - begin) / 1000) * rate; sent < total && sent <= due; sent++) all[sent % connections]?.ask(now);
  }
  const giveUp = performance.now() + GRACE;
  while (times.length < total && performance.now() < giveUp) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let lost = total - times.length; lost > 0; lost--) times.push(GRACE);
  for (const connection of all) connection.end();
  return times;
}
