/** The reader's side of the socket: one connection to the writer, from the attempt to its end. */
import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '../../core/clock.js';
import { StoreError, TimeoutError } from '../../core/errors.js';
import type { News } from '../ports.js';
import { HEARTBEAT } from './announcer.js';
import { newNonce, proof, PROTOCOL, receive, sameProof, send, type WriterMessage } from './messages.js';

/** A writer that said nothing for this long is frozen, or busy beyond use. It isn't dead: the kernel would have told. */
export const SILENCE: number = 3 * HEARTBEAT;

export interface ConnectionOptions {
  readonly path: string;
  readonly token: string;
  readonly key: string;
  readonly clock: Clock;
  readonly ref: boolean;
  /** This process would rather be the writer itself. */
  readonly prefers?: boolean;
  /** What this reader has, for the writer to know. */
  have(): News;
  /** The writer proved who it is. */
  onJoined(): void;
  /** Each time that the writer says something from then on. `troubled`: it has lost what it hands on. */
  onHeard(troubled: boolean): void;
  /** `confirmedAt`: when that was last loaded again unchanged (monotonic milliseconds), 0 for not at all. */
  onNews(news: News, confirmedAt: number): void;
  onSilence(error: Error): void;
  /** The connection ended, or was never made. Called once. `joined`: the writer had proved who it is. */
  onEnd(end: { joined: boolean; error: Error | undefined }): void;
}

export class WriterConnection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  #timer: Timer | undefined;
  #heard: number;
  #troubled = false;
  #state: 'greeting' | 'proving' | 'joined' | 'ended' = 'greeting';

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#heard = options.clock.monotonic();
    this.#socket = connect({ path: options.path });
    if (!options.ref) this.#socket.unref();
    let failure: Error | undefined;
    this.#socket.on('error', (error) => {
      failure = error;
    });
    this.#socket.on('close', () => this.#end(failure));
    this.#converse();
    this.#listenForSilence();
  }

  /** Tells the writer of news that it may not have yet. */
  ask({ epoch, version }: News): void {
    if (this.#state === 'joined') send(this.#socket, ['ask', epoch, version]);
  }

  close(): void {
    this.#state = 'ended';
    this.#timer?.cancel();
    this.#socket.destroy();
  }

  #converse(): void {
    const { token, key } = this.#options;
    const nonce = newNonce();
    let expected = '';
    receive<WriterMessage>(this.#socket, ['hello', 'welcome', 'news', 'trouble'], (message) => {
      if (message[0] === 'hello' && this.#state === 'greeting') {
        const [, protocol, writerNonce] = message;
        if (protocol !== PROTOCOL) {
          throw new StoreError(
            `The writer speaks version ${protocol} of the protocol, this process ${PROTOCOL}: it is told nothing, and polls`,
          );
        }
        const have = this.#options.have();
        expected = proof(token, 'writer', writerNonce, nonce, key);
        this.#state = 'proving';
        send(this.#socket, ['join', PROTOCOL, nonce, proof(token, 'reader', writerNonce, nonce, key), have.epoch, have.version]);
      } else if (message[0] === 'welcome' && this.#state === 'proving' && sameProof(message[1], expected)) {
        this.#state = 'joined';
        this.#options.onJoined();
        if (this.#options.prefers) send(this.#socket, ['prefer']);
        this.#hear();
      } else if (message[0] === 'trouble' && (this.#state === 'joined' || this.#state === 'proving')) {
        this.#troubled = message[1] === 1;
        if (this.#state === 'joined') this.#hear();
      } else if (message[0] === 'news' && this.#state === 'joined') {
        // Acknowledged before it is pulled: news is one small message, and what is newer by then comes in the next.
        send(this.#socket, ['ack', message[1]]);
        this.#hear();
        this.#options.onNews({ epoch: message[2], version: message[3] }, message[4]);
      } else {
        throw new StoreError("Another program holds the writer's socket: it doesn't know the secret of this directory");
      }
    });
  }

  #hear(): void {
    this.#heard = this.#options.clock.monotonic();
    this.#options.onHeard(this.#troubled);
  }

  #listenForSilence(): void {
    const { clock, ref } = this.#options;
    const due = clock.monotonic() + HEARTBEAT;
    this.#timer = clock.setTimer(() => {
      const now = clock.monotonic();
      // A timer that is late itself says that this thread was blocked: what the writer said meanwhile is still unread.
      const blocked = now - due > HEARTBEAT / 2;
      const silent = now - this.#heard;
      if (!blocked && silent >= SILENCE) {
        this.#options.onSilence(new TimeoutError(`The writer is connected, and was not heard for ${Math.round(silent)} ms`));
      }
      if (this.#state !== 'ended') this.#listenForSilence();
    }, HEARTBEAT);
    if (!ref) this.#timer.unref();
  }

  #end(error: Error | undefined): void {
    if (this.#state === 'ended') return;
    const joined = this.#state === 'joined';
    this.#state = 'ended';
    this.#timer?.cancel();
    this.#options.onEnd({ joined, error });
  }
}
