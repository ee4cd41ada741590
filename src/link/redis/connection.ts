/**
 * One connection of the link's own that is made again whenever it is lost, or given up because it doesn't answer.
 *
 * `down`: the timer of the next attempt is set. `opening`: an attempt is under way. `up`: commands can be given. `closed`: for good.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../core/clock.js';
import { StoreError, TimeoutError } from '../../core/errors.js';
import { toError } from '../../core/report.js';
import { backoffDelay } from '../../scheduler/backoff.js';
import { RemoteCalls } from '../../stores/remote/calls.js';
import { type MakeClient, onSocket, type OwnClient } from './client.js';
import { kindOfFailure, reason } from './failures.js';

const BACKOFF = { base: 100, max: 2000 };
/** How long an attempt may take, in milliseconds: connecting, greeting, loading. */
const ATTEMPT = 5000;

/** Deadlines in milliseconds. */
export const READ_WITHIN = 1000;
export const WRITE_WITHIN = 2000;

/** A large snapshot gets the time that it takes at 4 MB a second, besides; in whole seconds, so that there are few different deadlines. */
export function allowFor(bytes: number): number {
  return bytes < 100_000 ? 0 : Math.ceil(bytes / 4_194_304) * 1000;
}

export interface ConnectionEvents {
  onUp?(): void;
  /** It was lost, or an attempt failed. */
  onDown?(error: Error): void;
}

export class Connection {
  readonly #make: MakeClient;
  readonly #clock: Clock;
  readonly #listeners = new Set<ConnectionEvents>();
  /** By deadline: the operations of one share a timer. */
  readonly #calls = new Map<number, RemoteCalls>();
  #state: 'down' | 'opening' | 'up' | 'closed' = 'down';
  #client: OwnClient | undefined;
  readonly #sockets = new Set<Socket>();
  #isRef: boolean;
  #timer: Timer | undefined;
  #failures = 0;
  #lastError: Error | undefined;

  /** @param clock whose timers don't keep a process alive. @param isRef whether the sockets do */
  constructor(make: MakeClient, clock: Clock, isRef: boolean) {
    this.#make = make;
    this.#clock = clock;
    this.#isRef = isRef;
    this.#open();
  }

  /** The client, while commands can be given. */
  get client(): OwnClient | undefined {
    return this.#state === 'up' ? this.#client : undefined;
  }

  listen(events: ConnectionEvents): () => void {
    this.#listeners.add(events);
    return () => void this.#listeners.delete(events);
  }

  /**
   * Gives a command, with a deadline. A connection that doesn't answer, or whose server says that it is not the one to ask, is given up.
   *
   * @throws TimeoutError, or StoreError with what the client threw as its cause; at once where there is no connection
   */
  async run<T>(operation: string, ms: number, command: (client: OwnClient) => Promise<T>): Promise<T> {
    const { client } = this;
    if (!client) throw this.#lastError ?? new StoreError('Redis is not connected yet');
    try {
      return await this.#within(ms).read(operation, () => command(client));
    } catch (thrown) {
      const error = toError(thrown);
      if (['timeout', 'out-of-place'].includes(kindOfFailure(error))) this.#lose(client, error);
      throw error;
    }
  }

  /** Now is a good moment for an attempt that is due later. */
  hurry(): void {
    if (this.#state !== 'down') return;
    this.#timer?.cancel();
    this.#open();
  }

  /** Whether its sockets keep the process alive. */
  keepAlive(isRef: boolean): void {
    this.#isRef = isRef;
    for (const socket of this.#sockets) this.#keep(socket);
  }

  close(): void {
    this.#state = 'closed';
    this.#listeners.clear();
    this.#end();
  }

  #within(ms: number): RemoteCalls {
    let calls = this.#calls.get(ms);
    if (!calls) {
      calls = new RemoteCalls({ store: 'Redis', reason }, { readMs: ms, writeMs: ms, breaker: undefined, clock: this.#clock });
      this.#calls.set(ms, calls);
    }
    return calls;
  }

  #open(): void {
    this.#state = 'opening';
    let client: OwnClient | undefined;
    try {
      client = this.#make();
    } catch (error) {
      this.#retryLater(toError(error));
      return;
    }
    if (!client) {
      this.#state = 'down';
      this.#timer = this.#clock.setTimer(() => this.#open(), BACKOFF.max);
      return;
    }
    this.#follow(client);
  }

  #follow(client: OwnClient): void {
    let why: Error | undefined;
    this.#client = client;
    onSocket(client, (socket) => {
      if (this.#client !== client) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.#keep(socket);
    });
    // What is no error of a command comes here; without a listener it would be printed.
    client.on('error', (error: unknown) => {
      why = toError(error);
    });
    client.on('ready', () => this.#rise(client));
    client.on('end', () => this.#lose(client, why));
    client.connect().catch(() => undefined);
    this.#timer = this.#clock.setTimer(
      () => this.#lose(client, new TimeoutError(`Redis couldn't be reached within ${ATTEMPT / 1000} s`)),
      ATTEMPT,
    );
  }

  #rise(client: OwnClient): void {
    if (this.#client !== client || this.#state !== 'opening') return;
    this.#timer?.cancel();
    this.#state = 'up';
    this.#failures = 0;
    this.#lastError = undefined;
    for (const { onUp } of [...this.#listeners]) onUp?.();
  }

  /** Gives this client up, if it is still the one, and makes another one in a while. */
  #lose(client: OwnClient, why: Error | undefined): void {
    if (this.#client !== client || this.#state === 'closed') return;
    this.#end();
    this.#retryLater(why);
  }

  #retryLater(why: Error | undefined): void {
    this.#state = 'down';
    const delay = backoffDelay(this.#failures, BACKOFF);
    this.#failures += 1;
    this.#timer = this.#clock.setTimer(() => this.#open(), delay);
    const error = new StoreError(`Redis is not connected: ${why ? reason(why) : 'the connection was closed'}`, why ? { cause: why } : {});
    this.#lastError = error;
    for (const { onDown } of [...this.#listeners]) onDown?.(error);
  }

  #end(): void {
    this.#timer?.cancel();
    const client = this.#client;
    this.#client = undefined;
    // Of one that has ended already, ioredis would wait for an end that was.
    if (client && client.status !== 'end') client.disconnect();
    // `disconnect` alone waits for the other side to hang up, and one that is gone never does.
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #keep(socket: Socket): void {
    if (this.#isRef) socket.ref();
    else socket.unref();
  }
}
