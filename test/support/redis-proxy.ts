/**
 * A TCP proxy in front of a Redis, whose faults a test drives: connections that are cut, refused, delayed or silent (half-open: nothing is
 * delivered and nobody hangs up), and announcements that are lost, doubled or held back.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Scope } from './process.js';

/** What becomes of one announcement: the messages to deliver in its place, in order. */
export type Meddle = (message: string) => readonly string[];

export interface RedisProxy {
  readonly port: number;
  /** Connections through it. */
  readonly connections: number;
  /** Connections that were ever made through it. */
  readonly accepted: number;
  /** Ends every connection; `one`: a random one. */
  cut(one?: boolean): void;
  /** Whether new connections are ended at once. */
  refuses: boolean;
  /** Milliseconds by which each packet from Redis comes late. */
  delay: number;
  /** Whether connections (`'subscribers'`: those that have subscribed) deliver nothing in either direction, and stay open. */
  silent: boolean | 'subscribers';
  /** The same towards Redis only is let through: commands arrive, and their answers don't. */
  mute: boolean;
  meddle: Meddle | undefined;
}

/** @param address of the Redis: the path of its socket */
export async function startProxy(scope: Scope, address: string): Promise<RedisProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer();
  const proxy = {
    port: 0,
    accepted: 0,
    refuses: false,
    delay: 0,
    silent: false as RedisProxy['silent'],
    mute: false,
    meddle: undefined as Meddle | undefined,
    get connections() {
      return pairs.size;
    },
    cut(one = false) {
      const all = [...pairs];
      const chosen = one ? [all[Math.floor(Math.random() * all.length)]] : all;
      for (const pair of chosen) for (const socket of pair ?? []) socket.destroy();
    },
  };
  server.on('connection', (down) => {
    if (proxy.refuses) {
      down.destroy();
      return;
    }
    proxy.accepted += 1;
    const up = connect(address);
    const pair = [down, up] as const;
    pairs.add(pair);
    let subscriber = false;
    const isSilent = (): boolean => proxy.silent === true || (proxy.silent === 'subscribers' && subscriber);
    const frames = new Frames();
    down.on('data', (chunk: Buffer) => {
      subscriber ||= /\r\nsubscribe\r\n/i.test(chunk.toString('latin1'));
      if (!isSilent()) up.write(chunk);
    });
    up.on('data', (chunk: Buffer) => {
      if (isSilent() || proxy.mute) return;
      const out = subscriber ? frames.push(chunk, proxy.meddle) : chunk;
      if (proxy.delay === 0) down.write(out);
      else setTimeout(() => void (!down.destroyed && !isSilent() && down.write(out)), proxy.delay);
    });
    const end = (): void => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end).setNoDelay(true);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy.port = (server.address() as AddressInfo).port;
  scope.teardown(() => {
    proxy.cut();
    server.close();
  });
  return proxy;
}

/** Finds the announcements in what Redis tells a subscriber: arrays (or, since RESP3, pushes) of `message`, channel and text. */
class Frames {
  #rest = '';

  push(chunk: Buffer, meddle: Meddle | undefined): Buffer {
    this.#rest += chunk.toString('latin1');
    let out = '';
    for (;;) {
      const length = frameLength(this.#rest, 0);
      if (length === undefined) return Buffer.from(out, 'latin1');
      const frame = this.#rest.slice(0, length);
      this.#rest = this.#rest.slice(length);
      const [, head, message = ''] = /^([>*]3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n)\$\d+\r\n([^\r]*)\r\n$/.exec(frame) ?? [];
      if (head === undefined || !meddle) out += frame;
      else for (const text of meddle(message)) out += `${head}$${text.length}\r\n${text}\r\n`;
    }
  }
}

/** How long the frame at `from` is; `undefined` while it isn't all there. */
function frameLength(text: string, from: number): number | undefined {
  const line = text.indexOf('\r\n', from);
  if (line < 0) return undefined;
  const head = line + 2 - from;
  const count = Number(text.slice(from + 1, line));
  const kind = text[from] ?? '';
  if ('$=!'.includes(kind)) {
    const length = count < 0 ? head : head + count + 2;
    return text.length >= from + length ? length : undefined;
  }
  if (!'*>%~'.includes(kind)) return head;
  let length = head;
  for (let i = 0; i < (kind === '%' ? count * 2 : count); i++) {
    const part = frameLength(text, from + length);
    if (part === undefined) return undefined;
    length += part;
  }
  return length;
}
