/** The little of HTTP that `healthHandler` and the inspector share. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * A handler for `node:http`, and so for Express (`app.use(handler)`), Connect, and Fastify's `onRequest` hook. It answers whether
 * the request was its own; if not it has done nothing but call `next`, where there is one.
 */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => boolean;

/** A path that a handler answers to: starts with a slash, and has none at its end. */
export function normalizePath(path: string): string {
  return `/${path.replace(/^\/+|\/+$/g, '')}`.replace(/^\/$/, '');
}

/**
 * The path that was asked for, as this handler sees it, and, where a framework has cut off the prefix that it is mounted at,
 * as the client sees it.
 */
export function pathsOf(request: IncomingMessage): string[] {
  const { originalUrl } = request as { originalUrl?: unknown };
  const urls = typeof originalUrl === 'string' && originalUrl !== request.url ? [request.url ?? '/', originalUrl] : [request.url ?? '/'];
  return urls.map((url) => url.split('?', 1)[0] as string);
}

/** Ends the answer. Nothing keeps it: it is about this moment. */
export function answer(request: IncomingMessage, response: ServerResponse, status: number, type: string, body: string): void {
  response.statusCode = status;
  response.setHeader('content-type', `${type}; charset=utf-8`);
  response.setHeader('content-length', Buffer.byteLength(body));
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  response.end(request.method === 'HEAD' ? undefined : body);
}
