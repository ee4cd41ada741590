/**
 * What the servers for S3 and GCS have in common: a real HTTP server on 127.0.0.1 that keeps objects in memory, counts what it is asked,
 * and does as badly as it is told.
 */
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Scope } from './process.js';

export interface StoredObject {
  bytes: Buffer;
  readonly tag: string;
  contentType: string;
  metadata: Record<string, string>;
  metageneration: number;
}

export interface Asked {
  readonly method: string;
  /** As it came: still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

/**
 * `hang`: no answer, ever. `hang-in-body`: the head and the first bytes, then nothing. `reset`: the connection is cut. `lost`: it is done, and
 * then the connection is cut. Anything else is answered in place of the real answer.
 */
export type Fault = 'hang' | 'hang-in-body' | 'reset' | 'lost' | Answer;

export interface ObjectServer {
  readonly url: string;
  readonly objects: Map<string, StoredObject>;
  readonly asked: Asked[];
  /** Asked before each answer. */
  fault: ((asked: Asked) => Fault | undefined) | undefined;
  /** Requests whose sender went away before they were answered. */
  readonly abandoned: number;
}

export async function objectServer(
  scope: Scope,
  answer: (asked: Asked, objects: Map<string, StoredObject>) => Answer,
): Promise<ObjectServer> {
  const objects = new Map<string, StoredObject>();
  const asked: Asked[] = [];
  let abandoned = 0;
  const server = createServer((request, response) => {
    response.on('close', () => {
      if (!response.writableEnded) abandoned++;
    });
    void serve(request, response);
  });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const one = {
      method: request.method ?? '',
      path,
      query: new URLSearchParams(query),
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    asked.push(one);
    const fault = self.fault?.(one);
    if (fault === 'hang') return;
    if (fault === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    // From here to the answer nothing is awaited: conditions are checked and met in one go.
    const { status, headers = {}, body = '' } = typeof fault === 'object' ? fault : answer(one, objects);
    if (fault === 'lost') {
      request.socket.resetAndDestroy();
      return;
    }
    // Longer than what will come, also where the answer has no body.
    const length = Buffer.byteLength(body) + (fault === 'hang-in-body' ? 100 : 0);
    response.writeHead(status, { ...(status === 204 ? {} : { 'content-length': String(length) }), ...headers });
    if (fault === 'hang-in-body') response.write(Buffer.from(body).subarray(0, 4));
    else response.end(one.method === 'HEAD' ? undefined : body);
  };
  const self = {
    url: '',
    objects,
    asked,
    fault: undefined,
    get abandoned() {
      return abandoned;
    },
  } as ObjectServer & { url: string };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  self.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  scope.teardown(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  return self;
}

/** The part of `bytes` that a `Range` header asks for. */
export function ranged(bytes: Buffer, range: string | undefined): { status: number; bytes: Buffer; headers: Record<string, string> } {
  const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
  if (!match) return { status: 200, bytes, headers: {} };
  const from = Number(match[1]);
  if (from >= bytes.length) return { status: 416, bytes: Buffer.alloc(0), headers: { 'content-range': `bytes */${bytes.length}` } };
  const part = bytes.subarray(from, Number(match[2]) + 1);
  return { status: 206, bytes: part, headers: { 'content-range': `bytes ${from}-${from + part.length - 1}/${bytes.length}` } };
}
