/** What the tests of the inspector share: processes that it can look at, and a reader of its stream. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ErrorRow } from '../../dist/inspector/faults.js';
import type { FunctionRow } from '../../dist/inspector/functions.js';
import type { ThreadRow, Totals } from '../../dist/inspector/model.js';
import { type Inspector, inspector, type InspectorOptions } from '../../dist/inspector/index.js';
import type { ValueRow } from '../../dist/inspector/values.js';
import { type Child, type Scope, spawnNode, tempDir, until } from '../support/process.js';

export type AnyRow = ErrorRow | FunctionRow | ThreadRow | ValueRow;

export interface Hello {
  readonly namespace: string;
  readonly host: string;
  readonly at: string;
  readonly allowActions: boolean;
  readonly showValues: boolean;
  readonly showMessages: boolean;
  readonly token?: string;
}

interface RowsEvent {
  readonly now: number;
  readonly isFirst: boolean;
  readonly isComplete: boolean;
  readonly totals: Totals;
  readonly trouble?: string;
  readonly removed: readonly string[];
  readonly rows: readonly AnyRow[];
}

// No test touches the real directory of snapshots, nor meets another one in it.
Object.assign(process.env, {
  ADVANCED_CACHING_DIRECTORY: tempDir({ teardown: () => {} }),
  ADVANCED_CACHING_NAMESPACE: `inspector test ${process.pid}`,
});

export interface Served {
  readonly url: string;
  readonly port: number;
  readonly handler: Inspector;
  readonly server: ReturnType<typeof createServer>;
}

export type Around = (handler: Inspector, request: IncomingMessage, response: ServerResponse) => void;
export const plainly: Around = (handler, request, response) => {
  if (!handler(request, response)) response.writeHead(404).end('another handler');
};

/** An inspector in this process. */
export async function serve(t: Scope, options: InspectorOptions = {}, address = '127.0.0.1', around: Around = plainly): Promise<Served> {
  const handler = inspector(options);
  const server = createServer((request, response) => around(handler, request, response));
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  t.teardown(() => {
    handler.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/inspector`, port, handler, server };
}

/** An application of its own: a namespace, a directory, and processes that do what they are told. */
export interface Application {
  readonly env: Readonly<Record<string, string>>;
  /** The folder in which its threads meet. */
  readonly folder: string;
  /** @param env besides the application's own */
  start(env?: Readonly<Record<string, string>>): Process;
}

export interface Process {
  readonly child: Child;
  /** Has it do something, and answers what it answered. */
  tell<T = unknown>(what: string, details?: object): Promise<T>;
  /** Has it serve an inspector. */
  serve(options?: InspectorOptions): Promise<string>;
}

export function application(scope: Scope): Application {
  const directory = tempDir(scope);
  const namespace = `inspector test ${directory}`;
  const env = { ADVANCED_CACHING_DIRECTORY: directory, ADVANCED_CACHING_NAMESPACE: namespace };
  const id = createHash('sha256').update(namespace).digest('hex').slice(0, 16);
  const folder = join(directory, `advanced-caching-${process.geteuid?.() ?? 'user'}`, id, 'inspector.1');
  const start = (more: Readonly<Record<string, string>> = {}): Process => {
    const child = spawnNode(scope, new URL('./fixtures/process.js', import.meta.url), { env: { ...env, ...more } });
    let orders = 0;
    const tell = <T>(what: string, details: object = {}): Promise<T> => {
      const n = ++orders;
      child.send({ do: what, n, ...details });
      return child.message<T & { n: number }>((message) => message.n === n, 40_000);
    };
    return {
      child,
      tell,
      serve: async (options = {}) => `http://127.0.0.1:${(await tell<{ port: number }>('serve', { options })).port}/inspector`,
    };
  };
  return { env, folder, start };
}

/** The files of its threads, but for those that are being written. */
export function files({ folder }: Application, of: 'threads' | 'commands' | 'answers' = 'threads'): string[] {
  const path = join(folder, of);
  // Each process makes the folder a moment after it has joined.
  return existsSync(path) ? readdirSync(path).filter((name) => !name.endsWith('.tmp')) : [];
}

/** One page that is open, without the page: what it was told. */
export class View {
  hello: Hello | undefined;
  totals: Totals | undefined;
  trouble: string | undefined;
  readonly rows = new Map<string, AnyRow>();
  /** Everything, as it came. */
  raw = '';
  events = 0;
  ended = false;
  readonly #stop: () => void;

  constructor(scope: Scope, url: string) {
    const request = httpRequest(`${url}/events`, (response) => {
      response.setEncoding('utf8');
      let rest = '';
      response.on('data', (text: string) => {
        this.raw += text;
        const parts = (rest + text).split('\n\n');
        rest = parts.pop() ?? '';
        for (const part of parts) this.#receive(part);
      });
      response.on('close', () => {
        this.ended = true;
      });
    });
    request.on('error', () => {
      this.ended = true;
    });
    request.end();
    this.#stop = () => void request.destroy();
    scope.teardown(this.#stop);
  }

  close(): void {
    this.#stop();
  }

  #receive(part: string): void {
    const event = /^event: (\w+)$/m.exec(part)?.[1];
    // Not `.`, which ends at U+2028: to a stream of events that is a character like others.
    const data = /^data: ([^\n]*)$/m.exec(part)?.[1];
    if (event === 'hello') this.hello = JSON.parse(data ?? '') as Hello;
    if (event !== 'rows') return;
    const { isFirst, totals, trouble, removed, rows } = JSON.parse(data ?? '') as RowsEvent;
    if (isFirst) this.rows.clear();
    for (const id of removed) this.rows.delete(id);
    for (const row of rows) this.rows.set(row.id, row);
    this.totals = totals;
    this.trouble = trouble;
    this.events++;
  }

  all<K extends AnyRow['kind']>(kind: K): Extract<AnyRow, { kind: K }>[] {
    return [...this.rows.values()].filter((row): row is Extract<AnyRow, { kind: K }> => row.kind === kind);
  }

  /** Waits for a row. */
  until<K extends AnyRow['kind']>(
    kind: K,
    is: (row: Extract<AnyRow, { kind: K }>) => boolean,
    what: string,
  ): Promise<Extract<AnyRow, { kind: K }>> {
    return until(() => this.all(kind).find(is), { deadline: 30_000, what }) as Promise<Extract<AnyRow, { kind: K }>>;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** `fetch` would not send a Host, an Origin or a Sec-Fetch-Site of the caller's choice. */
export function send(url: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers: { connection: 'close', ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** An action, as the page sends it. */
export async function act(
  url: string,
  view: View,
  wanted: object,
): Promise<{ status: number; text: string; outcomes: { at: string; isDone: boolean; text: string }[] }> {
  const { token } = await until(() => view.hello, { what: 'hello' });
  const { status, text } = await send(`${url}/act`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      origin: new URL(url).origin,
      ...(token === undefined ? {} : { 'x-inspector-token': token }),
    },
    body: JSON.stringify(wanted),
  });
  return { status, text, outcomes: status === 200 ? (JSON.parse(text) as { outcomes: [] }).outcomes : [] };
}
