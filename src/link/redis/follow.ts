/** The reader's side: told by announcements, polling in any case, and keeping what it has through everything. */
import { crc32 } from 'node:zlib';
import type { Timer } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { report, toError } from '../../core/report.js';
import type { Snapshot } from '../../core/snapshot.js';
import { type Follower, type FollowerEvents, type LinkState, type LinkStatus, type News, NO_NEWS } from '../ports.js';
import { Failures, type RedisFailureKind } from './failures.js';
import { Fetcher } from './fetcher.js';
import { type Seat, takeSeat } from './hub.js';
import { FREE, type Look, look, parseNews } from './look.js';
import { linkSettings, type RedisLinkOptions, type RedisLinkSettings } from './options.js';
import { type At, isLater, isSame, Position } from './position.js';

/**
 * Follows a key of a RedisCache. What is there is read at once, then each announcement, each new connection, and a poll every `pollInterval`
 * bring what is newer.
 *
 * @example
 * const follower = followRedis({ store, key: 'flags', onSnapshot: (snapshot) => ring.publish(snapshot) });
 * @throws TypeError or RangeError for options that can't be meant
 */
export function followRedis(options: RedisLinkOptions & FollowerEvents): Follower {
  return new RedisFollower(options, linkSettings(options));
}

/** What a candidate wants to hear of its follower. */
export interface Contest {
  onLook(look: Look): void;
  /** The writer gave its role up. */
  onFree(): void;
}

/** A follower with the handles that a candidate needs: what it sees, and a way to stand aside. */
export class RedisFollower implements Follower {
  readonly seat: Seat;
  readonly #options: FollowerEvents;
  readonly #settings: RedisLinkSettings;
  readonly #contest: Contest | undefined;
  readonly #undo: (() => void)[];
  #state: LinkState = 'connecting';
  readonly #position = new Position();
  readonly #fetcher: Fetcher;
  readonly #failures: Failures;
  #again = false;
  #wanted: At = { ...NO_NEWS, at: 0 };
  #isRunning = false;
  #running: Promise<void> | undefined;
  #pollTimer: Timer | undefined;
  #isSubscribed = false;
  #counts = { polls: 0, announcements: 0, connections: 0 };
  #lastHeard: number | undefined;
  #lag: number | undefined;
  #lastLook: (Pick<Look, 'meta' | 'lease'> & { readonly at: number }) | undefined;

  constructor(options: FollowerEvents, settings: RedisLinkSettings, contest?: Contest) {
    this.#options = options;
    this.#settings = settings;
    this.#contest = contest;
    if (settings.last) this.#position.bring(settings.last);
    const { store, clock, ref, names } = settings;
    this.seat = takeSeat(store.client, clock, ref);
    this.#fetcher = new Fetcher(this.seat.data, settings);
    this.#failures = new Failures(options.onError);
    this.#undo = [
      this.seat.data.listen({ onUp: () => this.#onUp(), onDown: (error) => this.interrupt(error) }),
      this.seat.subscriptions.add(names.channel, {
        onMessage: (message) => this.#onMessage(message),
        onSubscribed: () => {
          this.#isSubscribed = true;
          this.poke();
        },
        onUnsubscribed: (error) => {
          this.#isSubscribed = false;
          this.fail(error);
          this.poke();
        },
      }),
    ];
    this.#armPoll();
    if (this.seat.data.client) this.#onUp();
  }

  get have(): News {
    return this.#position.have;
  }

  /** The CRC32 of what was handed over last. */
  get checksum(): number {
    return this.#position.checksum;
  }

  poke(): void {
    if (this.isAside()) return;
    this.#again = true;
    this.#go();
  }

  status(): LinkStatus {
    const { clock } = this.#settings;
    const { last } = this.#failures;
    const seen = this.#lastLook;
    return {
      state: this.#state,
      ...this.#position.have,
      lastHeard: this.#lastHeard,
      refused: this.#fetcher.refused,
      readers: 0,
      lastError: last?.error,
      lastErrorKind: last?.kind,
      writer: seen?.lease?.holder ?? seen?.meta?.writer,
      leaseLeft: seen?.lease && Math.max(0, seen.lease.left - (clock.monotonic() - seen.at)),
      isSubscribed: this.#isSubscribed,
      lag: this.#lag,
      pulls: this.#fetcher.pulls,
      ...this.#counts,
    };
  }

  /** What Redis is still being asked is dropped when it comes. */
  close(): Promise<void> {
    if (this.#state !== 'closed') {
      this.#state = 'closed';
      this.#pollTimer?.cancel();
      for (const undo of this.#undo) undo();
      this.seat.leave();
    }
    return Promise.resolve();
  }

  /** Stands aside for the writer's role of this same process; resolves when nothing is read any more. */
  async lead(): Promise<void> {
    this.#state = 'leading';
    this.#pollTimer?.cancel();
    await this.#running;
  }

  /** What this process published itself is not news to it. */
  published(news: News, at: number): void {
    this.#position.published(news, at);
  }

  /** Follows (again). */
  resume(): void {
    if (this.#state === 'closed') return;
    this.#state = 'connecting';
    this.#armPoll();
    this.poke();
  }

  /** What is stored, whatever was handed over; `undefined` for nothing. `kept` is answered instead of the same fetched once more. */
  async newest(kept: Snapshot | undefined): Promise<Snapshot | undefined> {
    const seen = await this.#look();
    if (this.#position.holds(seen) && kept && isSame(kept, this.have)) return kept;
    if (!seen.exists) return undefined;
    const fetched = await this.#fetcher.fetch(seen);
    return fetched && { ...this.#fetcher.metaOf(fetched), ...this.#position.numbersOf(seen, fetched.meta), bytes: fetched.bytes };
  }

  /** Tells an error, once for the same kind in a row. */
  fail(thrown: unknown, kind?: RedisFailureKind): void {
    if (this.#state !== 'closed') this.#failures.tell(thrown, kind);
  }

  /** The same, and what is there can't be relied on to be the newest any more. */
  interrupt(thrown: unknown, kind?: RedisFailureKind): void {
    this.fail(thrown, kind);
    this.setState('interrupted', toError(thrown));
  }

  /** Something worked: failures are news again. */
  recovered(): void {
    this.#failures.over(this.#isSubscribed);
  }

  setState(state: 'live' | 'interrupted', error?: Error): void {
    if (this.#state === state || this.isAside()) return;
    this.#state = state;
    this.guard(() => this.#options.onState?.(state, error));
  }

  isAside(): boolean {
    return this.#state === 'closed' || this.#state === 'leading';
  }

  guard(callback: () => void): void {
    if (this.#state === 'closed') return;
    try {
      callback();
    } catch (error) {
      report(error, this.#options.onError, 'a callback of the Redis link');
    }
  }

  #onUp(): void {
    this.#counts.connections += 1;
    this.poke();
  }

  #onMessage(message: string): void {
    if (this.isAside()) return;
    if (message === FREE) {
      this.#contest?.onFree();
      return;
    }
    const news = parseNews(message);
    if (!news) return;
    this.#counts.announcements += 1;
    this.#lastHeard = this.#settings.clock.monotonic();
    if (!this.#position.isLater(news)) {
      // What Redis had lost is put back under its own numbers.
      if (this.#state === 'interrupted') this.poke();
      return;
    }
    if (isLater(news, this.#wanted)) this.#wanted = news;
    this.#go();
  }

  #armPoll(): void {
    const { clock, pollInterval, ref } = this.#settings;
    this.#pollTimer?.cancel();
    this.#pollTimer = clock.setTimer(
      () => {
        this.poke();
        this.#armPoll();
      },
      pollInterval * (0.8 + Math.random() * 0.4),
    );
    if (!ref) this.#pollTimer.unref();
  }

  #go(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** One look at a time, and one more after it where there was reason for that meanwhile. Never rejects. */
  async #run(): Promise<void> {
    while ((this.#again || this.#position.isLater(this.#wanted)) && !this.isAside() && this.seat.data.client) {
      this.#again = false;
      this.#wanted = { ...NO_NEWS, at: 0 };
      try {
        const seen = await this.#look();
        if (this.isAside()) break;
        this.#contest?.onLook(seen);
        if (this.isAside() || !(await this.#takeIn(seen))) continue;
        this.recovered();
      } catch (error) {
        if (!this.isAside()) this.interrupt(error);
      }
    }
    // In the same turn as the last check: a reason that comes now finds it over, and begins anew.
    this.#isRunning = false;
  }

  async #look(): Promise<Look> {
    const { clock } = this.#settings;
    this.#counts.polls += 1;
    const seen = await look(this.seat.data, this.#settings, clock, this.#fetcher.serverClock);
    const now = clock.monotonic();
    this.#lastLook = { meta: seen.meta, lease: seen.lease, at: now };
    if (seen.lease) this.#lastHeard = now;
    return seen;
  }

  /** Takes in what is newer. Answers whether all is well. */
  async #takeIn(seen: Look): Promise<boolean> {
    const verdict = this.#position.judge(seen);
    switch (verdict.kind) {
      case 'regressed':
      case 'foreign':
        this.interrupt(new StoreError(verdict.why), verdict.kind);
        return false;
      case 'new':
        await this.#fetch(seen);
        if (this.isAside()) return false;
        break;
      case 'confirmed':
        this.#confirm(seen.meta?.at ?? 0, seen);
        break;
      case 'nothing':
      case 'same':
        break;
    }
    if (!seen.lease && (seen.meta ? seen.meta.writer !== '' : !seen.exists)) {
      // No error: another one takes over, or nobody wants to.
      const error = new StoreError('No writer holds the lease');
      this.#failures.last = { error, kind: 'no-writer' };
      this.setState('interrupted', error);
    } else {
      this.setState('live');
    }
    return true;
  }

  async #fetch(seen: Look): Promise<void> {
    const isFirst = this.#position.isEmpty;
    const fetched = await this.#fetcher.fetch(seen);
    if (this.isAside()) return;
    if (!fetched) {
      // It changed in between: another look tells into what.
      this.#again = true;
      return;
    }
    const { meta, header, bytes } = fetched;
    const what = this.#position.take(seen, meta, { length: bytes.length, checksum: meta?.checksum ?? crc32(bytes) });
    if (what === 'confirmed') this.#confirm(header.createdAt * 1000, seen);
    if (what !== 'new') return;
    const { epoch, version } = this.#position.have;
    const snapshot = { ...this.#fetcher.metaOf(fetched), epoch, version, bytes };
    const now = this.#settings.clock.monotonic();
    this.#lag = isFirst ? undefined : now - snapshot.createdAtMonotonic;
    this.#lastHeard = now;
    this.guard(() => this.#options.onSnapshot(snapshot));
  }

  #confirm(at: number, { matches }: Look): void {
    if (matches) this.#position.confirmed(at);
    const { epoch, version } = this.#position.have;
    const createdAtMonotonic = this.#fetcher.onOurClock(at);
    this.guard(() => this.#options.onConfirmed?.({ epoch, version, createdAt: at, createdAtMonotonic }));
  }
}
