/** Listens to channels on one connection, which is asked for a sign of life and given up when it gives none. */
import type { Clock, Timer } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { toError } from '../../core/report.js';
import { backoffDelay } from '../../scheduler/backoff.js';
import { type Connection, READ_WITHIN } from './connection.js';

/** Milliseconds between two signs of life, and how long one may take. A connection that is cut in silence is found within both. */
const PING_EVERY = 5000;
const PONG_WITHIN = 5000;

const RETRY = { base: 500, max: 5000 };

export interface Listener {
  onMessage(message: string): void;
  /** From now on nothing is missed. Told after each time that the channel was subscribed to. */
  onSubscribed(): void;
  /** Nothing is heard now. */
  onUnsubscribed(error: Error): void;
}

interface Channel {
  readonly name: string;
  readonly listeners: Set<Listener>;
  isSubscribed: boolean;
  attempt: number;
  retry: Timer | undefined;
}

export class Subscriptions {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #channels = new Map<string, Channel>();
  #ping: Timer | undefined;

  /** @param clock whose timers don't keep a process alive */
  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
    connection.listen({ onUp: () => this.#onUp(), onDown: (error) => this.#onDown(error) });
  }

  /** Answers the way to stop. */
  add(name: string, listener: Listener): () => void {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { name, listeners: new Set(), isSubscribed: false, attempt: 0, retry: undefined };
      this.#channels.set(name, channel);
    }
    const { listeners } = channel;
    listeners.add(listener);
    if (channel.isSubscribed) queueMicrotask(() => void (listeners.has(listener) && listener.onSubscribed()));
    else void this.#subscribe(channel);
    return () => this.#remove(channel, listener);
  }

  close(): void {
    this.#ping?.cancel();
    for (const { retry } of this.#channels.values()) retry?.cancel();
    this.#channels.clear();
  }

  #remove(channel: Channel, listener: Listener): void {
    channel.listeners.delete(listener);
    if (channel.listeners.size > 0 || this.#channels.get(channel.name) !== channel) return;
    this.#channels.delete(channel.name);
    channel.retry?.cancel();
    // If it fails, messages come that nobody listens to.
    this.#connection.run('unsubscribe', READ_WITHIN, (client) => client.unsubscribe(channel.name)).catch(() => undefined);
  }

  #onUp(): void {
    this.#connection.client?.on('message', (name: string, message: string) => {
      const channel = this.#channels.get(name);
      for (const listener of channel?.listeners ?? []) listener.onMessage(message);
    });
    for (const channel of this.#channels.values()) void this.#subscribe(channel);
    this.#armPing();
  }

  #onDown(error: Error): void {
    this.#ping?.cancel();
    for (const channel of this.#channels.values()) {
      channel.isSubscribed = false;
      channel.retry?.cancel();
      for (const listener of [...channel.listeners]) listener.onUnsubscribed(error);
    }
  }

  /** Each channel by a command of its own: one that isn't allowed leaves the others alone. Never rejects. */
  async #subscribe(channel: Channel): Promise<void> {
    const { client } = this.#connection;
    if (!client) return;
    const isCurrent = (): boolean => this.#channels.get(channel.name) === channel && this.#connection.client === client;
    try {
      await this.#connection.run('subscribe', READ_WITHIN, () => client.subscribe(channel.name));
      if (!isCurrent() || channel.isSubscribed) return;
      channel.isSubscribed = true;
      channel.attempt = 0;
      for (const listener of [...channel.listeners]) listener.onSubscribed();
    } catch (thrown) {
      // Where the connection is lost, its end is told, and all begins anew.
      if (!isCurrent()) return;
      const cause = toError(thrown);
      for (const listener of [...channel.listeners])
        listener.onUnsubscribed(new StoreError(cause.message, { cause: cause.cause ?? cause }));
      channel.retry?.cancel();
      channel.retry = this.#clock.setTimer(() => void this.#subscribe(channel), backoffDelay(channel.attempt++, RETRY));
    }
  }

  #armPing(): void {
    this.#ping?.cancel();
    this.#ping = this.#clock.setTimer(() => {
      // A connection that gives no answer is given up by `run`, and made anew.
      this.#connection.run('ping', PONG_WITHIN, (client) => client.ping()).catch(() => undefined);
      this.#armPing();
    }, PING_EVERY);
  }
}
