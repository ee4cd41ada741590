/** What all links of a process that were given the same client share: two connections, or three where one may become a writer. */
import type { Clock } from '../../core/clock.js';
import type { RedisClient } from '../../stores/redis/client.js';
import { checkDuplicable, duplicate, duplicateForSubscriptions } from './client.js';
import { Connection } from './connection.js';
import { Subscriptions } from './subscriptions.js';

const hubs = new WeakMap<RedisClient, Hub[]>();

/** One link's share of a hub. */
export interface Seat {
  readonly subscriptions: Subscriptions;
  /** For polls, and for snapshots, which may take a while. */
  readonly data: Connection;
  /** For leases, which must never wait behind a snapshot. */
  control(): Connection;
  /** Idempotent. The last one to leave closes everything. */
  leave(): void;
}

/** @throws TypeError for a client that can't be duplicated */
export function takeSeat(client: RedisClient, clock: Clock, isRef: boolean): Seat {
  checkDuplicable(client);
  const all = hubs.get(client) ?? [];
  hubs.set(client, all);
  let hub = all.find((one) => one.clock === clock);
  if (!hub) {
    hub = new Hub(client, clock, () => all.splice(all.indexOf(hub as Hub), 1));
    all.push(hub);
  }
  return hub.sit(isRef);
}

class Hub {
  readonly clock: Clock;
  readonly #client: RedisClient;
  readonly #onEmpty: () => void;
  readonly #timers: Clock;
  readonly #seats = new Map<Seat, boolean>();
  readonly #data: Connection;
  readonly #subscriber: Connection;
  readonly #subscriptions: Subscriptions;
  #control: Connection | undefined;

  constructor(client: RedisClient, clock: Clock, onEmpty: () => void) {
    this.clock = clock;
    this.#client = client;
    this.#onEmpty = onEmpty;
    this.#timers = unrefTimers(clock);
    this.#data = this.#connect();
    this.#subscriber = new Connection(() => duplicateForSubscriptions(client, this.#data.client), this.#timers, false);
    this.#data.listen({ onUp: () => this.#subscriber.hurry() });
    this.#subscriptions = new Subscriptions(this.#subscriber, this.#timers);
  }

  sit(isRef: boolean): Seat {
    const seat: Seat = {
      subscriptions: this.#subscriptions,
      data: this.#data,
      control: () => (this.#control ??= this.#connect()),
      leave: () => this.#leave(seat),
    };
    this.#seats.set(seat, isRef);
    this.#keepAlive();
    return seat;
  }

  #leave(seat: Seat): void {
    if (!this.#seats.delete(seat)) return;
    if (this.#seats.size > 0) {
      this.#keepAlive();
      return;
    }
    this.#onEmpty();
    this.#subscriptions.close();
    for (const connection of [this.#subscriber, this.#data, this.#control]) connection?.close();
  }

  #connect(): Connection {
    return new Connection(() => duplicate(this.#client), this.#timers, this.#isRef);
  }

  get #isRef(): boolean {
    return [...this.#seats.values()].includes(true);
  }

  #keepAlive(): void {
    for (const connection of [this.#subscriber, this.#data, this.#control]) connection?.keepAlive(this.#isRef);
  }
}

/** The same clock, none of whose timers keeps the process alive: the sockets do, where something should. */
export function unrefTimers(clock: Clock): Clock {
  return {
    wall: () => clock.wall(),
    monotonic: () => clock.monotonic(),
    setTimer(callback, delay) {
      const timer = clock.setTimer(callback, delay);
      timer.unref();
      return { cancel: () => timer.cancel(), ref: () => undefined, unref: () => undefined };
    },
  };
}
