import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';
import { placeSettings } from '../bg/host-ring.js';
import { answer, type HttpHandler, pathsOf } from '../bg/http.js';
import { startCounting } from '../cache/listing.js';
import { checkOptions } from '../core/options.js';
import { report } from '../core/report.js';
import { LARGEST_COMMAND, SHOWS } from './command.js';
import { contributor } from './contributor.js';
import { isFromPage, refusal } from './guard.js';
import { Hub } from './hub.js';
import { checkName, type InspectorOptions, type JoinOptions, type Settings, settingsOf } from './options.js';
import { CSP, PAGE } from './page/page.js';
import { matching, object, optional, type Shape, ShapeError, text } from './shape.js';
import { Stream } from './stream.js';

/** What `inspector()` answers: a handler for `node:http`, and so for Express, Fastify's `onRequest` and others. */
export interface Inspector extends HttpHandler {
  /** Ends the open pages' streams, and this thread's part unless `joinInspector()` keeps it. Idempotent. */
  close(): void;
}

// In this module and not in index.ts, which a bundler may leave out: it only passes on.
startCounting();

/** More open pages than these are refused. */
const MOST_STREAMS = 20;

const asked: Shape<{ readonly action: string; readonly target: string; readonly key: string | undefined }> = object({
  action: matching(/^(refresh|invalidate|clear|value|entry)$/),
  target: text(8192),
  key: optional(text(8192)),
});

/**
 * A page that shows every cached function, writer and mirror of the application on this host, live: those of this thread, and of
 * each thread and process that has called `inspector()` or `joinInspector()`. It costs one `stat` a second in each of them
 * while nobody looks.
 *
 * Only this machine is answered, nothing can be changed, and no value is shown, unless the options say otherwise.
 *
 * Hits are counted in functions that are cached after this module was loaded: import it before the modules that have yours.
 *
 * @throws TypeError for an option that can't be meant
 * @example
 * const inspect = inspector({ path: '/inspector' });
 * createServer((request, response) => {
 *   if (inspect(request, response)) return;
 *   …
 * });
 */
export function inspector(options: InspectorOptions = {}): Inspector {
  const settings = settingsOf(options);
  const { base } = settings;
  const hub = new Hub(settings.showMessages);
  const leave = contributor.join(settings.name);
  const streams = new Set<Stream>();
  let token: string | undefined;

  const handle: HttpHandler = (request, response, next) => {
    const route = pathsOf(request)
      .map((path) => routeOf(path, base))
      .find((found) => found !== undefined);
    if (route === undefined) {
      next?.();
      return false;
    }
    const why = refusal(request, settings);
    if (why !== undefined) say(request, response, 403, why);
    else if (route === 'act') void act(request, response);
    else if (request.method !== 'GET' && request.method !== 'HEAD') allow(request, response, 'GET, HEAD');
    else if (route === 'page') sendPage(request, response);
    else if (request.method === 'HEAD') allow(request, response, 'GET');
    else open(request, response);
    return true;
  };

  function open(request: IncomingMessage, response: ServerResponse): void {
    if (streams.size >= MOST_STREAMS) {
      response.setHeader('retry-after', 5);
      say(request, response, 503, `${MOST_STREAMS} pages are open already`);
      return;
    }
    const stream = new Stream(request, response, hub, helloOf(settings, mayAct(settings) ? secret() : undefined));
    streams.add(stream);
    response.once('close', () => streams.delete(stream));
  }

  async function act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (request.method !== 'POST') return allow(request, response, 'POST');
      if (!mayAct(settings))
        return say(request, response, 403, 'This inspector only shows. Set `allowActions` or `showValues` to change that');
      if (!isFromPage(request) || !isSame(request.headers['x-inspector-token'], secret())) {
        return say(request, response, 403, 'Expected the token that the page was given');
      }
      const wanted = asked(await bodyOf(request));
      if (!(SHOWS.has(wanted.action) ? settings.showValues : settings.allowActions)) {
        return say(request, response, 403, `Set \`${SHOWS.has(wanted.action) ? 'showValues' : 'allowActions'}\` to allow that`);
      }
      const outcomes = await hub.ask(wanted);
      answer(request, response, 200, 'application/json', JSON.stringify({ outcomes }));
    } catch (error) {
      if (error instanceof ShapeError || error instanceof SyntaxError) say(request, response, 400, 'Expected an action as JSON');
      else {
        report(error, undefined, 'the inspector');
        if (!response.headersSent) say(request, response, 500, 'It failed; the process has a warning that says why');
      }
    }
  }

  /** The same in all processes of the application: the stream and the action may meet different workers of a cluster. */
  function secret(): string {
    token ??= createHmac('sha256', placeSecret()).update('inspector').digest('hex');
    return token;
  }

  return Object.assign(handle, {
    close() {
      for (const stream of streams) stream.end();
      streams.clear();
      leave();
    },
  });
}

/**
 * Has this thread told of in the inspector's page, wherever that is: for worker threads, and processes without a server. What the
 * page may do is for the process that serves it to say.
 *
 * @returns how to leave
 * @throws TypeError for an option that can't be meant
 * @example
 * joinInspector({ name: 'price loader' });
 */
export function joinInspector(options: JoinOptions = {}): () => void {
  checkOptions('joinInspector', options, ['name']);
  checkName(options.name);
  return contributor.join(options.name);
}

type Route = 'page' | 'events' | 'act';

function routeOf(path: string, base: string): Route | undefined {
  if (path === base || path === `${base}/`) return 'page';
  if (path === `${base}/events`) return 'events';
  return path === `${base}/act` ? 'act' : undefined;
}

function sendPage(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('content-security-policy', CSP);
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  answer(request, response, 200, 'text/html', PAGE);
}

function say(request: IncomingMessage, response: ServerResponse, status: number, what: string): void {
  answer(request, response, status, 'text/plain', `${what}\n`);
}

function allow(request: IncomingMessage, response: ServerResponse, methods: string): void {
  response.setHeader('allow', methods);
  say(request, response, 405, `Expected ${methods}`);
}

const mayAct = ({ allowActions, showValues }: Settings): boolean => allowActions || showValues;

function helloOf({ allowActions, showValues, showMessages }: Settings, token: string | undefined): object {
  const { namespace } = placeSettings();
  return { namespace, host: hostname(), at: `${process.pid}.${threadId}`, allowActions, showValues, showMessages, token };
}

/** Of this process, where the place of all of them can't be used. */
const ownSecret = randomBytes(32).toString('hex');

function placeSecret(): string {
  try {
    return contributor.folder().secret();
  } catch {
    return ownSecret;
  }
}

function isSame(given: string | string[] | undefined, token: string): boolean {
  return typeof given === 'string' && Buffer.byteLength(given) === token.length && timingSafeEqual(Buffer.from(given), Buffer.from(token));
}

/** @throws SyntaxError or ShapeError for what isn't short JSON */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  // A framework may have read it.
  const { body } = request as { body?: unknown };
  if (typeof body === 'object' && body !== null && !(body instanceof Uint8Array)) return body;
  if (typeof body === 'string' || body instanceof Uint8Array) return JSON.parse(String(body));
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_COMMAND) throw new ShapeError('Expected less');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
