/**
 * What a process does that is not the one of its host that follows Redis: it asks now and then what Redis has, over the connection that the
 * application has anyway. It costs one small command, and is what a relay that is frozen or lost can't take away.
 */
import { type Clock, type Timer } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { isCutOff } from '../../stores/redis/client.js';
import type { RedisCache } from '../../stores/redis/redis-cache.js';
import { RemoteCalls } from '../../stores/remote/calls.js';
import type { OwnClient } from '../redis/client.js';
import { reason } from '../redis/failures.js';
import { type Asker, type Look, look } from '../redis/look.js';
import { namesOf } from '../redis/names.js';
import { sealingOf } from '../redis/sealing.js';
import { ServerClock } from '../redis/server-clock.js';

/** Milliseconds until the first look: a process that starts under a relay that is frozen should not wait longer. */
const FIRST = 1000;

export interface LookoutOptions {
  readonly store: RedisCache;
  readonly key: string;
  /** The most milliseconds between two looks; `Infinity` for none but the first. */
  readonly every: number;
  readonly clock: Clock;
  onLook(look: Look): void;
}

export class Lookout {
  readonly #options: LookoutOptions;
  readonly #asker: Asker;
  readonly #serverClock = new ServerClock();
  #timer: Timer | undefined;
  #isOn = false;

  constructor(options: LookoutOptions) {
    this.#options = options;
    this.#asker = askerOf(options.store, options.clock);
  }

  /** Looks again within so many milliseconds, where the next look is due later. */
  hurry(delay: number): void {
    if (this.#isOn && delay < this.#options.every) this.#arm(delay);
  }

  start(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#arm(Math.min(FIRST, this.#options.every));
  }

  stop(): void {
    this.#isOn = false;
    this.#timer?.cancel();
  }

  /** What Redis has now; `undefined` where it can't be asked. */
  async look(): Promise<Look | undefined> {
    const { store, key, clock } = this.#options;
    try {
      const names = namesOf(store, key);
      return await look(this.#asker, { names, sealing: sealingOf(store, names.value) }, clock, this.#serverClock);
    } catch {
      // Whoever follows Redis says that it is away.
      return undefined;
    }
  }

  #arm(delay: number): void {
    if (!Number.isFinite(delay)) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(() => void this.#lookOnce(), delay * (0.8 + Math.random() * 0.2));
    this.#timer.unref();
  }

  async #lookOnce(): Promise<void> {
    const seen = await this.look();
    if (!this.#isOn) return;
    this.#arm(this.#options.every);
    if (seen) this.#options.onLook(seen);
  }
}

/** The user's own client, with the deadlines of the link. */
function askerOf(store: RedisCache, clock: Clock): Asker {
  return {
    run: (operation, ms, command) => {
      const calls = new RemoteCalls({ store: 'Redis', reason }, { readMs: ms, writeMs: ms, breaker: undefined, clock });
      return calls.read(operation, () => {
        if (isCutOff(store.client)) throw new StoreError('The client has no connection');
        return command(store.client as unknown as OwnClient);
      });
    },
  };
}
