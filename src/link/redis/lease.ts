/** The writer's role as this candidate holds it: a key of Redis that runs out, and everything that may be done only while it doesn't. */
import type { Timer } from '../../core/clock.js';
import { ProtocolError, StoreError } from '../../core/errors.js';
import { toError } from '../../core/report.js';
import type { Snapshot } from '../../core/snapshot.js';
import { run, type Script } from '../../stores/redis/scripts.js';
import { encodeEntry } from '../../wire/entry.js';
import { type Connection, WRITE_WITHIN, allowFor } from './connection.js';
import type { Seat } from './hub.js';
import { FREE } from './look.js';
import type { RedisLinkSettings } from './options.js';
import type { Wanted } from './outbox.js';
import { CONFIRM, PUBLISH, RELEASE, RENEW, TAKE } from './scripts.js';
import { digestOf, type Numbers } from './sealing.js';
import { ServerClock } from './server-clock.js';

/** Larger entries take the script's text along, lest they go twice to a server that doesn't know it. */
const LARGE = 65_536;

const UNSEALED = { tail: Buffer.alloc(0), digest: '', seal: '' };

/** The holder of the lease, and for how many milliseconds still; or the epoch that was granted. */
export type Answer = { readonly holder: string; readonly left: number } | { readonly holder: undefined; readonly epoch: number };

export interface LeaseEvents {
  /** It was lost without being given up. */
  onLost(error: Error): void;
  /** `isIntact`: what was published last is there. */
  onRenewed(isIntact: boolean): void;
  /** It couldn't be renewed this time, or there is no connection. */
  onFailure(error: unknown): void;
  /** Redis can be asked (again). */
  onUp(): void;
}

interface Held {
  readonly epoch: number;
  /**
   * When it is over, by this host's monotonic clock, counted from before Redis was asked: not later than by Redis's, but for suspends of the
   * machine that were too short to be seen (`core/suspension.ts`), against which there is the fence.
   */
  until: number;
  version: number;
}

export class Lease {
  readonly #settings: RedisLinkSettings;
  readonly #events: LeaseEvents;
  readonly #data: Connection;
  readonly #control: Connection;
  readonly #unlisten: () => void;
  readonly #serverClock = new ServerClock();
  #held: Held | undefined;
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;

  constructor(seat: Seat, settings: RedisLinkSettings, events: LeaseEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#data = seat.data;
    this.#control = seat.control();
    this.#unlisten = this.#control.listen({
      onUp: () => {
        if (this.#held) void this.#renew();
        else events.onUp();
      },
      onDown: (error) => events.onFailure(error),
    });
    if (this.isReachable) events.onUp();
  }

  /** Whether both the lease and what is stored can be asked for: one who takes over looks at what there is. */
  get isReachable(): boolean {
    return this.#control.client !== undefined && this.#data.client !== undefined;
  }

  /** Milliseconds; `undefined` where it isn't held. */
  get left(): number | undefined {
    return this.#held && Math.max(0, this.#held.until - this.#settings.clock.monotonic());
  }

  /** @param gone the id of a holder that is known to be dead */
  async take(seenEpoch: number, gone: string): Promise<Answer> {
    const { id, leaseMs, clock } = this.#settings;
    const asked = clock.monotonic();
    const [word, what, more] = await this.#ask('take the lease', TAKE, id, leaseMs, seenEpoch, gone);
    if (word === 'HELD') return { holder: String(what), left: Math.max(0, Number(more)) };
    this.#serverClock.learn(asked, Number(more), clock.monotonic());
    const epoch = Number(what);
    this.#held = { epoch, until: asked + leaseMs, version: 0 };
    this.#arm();
    return { holder: undefined, epoch };
  }

  /** Answers the time (of Redis) that the snapshot got. @throws StoreError or TimeoutError; unless it is the one that `onLost` got, it may have happened or not */
  async publish(snapshot: Wanted): Promise<number> {
    const { id, names } = this.#settings;
    const { epoch, version, bytes, checksum, codec, freshFor, createdAt } = snapshot;
    // The script writes the moments of Redis's clock over these.
    const entry = encodeEntry(bytes, (createdAt + freshFor) / 1000, createdAt / 1000);
    const fresh = freshFor === Infinity ? 'inf' : Math.round(freshFor);
    const answer = await this.#write('publish', bytes.byteLength, PUBLISH, () => {
      const at = this.#loadedAt(snapshot);
      const { tail, digest, seal } = this.#seal(snapshot, at);
      return [
        ...[epoch, id, version, checksum, bytes.byteLength, codec, fresh, at, names.channel],
        ...[tail.length > 0 ? Buffer.concat([entry, tail]) : entry, digest, seal],
      ];
    });
    if (this.#held) this.#held.version = version;
    return Number(answer[1]);
  }

  /** The same of what is stored already; `undefined` where it isn't. */
  async confirm(snapshot: Snapshot): Promise<number | undefined> {
    const { id, names } = this.#settings;
    const { epoch, version } = snapshot;
    const answer = await this.#write('confirm', 0, CONFIRM, () => {
      const at = this.#loadedAt(snapshot);
      const { tail, seal } = this.#seal(snapshot, at);
      return [epoch, id, version, at, names.channel, tail, seal];
    });
    if (answer[0] === 'MISSING') return undefined;
    if (this.#held) this.#held.version = version;
    return Number(answer[1]);
  }

  /** Gives it up, and tells. */
  async release(): Promise<void> {
    const { id, names } = this.#settings;
    this.#end();
    await this.#renewing;
    await this.#ask('release the lease', RELEASE, id, names.channel, FREE);
  }

  close(): void {
    this.#end();
    this.#unlisten();
  }

  /** By Redis's clock, so that it doesn't matter how long the snapshot is on its way; never after now. */
  #loadedAt({ createdAtMonotonic }: Snapshot): number {
    return Math.floor(Math.min(createdAtMonotonic, this.#settings.clock.monotonic()) - (this.#serverClock.offset ?? 0));
  }

  /** What is sent besides for a store with a `secret`; nothing for one without. */
  #seal({ epoch, version, bytes, codec, freshFor }: Snapshot, at: number): { tail: Buffer; digest: string; seal: string } {
    const { sealing, id } = this.#settings;
    if (!sealing) return UNSEALED;
    const numbers: Numbers = {
      ...{ epoch, version, writer: id, at, codec, length: bytes.byteLength, digest: digestOf(bytes) },
      // As it is written, and read.
      freshFor: Math.round(freshFor),
    };
    return { tail: sealing.tail(bytes, numbers), digest: numbers.digest, seal: sealing.numbers(numbers) };
  }

  /** A script that only the holder may run. */
  async #write(what: string, bytes: number, script: Script, args: () => (string | number | Buffer)[]): Promise<unknown[]> {
    const { names } = this.#settings;
    const keys = [names.value, names.meta, names.lease];
    for (let attempt = 0; ; attempt++) {
      this.#checkTime();
      const answer = (await this.#data.run(what, WRITE_WITHIN + allowFor(bytes), (client) =>
        bytes > LARGE ? client.eval(script.text, keys.length, ...keys, ...args()) : run(script, client, keys, args),
      )) as unknown[];
      const word = answer[0];
      if (word === 'OK' || word === 'MISSING') return answer;
      if (word === 'FENCED') throw this.#lose(`another writer has epoch ${Number(answer[1])}`);
      if (word === 'REPLAY')
        throw new StoreError(`Redis has version ${Number(answer[2])} of epoch ${Number(answer[1])} already, with other content`);
      if (word !== 'VACANT') throw new ProtocolError(`Expected a script's answer from Redis, got something else`);
      // Redis forgot the lease: it was emptied, or evicts keys. It can be had again if nobody else came.
      if (attempt > 0) throw this.#lose('Redis forgot it');
      await this.#renew();
    }
  }

  /** @throws what `onLost` gets where it is over by our own clock: nothing may even be tried then */
  #checkTime(): void {
    if (this.#held && this.#settings.clock.monotonic() < this.#held.until) return;
    throw this.#lose('it was not renewed in time');
  }

  #lose(why: string): StoreError {
    const error = new StoreError(`FENCED: the lease was lost, since ${why}`);
    if (this.#held) {
      this.#end();
      this.#events.onLost(error);
    }
    return error;
  }

  #end(): void {
    this.#held = undefined;
    this.#timer?.cancel();
  }

  /** At a third of its life, or with each poll where that is sooner: a renewal also tells whether Redis still has everything. */
  #arm(delay: number = Math.min(this.#settings.leaseMs / 3, this.#settings.pollInterval)): void {
    const { clock, ref } = this.#settings;
    const held = this.#held;
    if (!held) return;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(() => void this.#renew(), Math.max(0, Math.min(delay, held.until - clock.monotonic())));
    if (!ref) this.#timer.unref();
  }

  /** Never rejects. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewOnce(): Promise<void> {
    const { clock, id, leaseMs } = this.#settings;
    const held = this.#held;
    if (!held) return;
    const asked = clock.monotonic();
    if (asked >= held.until) {
      this.#lose('it was not renewed in time');
      return;
    }
    const { version } = held;
    try {
      const [word, detail, time] = await this.#ask('renew the lease', RENEW, held.epoch, id, leaseMs, version);
      if (this.#held !== held) return;
      if (word === 'FENCED') {
        this.#lose(`another writer has epoch ${Number(detail)}`);
        return;
      }
      held.until = asked + leaseMs;
      this.#serverClock.learn(asked, Number(time), clock.monotonic());
      this.#arm();
      // A publish that happened meanwhile makes the answer old.
      this.#events.onRenewed(detail === 1 || version === 0 || version !== held.version);
    } catch (error) {
      if (this.#held !== held) return;
      this.#events.onFailure(toError(error));
      this.#arm(leaseMs / 12);
    }
  }

  async #ask(what: string, script: Script, ...args: (string | number)[]): Promise<unknown[]> {
    const { names, leaseMs } = this.#settings;
    const keys = [names.value, names.meta, names.lease];
    const answer = await this.#control.run(what, Math.min(WRITE_WITHIN, leaseMs / 2), (client) => run(script, client, keys, () => args));
    return Array.isArray(answer) ? answer : [answer];
  }
}
