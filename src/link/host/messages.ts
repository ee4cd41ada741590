/**
 * What a writer and a reader say to one another over the local socket: one JSON array a line, ASCII, at most 512 bytes.
 *
 *   writer  ['hello', 1, nonce]                       reader  ['join', 1, nonce, proof, epoch, version]   (what it has)
 *   writer  ['welcome', proof]
 *   writer  ['news', number, epoch, version, at]      reader  ['ack', number]
 *   writer  ['trouble', 0 or 1]                       reader  ['ask', epoch, version], ['prefer']          (of a relay)
 *
 * The proofs are HMACs over both nonces: each side knows the secret of the directory, and nobody learns it who only found the
 * socket's name in a list. `at` is when the writer last loaded that snapshot: milliseconds on
 * the host's monotonic clock, 0 where it hasn't loaded it again. `news` is sent when there is some, and again each second as a
 * sign of life; at most one is unacknowledged. A relay hands on what it gets from elsewhere: `trouble` says whether it has lost
 * that source; a reader that has heard of something newer there `ask`s for it; one that would do better as the relay says `prefer`.
 * Anything else closes the connection it came from.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { ProtocolError } from '../../core/errors.js';
import { toError } from '../../core/report.js';

export const PROTOCOL = 1;
const MAX_LINE = 512;

export type WriterMessage =
  | readonly ['hello', number, string]
  | readonly ['welcome', string]
  | readonly ['news', number, number, number, number]
  | readonly ['trouble', number];
export type ReaderMessage =
  | readonly ['join', number, string, string, number, number]
  | readonly ['ack', number]
  | readonly ['ask', number, number]
  | readonly ['prefer'];

/** What follows the word: `n` a safe integer of 0 or more, `h` up to 64 hexadecimal digits. */
const SHAPES: Readonly<Record<string, string>> = {
  hello: 'nh',
  welcome: 'h',
  news: 'nnnn',
  trouble: 'n',
  join: 'nhhnn',
  ack: 'n',
  ask: 'nn',
  prefer: '',
};
const HEX = /^[0-9a-f]{1,64}$/;

export function newNonce(): string {
  return randomBytes(16).toString('hex');
}

export function proof(token: string, role: 'writer' | 'reader', writerNonce: string, readerNonce: string, key: string): string {
  return createHmac('sha256', token).update(`${role}\0${writerNonce}\0${readerNonce}\0${key}`).digest('hex');
}

export function sameProof(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));
}

export function send(socket: Socket, message: WriterMessage | ReaderMessage): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** Hands each message that arrives to `onMessage`. The first that is none, or that it throws for, closes the connection. */
export function receive<M extends WriterMessage | ReaderMessage>(
  socket: Socket,
  words: readonly M[0][],
  onMessage: (message: M) => void,
): void {
  let rest = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    try {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) {
        if (socket.destroyed) return;
        onMessage(parse(line, words) as M);
      }
      if (rest.length > MAX_LINE) throw new ProtocolError(`Expected a line of at most ${MAX_LINE} bytes from the other process`);
    } catch (error) {
      socket.destroy(toError(error));
    }
  });
}

function parse(line: string, words: readonly string[]): readonly unknown[] {
  if (line.length <= MAX_LINE) {
    const message = parseJson(line);
    if (Array.isArray(message) && words.includes(message[0]) && hasShape(message.slice(1), SHAPES[message[0]] as string)) return message;
  }
  throw new ProtocolError(`Expected ${words.map((word) => `'${word}'`).join(' or ')} from the other process, got something else`);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function hasShape(values: readonly unknown[], shape: string): boolean {
  return (
    values.length === shape.length &&
    values.every((value, index) =>
      shape[index] === 'n' ? Number.isSafeInteger(value) && (value as number) >= 0 : typeof value === 'string' && HEX.test(value),
    )
  );
}
