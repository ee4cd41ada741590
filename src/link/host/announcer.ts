/** The writer's side of the socket: tells each reader the newest news, one unacknowledged message at a time. */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../core/clock.js';
import { ProtocolError } from '../../core/errors.js';
import { NO_NEWS, newsOf, type Announcer, type News } from '../ports.js';
import { newNonce, proof, PROTOCOL, receive, sameProof, send, type ReaderMessage } from './messages.js';

/** More processes than this don't follow one key on one host; whoever opens more connections is not let in. */
const MAX_CONNECTIONS = 1024;
/** For proving that it may join, a connection has this many milliseconds: a reader may be blocked meanwhile. */
const JOIN_WITHIN = 15_000;
/** The news is told again this often, as a sign of life. */
export const HEARTBEAT = 1000;

export interface AnnouncerOptions {
  readonly token: string;
  readonly key: string;
  readonly clock: Clock;
  readonly ref: boolean;
  /** A reader joined, and this is what it has. */
  onReader(has: News): void;
  /** Each second, before the sign of life. */
  onBeat(): void;
  /** A reader has heard of this, and that it isn't here yet. */
  onAsked?(news: News): void;
  /** A reader would rather be in this place. */
  onPreferred?(): void;
}

interface Reader {
  readonly socket: Socket;
  joined: boolean;
  /** The number of the message that it hasn't acknowledged; 0 for none. */
  unacknowledged: number;
  /** Whether there is something newer than that message. */
  behind: boolean;
  /** What it was told last of the writer's own source. */
  troubled: boolean;
}

export class SocketAnnouncer implements Announcer {
  readonly #options: AnnouncerOptions;
  readonly #readers = new Set<Reader>();
  #news: News = NO_NEWS;
  /** When that was loaded again unchanged: monotonic milliseconds, 0 for not at all. */
  #confirmedAt = 0;
  #troubled = false;
  #lastNumber = 0;
  #beat: Timer | undefined;
  #closed = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#armBeat();
  }

  get readers(): number {
    let joined = 0;
    for (const reader of this.#readers) if (reader.joined) joined += 1;
    return joined;
  }

  announce(news: News): void {
    this.#news = newsOf(news);
    this.#confirmedAt = 0;
    for (const reader of this.#readers) this.#tell(reader);
  }

  /** Tells that the news was loaded again unchanged at that moment (monotonic milliseconds). */
  confirm(at: number): void {
    this.#confirmedAt = Math.floor(at);
    for (const reader of this.#readers) this.#tell(reader);
  }

  /** Tells whether the source of what is announced here is lost. */
  trouble(is: boolean): void {
    if (this.#troubled === is) return;
    this.#troubled = is;
    for (const reader of this.#readers) this.#tell(reader);
  }

  /** Ends every connection. The server is the lease's, and is closed by it. */
  close(): Promise<void> {
    this.#closed = true;
    this.#beat?.cancel();
    for (const { socket } of this.#readers) socket.destroy();
    this.#readers.clear();
    return Promise.resolve();
  }

  /** Newest wins: what a reader hasn't taken is one flag, however often something was announced meanwhile. */
  #tell(reader: Reader): void {
    if (!reader.joined) return;
    if (reader.unacknowledged !== 0) {
      reader.behind = true;
      return;
    }
    this.#lastNumber += 1;
    reader.unacknowledged = this.#lastNumber;
    reader.behind = false;
    this.#tellTrouble(reader);
    send(reader.socket, ['news', this.#lastNumber, this.#news.epoch, this.#news.version, this.#confirmedAt]);
  }

  /** Takes a connection that was made to the writer's socket. */
  accept(socket: Socket): void {
    const { token, key, clock, ref } = this.#options;
    socket.on('error', () => socket.destroy());
    if (this.#closed || this.#readers.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    if (!ref) socket.unref();
    const reader: Reader = { socket, joined: false, unacknowledged: 0, behind: false, troubled: false };
    const nonce = newNonce();
    const deadline = clock.setTimer(() => socket.destroy(), JOIN_WITHIN);
    deadline.unref();
    this.#readers.add(reader);
    socket.on('close', () => {
      deadline.cancel();
      this.#readers.delete(reader);
    });
    receive<ReaderMessage>(socket, ['join', 'ack', 'ask', 'prefer'], (message) => {
      if (message[0] !== 'join') {
        this.#hear(reader, message);
        return;
      }
      const [, protocol, readerNonce, itsProof, epoch, version] = message;
      if (reader.joined || protocol !== PROTOCOL) throw new ProtocolError('A reader joined twice, or in another protocol');
      if (!sameProof(itsProof, proof(token, 'reader', nonce, readerNonce, key))) throw new ProtocolError('A stranger tried to join');
      deadline.cancel();
      reader.joined = true;
      // Before it is welcomed, so that it doesn't take this writer for live in between.
      this.#tellTrouble(reader);
      send(socket, ['welcome', proof(token, 'writer', nonce, readerNonce, key)]);
      this.#tell(reader);
      this.#options.onReader({ epoch, version });
    });
    send(socket, ['hello', PROTOCOL, nonce]);
  }

  #tellTrouble(reader: Reader): void {
    if (reader.troubled === this.#troubled) return;
    reader.troubled = this.#troubled;
    send(reader.socket, ['trouble', this.#troubled ? 1 : 0]);
  }

  #hear(reader: Reader, message: Exclude<ReaderMessage, readonly ['join', ...unknown[]]>): void {
    if (!reader.joined) throw new ProtocolError('A reader spoke before it had joined');
    if (message[0] === 'ask') {
      this.#options.onAsked?.({ epoch: message[1], version: message[2] });
    } else if (message[0] === 'prefer') {
      this.#options.onPreferred?.();
    } else {
      if (message[1] === 0 || message[1] !== reader.unacknowledged) throw new ProtocolError('A reader acknowledged what it was not told');
      reader.unacknowledged = 0;
      if (reader.behind) this.#tell(reader);
    }
  }

  #armBeat(): void {
    this.#beat = this.#options.clock.setTimer(() => {
      this.#options.onBeat();
      if (this.#closed) return;
      for (const reader of this.#readers) this.#tell(reader);
      this.#armBeat();
    }, HEARTBEAT);
    if (!this.#options.ref) this.#beat.unref();
  }
}
