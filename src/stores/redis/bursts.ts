/**
 * The commands of one turn of the event loop leave in parcels, a system call for each: a call for each command costs more than all else that
 * a small command needs (2 of 3.6 µs).
 *
 * 1. The first one of a turn leaves at once: who asks alone waits for nothing.
 * 2. The next ones are held in the socket's own buffer, a parcel at a time and no more: Redis works on one while the next is made.
 * 3. At the end of the turn, before anything could be received, what is held leaves.
 *
 * Nothing is reordered, and commands that others give to the same client in that turn go along.
 */
import { type RedisClient, type Socket, socketOf } from './client.js';

/** Commands in a parcel. With 50 under way 8 to 32 are alike; with all in one, client and server would wait for one another in turns. */
const COMMANDS = 16;
/** What is larger leaves by itself: holding it back would save nothing. */
const BYTES = 16_384;

export class Bursts {
  readonly #client: RedisClient;
  #isTurn = false;
  #held: Socket | undefined;
  #left = 0;

  constructor(client: RedisClient) {
    this.#client = client;
  }

  /** To be called before each command. @param bytes about how large it is */
  next(bytes: number): void {
    if (!this.#isTurn) {
      this.#isTurn = true;
      process.nextTick(this.#end);
    } else if (this.#left === 0 || bytes > BYTES) {
      this.#release();
      if (bytes <= BYTES) this.#hold();
    } else {
      this.#left--;
    }
  }

  readonly #end = (): void => {
    this.#isTurn = false;
    this.#release();
  };

  #hold(): void {
    this.#held = socketOf(this.#client);
    this.#held?.cork();
    this.#left = COMMANDS - 1;
  }

  #release(): void {
    this.#left = 0;
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    held.uncork();
  }
}
