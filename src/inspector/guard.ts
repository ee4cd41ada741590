/** Who may ask. A page that shows an application from within is for its developers, on its machine. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

export interface Access {
  /** Whether other machines may ask. */
  readonly allowRemote: boolean;
  /** Names in `Host` besides `localhost` and addresses; lower case, without a port. */
  readonly hosts: ReadonlySet<string>;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** What a proxy adds: the request comes from somewhere else than its connection does. */
const FORWARDED = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
  'cf-connecting-ip',
  'true-client-ip',
];

/**
 * Why a request is refused; `undefined` for one that isn't.
 *
 * 1. It must come from this machine, and not through a proxy on it. (One that hides itself, and speaks HTTP/1.1, can't be told.)
 * 2. `Host` must be a name of this machine: a page of another site, whose own name was bound to 127.0.0.1 meanwhile, sends its own.
 * 3. No page of another site may ask on behalf of its reader.
 */
export function refusal(request: IncomingMessage, { allowRemote, hosts }: Access): string | undefined {
  if (!allowRemote) {
    const local = 'This inspector answers requests from its own machine only. ';
    if (!isLoopback(request.socket.remoteAddress)) return `${local}Set \`allowRemote\` to change that`;
    if (request.httpVersionMajor === 1 && request.httpVersionMinor === 0)
      return `${local}This one speaks HTTP/1.0, as a proxy does. Set \`allowRemote\` to change that`;
    const header = FORWARDED.find((name) => request.headers[name] !== undefined);
    if (header !== undefined) return `${local}This one came through a proxy (${header}). Set \`allowRemote\` to change that`;
  }
  const host = hostOf(request);
  const name = host === undefined ? undefined : nameOf(host);
  if (host === undefined || name === undefined) return 'Expected one well-formed Host';
  if (!isOwnName(name, allowRemote) && !hosts.has(name)) {
    return 'This inspector does not go by the name in Host. Add it to `hosts`';
  }
  const site = request.headers['sec-fetch-site'];
  const isNavigation = request.headers['sec-fetch-mode'] === 'navigate' && request.method === 'GET';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation) return 'Another site asked';
  const { origin } = request.headers;
  if (origin !== undefined && !isOrigin(origin, host)) return 'Another site asked';
  return undefined;
}

/** Whether a browser says, or the sender claims, that the page itself asks. */
export function isFromPage(request: IncomingMessage): boolean {
  return request.headers.origin !== undefined || request.headers['sec-fetch-site'] === 'same-origin';
}

function isLoopback(address: string | undefined): boolean {
  // Of a socket that is a file there is none: whoever uses one has a proxy in front.
  if (address === undefined) return false;
  const plain = address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
  const family = isIP(plain);
  return family !== 0 && loopback.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}

function hostOf({ headers }: IncomingMessage): string | undefined {
  const host = headers.host ?? headers[':authority'];
  return typeof host === 'string' && host !== '' ? host.toLowerCase() : undefined;
}

/** Without the port; an IPv6 address without its brackets. */
function nameOf(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/.exec(host);
  return match?.[1] ?? match?.[2]?.replace(/\.$/, '');
}

function isOwnName(name: string, allowRemote: boolean): boolean {
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  // No name was looked up, so none can have been rebound.
  return isIP(name) !== 0 && (allowRemote || isLoopback(name));
}

function isOrigin(origin: string, host: string): boolean {
  try {
    return new URL(origin).host === new URL(`http://${host}`).host || new URL(origin).host === host;
  } catch {
    return false;
  }
}
