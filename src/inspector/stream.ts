import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemClock } from '../core/clock.js';
import type { Hub } from './hub.js';

/** Rows in one event. */
const BATCH = 500;
/** Bytes that a slow reader may leave unread: it then gets the newest state later, and nothing is kept for it. */
const LARGEST_BACKLOG = 1024 * 1024;
/** Looks in a row at which the reader had taken nothing: it is gone, or asleep. */
const MOST_SKIPPED = 30;

/** One open page: server-sent events (WHATWG HTML, 9.2) with what has changed since the last one. */
export class Stream {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #hub: Hub;
  readonly #unwatch: () => void;
  #revision = 0;
  #skipped = 0;
  #isBehind = false;

  /** @param hello what the page is told first */
  constructor(request: IncomingMessage, response: ServerResponse, hub: Hub, hello: object) {
    this.#request = request;
    this.#response = response;
    this.#hub = hub;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      // Compression would hold events back.
      'cache-control': 'no-store, no-transform',
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no',
      // The connection ends with the stream, so that a server that closes doesn't wait for it. HTTP/2 has no such header.
      ...(request.httpVersionMajor === 1 ? { connection: 'close' } : {}),
    });
    // What the browser waits before it connects again (milliseconds).
    response.write('retry: 1000\n\n');
    this.#send('hello', JSON.stringify(hello));
    response.on('close', () => this.#unwatch());
    // A page that was closed in the middle of a write.
    response.on('error', () => this.#unwatch());
    // The rest of a large update, as fast as it is read.
    response.on('drain', () => this.#isBehind && this.#update());
    this.#unwatch = hub.watch(() => this.#update());
  }

  end(): void {
    this.#unwatch();
    this.#response.end();
  }

  #update(): void {
    const { server } = this.#request.socket as { server?: { listening?: boolean } };
    if (server?.listening === false) {
      // It was told to close, and waits for its connections: no process lives on for the sake of an open page.
      this.end();
      return;
    }
    if (this.#response.writableLength > LARGEST_BACKLOG) {
      if (++this.#skipped > MOST_SKIPPED) this.#response.destroy();
      return;
    }
    this.#skipped = 0;
    const { rows, totals } = this.#hub.model;
    // Nobody has looked yet.
    if (!totals) return;
    let isFirst = !rows.reaches(this.#revision) || this.#revision === 0;
    if (isFirst) this.#revision = 0;
    for (;;) {
      const { rows: changed, removed, revision, isComplete } = rows.changes(this.#revision, BATCH);
      this.#revision = revision;
      const head = JSON.stringify({ now: systemClock.wall() / 1000, isFirst, isComplete, totals, trouble: this.#hub.trouble, removed });
      this.#send('rows', `${head.slice(0, -1)},"rows":[${changed.join(',')}]}`);
      isFirst = false;
      this.#isBehind = !isComplete;
      if (isComplete || this.#response.writableLength > LARGEST_BACKLOG) return;
    }
  }

  #send(event: string, json: string): void {
    this.#response.write(`event: ${event}\ndata: ${json}\n\n`);
  }
}
