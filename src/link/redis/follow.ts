/**
 * The reader's side: told by announcements, polling in any case, and keeping what it has through everything.
 *
 * What Redis has is judged by `(epoch, version)` where a writer announces, and by the moments in front of the value where none does (the
 * Python library, `RedisCache.set`). What is handed over is numbered so that numbers never fall:
 *
 * - an announced snapshot keeps the numbers of its writer;
 * - a value that nobody announces gets its moment in microseconds as the version, in the last one's epoch (0 where there was none), and at
 *   least the version after the last one (its writers' clocks may differ). So all who follow it give it the same number;
 * - an announced snapshot whose numbers such values have used up gets the version after the last one, too. A writer with a lease comes with a
 *   higher epoch, so from its next grant on the numbers are its own again.
 */
import { crc32 } from 'node:zlib';
import type { Timer } from '../../core/clock.js';
import { StoreError, WireFormatError } from '../../core/errors.js';
import { report, toError } from '../../core/report.js';
import { isNewer, type Snapshot } from '../../core/snapshot.js';
import { type Follower, type FollowerEvents, type LinkState, type LinkStatus, type News, NO_NEWS } from '../ports.js';
import { type RedisFailureKind, kindOfFailure } from './failures.js';
import { type Seat, takeSeat } from './hub.js';
import { FREE, type Look, look, type Meta, parseNews, pull, verify } from './look.js';
import { linkSettings, type RedisLinkOptions, type RedisLinkSettings } from './options.js';

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

/** Versions from here on are moments in microseconds (this one is of 1973), not counted. */
export const FIRST_MOMENT = 1e14;

/** The version of a value that nobody announces. @param createdAt Unix seconds */
export function momentOf(createdAt: number): number {
  const moment = Math.round(createdAt * 1e6);
  return Number.isSafeInteger(moment) ? moment : 0;
}

type At = News & { readonly at: number };

/** A follower with the handles that a candidate needs: what it sees, and a way to stand aside. */
export class RedisFollower implements Follower {
  readonly seat: Seat;
  readonly #options: FollowerEvents;
  readonly #settings: RedisLinkSettings;
  readonly #contest: Contest | undefined;
  readonly #undo: (() => void)[];
  #state: LinkState = 'connecting';
  /** What was handed over last, by the numbers it was handed over with. */
  #have: News = NO_NEWS;
  /** The announced snapshot that was seen last, by its writer's numbers. */
  #there: At = { ...NO_NEWS, at: 0 };
  /** Of the value that was handed over last, where nobody announced it. */
  #mark: string | undefined;
  /** Of what was handed over last. */
  #content: { readonly length: number; readonly checksum: number } | undefined;
  /** Of what was refused last: it is not fetched again. */
  #bad: string | undefined;
  /** Of what this process had from elsewhere, while it isn't known whether Redis has it, too. */
  #brought: { readonly createdAt: number; readonly length: number } | undefined;
  #again = false;
  #wanted: At = { ...NO_NEWS, at: 0 };
  #running: Promise<void> | undefined;
  #pollTimer: Timer | undefined;
  #isSubscribed = false;
  /** The kinds of failures that were told since they were last not there. */
  readonly #told = new Set<RedisFailureKind>();
  #status = { polls: 0, pulls: 0, announcements: 0, connections: 0, refused: 0 };
  #lastHeard: number | undefined;
  #lastError: { readonly error: Error; readonly kind: RedisFailureKind } | undefined;
  #lag: number | undefined;
  #lastLook: (Pick<Look, 'meta' | 'lease'> & { readonly at: number }) | undefined;

  constructor(options: FollowerEvents, settings: RedisLinkSettings, contest?: Contest) {
    this.#options = options;
    this.#settings = settings;
    this.#contest = contest;
    if (settings.last) this.#bring(settings.last);
    const { store, clock, ref, names } = settings;
    this.seat = takeSeat(store.client, clock, ref);
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
    return this.#have;
  }

  /** The CRC32 of what was handed over last. */
  get checksum(): number {
    return this.#content?.checksum ?? 0;
  }

  poke(): void {
    if (this.isAside()) return;
    this.#again = true;
    this.#go();
  }

  status(): LinkStatus {
    const { connections, refused, polls, pulls, announcements } = this.#status;
    const { clock } = this.#settings;
    const seen = this.#lastLook;
    return {
      state: this.#state,
      ...this.#have,
      lastHeard: this.#lastHeard,
      connections,
      refused,
      readers: 0,
      lastError: this.#lastError?.error,
      lastErrorKind: this.#lastError?.kind,
      writer: seen?.lease?.holder ?? seen?.meta?.writer,
      leaseLeft: seen?.lease && Math.max(0, seen.lease.left - (clock.monotonic() - seen.at)),
      isSubscribed: this.#isSubscribed,
      lag: this.#lag,
      polls,
      pulls,
      announcements,
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
    if (isNewer(news, this.#have)) this.#have = { epoch: news.epoch, version: news.version };
    this.#there = { ...this.#have, at };
    this.#mark = this.#content = undefined;
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
    const isThere = seen.matches && isSame(seen.meta, this.#there) && this.#mark === undefined;
    if (isThere && kept && isSame(kept, this.#have)) return kept;
    if (seen.length < 0) return undefined;
    const fetched = await this.#fetch(seen);
    if (!fetched) return undefined;
    const { meta, bytes } = fetched;
    const news =
      isThere && isSame(meta, this.#there) ? this.#have : meta ? this.#numbered(meta) : this.#next(seen.meta, fetched.header.createdAt);
    return { ...this.#metaOf(meta, fetched.header, seen), epoch: news.epoch, version: news.version, bytes };
  }

  /** Tells an error, once for the same kind in a row. */
  fail(thrown: unknown, kind: RedisFailureKind = kindOfFailure(toError(thrown))): void {
    if (this.#state === 'closed') return;
    const error = toError(thrown);
    this.#lastError = { error, kind };
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    report(error, this.#options.onError, 'Redis link');
  }

  /** The same, and what is there can't be relied on to be the newest any more. */
  interrupt(thrown: unknown, kind?: RedisFailureKind): void {
    this.fail(thrown, kind);
    this.setState('interrupted', toError(thrown));
  }

  /** Something worked: failures are news again. */
  recovered(): void {
    for (const kind of this.#told) {
      if (this.#isSubscribed || !['connection', 'timeout', 'denied'].includes(kind)) this.#told.delete(kind);
    }
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
    this.#status.connections += 1;
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
    this.#status.announcements += 1;
    this.#lastHeard = this.#settings.clock.monotonic();
    if (!isLater(news, this.#there)) return;
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
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** One look at a time, and one more after it where there was reason for that meanwhile. Never rejects. */
  async #run(): Promise<void> {
    while ((this.#again || isLater(this.#wanted, this.#there)) && !this.isAside() && this.seat.data.client) {
      this.#again = false;
      this.#wanted = { ...NO_NEWS, at: 0 };
      try {
        const seen = await this.#look();
        if (this.isAside()) return;
        this.#contest?.onLook(seen);
        if (this.isAside() || !(await this.#judge(seen))) continue;
        this.recovered();
      } catch (error) {
        if (!this.isAside()) this.interrupt(error);
      }
    }
  }

  async #look(): Promise<Look> {
    const { clock, names } = this.#settings;
    this.#status.polls += 1;
    const seen = await look(this.seat.data, names, clock);
    const now = clock.monotonic();
    this.#lastLook = { meta: seen.meta, lease: seen.lease, at: now };
    if (seen.lease) this.#lastHeard = now;
    return seen;
  }

  /** Takes in what is newer. Answers whether all is well. */
  async #judge(seen: Look): Promise<boolean> {
    const { meta, length } = seen;
    if (length < 0 && this.#have.epoch === 0 && this.#have.version === 0) {
      // Nothing yet.
    } else if (length < 0) {
      this.interrupt(new StoreError('Redis has lost this snapshot: what was read last is kept'), 'regressed');
      return false;
    } else if (meta && seen.matches) {
      if (!(await this.#judgeAnnounced(meta, seen))) return false;
    } else if (!(await this.#judgeUnannounced(seen))) {
      return false;
    }
    if (!seen.lease && (meta ? meta.writer !== '' : length < 0)) {
      // No error: another one takes over, or nobody wants to.
      const error = new StoreError('No writer holds the lease');
      this.#lastError = { error, kind: 'no-writer' };
      this.setState('interrupted', error);
    } else {
      this.setState('live');
    }
    return true;
  }

  async #judgeAnnounced(meta: Meta, seen: Look): Promise<boolean> {
    if (this.#have.version >= FIRST_MOMENT && this.#isBrought(meta.at, meta.length) && meta.checksum === this.#content?.checksum) {
      this.#brought = undefined;
      this.#there = { epoch: meta.epoch, version: meta.version, at: meta.at };
      return true;
    }
    if (isNewer(meta, this.#there)) return this.#takeIn(seen);
    if (isNewer(this.#there, meta)) {
      const { epoch, version } = this.#there;
      const text = `Redis went back from epoch ${epoch}, version ${version} to ${meta.epoch}, ${meta.version}: what was read last is kept`;
      this.interrupt(new StoreError(text), 'regressed');
      return false;
    }
    // The same numbers again, after a value without any: the writer has put its own back.
    if (this.#mark !== undefined && meta.checksum !== this.#content?.checksum) return this.#takeIn(seen);
    this.#mark = undefined;
    if (meta.at > this.#there.at) {
      this.#there = { ...this.#there, at: meta.at };
      this.#confirm(meta.at, seen);
    }
    return true;
  }

  async #judgeUnannounced(seen: Look): Promise<boolean> {
    const { meta, header, mark, lease } = seen;
    if (mark === this.#mark) return true;
    if (header && this.#isBrought(header.createdAt * 1000, seen.length)) {
      this.#brought = undefined;
      this.#mark = mark;
      return true;
    }
    if (
      !meta &&
      header &&
      this.#mark === undefined &&
      isNewer(this.#there, NO_NEWS) &&
      Math.round(header.createdAt * 1000) === this.#there.at
    ) {
      this.interrupt(new StoreError('Redis has lost the numbers of this snapshot: what was read last is kept'), 'regressed');
      return false;
    }
    if (header && meta && meta.writer !== '' && lease) {
      this.interrupt(new StoreError("Somebody overwrote this snapshot who isn't its writer: what was read last is kept"), 'foreign');
      return false;
    }
    if (header && isNewer(this.#there, NO_NEWS) && header.createdAt * 1000 < this.#there.at) {
      this.interrupt(
        new StoreError('Redis went back to a value without numbers, older than what was read last: that is kept'),
        'regressed',
      );
      return false;
    }
    return this.#takeIn(seen);
  }

  async #takeIn(seen: Look): Promise<boolean> {
    const isFirst = !isNewer(this.#have, NO_NEWS);
    const fetched = await this.#fetch(seen);
    if (this.isAside()) return false;
    // It changed in between: another look tells into what.
    if (!fetched) {
      this.#again = true;
      return true;
    }
    const { meta, header, bytes } = fetched;
    if (meta && !isNewer(meta, this.#there) && this.#mark === undefined) return true;
    const content = { length: bytes.length, checksum: meta?.checksum ?? crc32(bytes) };
    const isTheSame = !meta && content.length === this.#content?.length && content.checksum === this.#content.checksum;
    this.#mark = meta ? undefined : seen.mark;
    if (isTheSame) {
      this.#confirm(header.createdAt * 1000, seen);
      return true;
    }
    this.#content = content;
    const snapshot = this.#metaOf(meta, header, seen);
    this.#have = meta ? this.#numbered(meta) : this.#next(seen.meta, header.createdAt);
    this.#there = atOf(meta ?? seen.meta) ?? this.#there;
    const now = this.#settings.clock.monotonic();
    this.#lag = isFirst ? undefined : now - snapshot.createdAtMonotonic;
    this.#lastHeard = now;
    this.guard(() => this.#options.onSnapshot({ ...snapshot, epoch: this.#have.epoch, version: this.#have.version, bytes }));
    return true;
  }

  /** What was looked at, with its bytes; without a meta where nobody announced it. `undefined`: it has changed since. */
  async #fetch(
    seen: Look,
  ): Promise<{ meta: Meta | undefined; header: { freshUntil: number; createdAt: number }; bytes: Buffer } | undefined> {
    const { names, maxBytes } = this.#settings;
    const identity = `${seen.meta?.epoch} ${seen.meta?.version} ${seen.meta?.checksum} ${seen.mark}`;
    if (identity === this.#bad) throw this.#lastError?.error ?? new WireFormatError('This snapshot was refused before');
    try {
      if (!seen.header) throw new WireFormatError('This value does not begin as an entry does');
      this.#status.pulls += 1;
      const pulled = await pull(this.seat.data, names, seen.length, maxBytes);
      if (!pulled) return undefined;
      const { meta, header, bytes } = pulled;
      if (!seen.matches) return header.createdAt === seen.header.createdAt ? { meta: undefined, header, bytes } : undefined;
      if (!meta || Math.round(header.createdAt * 1000) !== meta.at) return undefined;
      verify(meta, bytes);
      this.#bad = undefined;
      return { meta, header, bytes };
    } catch (error) {
      if (kindOfFailure(toError(error)) === 'bad-snapshot') {
        // Fetching it again would give the same: the next one is waited for.
        this.#bad = identity;
        this.#status.refused += 1;
      }
      throw error;
    }
  }

  #metaOf(
    meta: Meta | undefined,
    header: { freshUntil: number; createdAt: number },
    { offset }: Look,
  ): Omit<Snapshot, 'bytes' | 'epoch' | 'version'> {
    const createdAt = meta?.at ?? header.createdAt * 1000;
    return {
      createdAt,
      createdAtMonotonic: this.#onOurClock(createdAt, offset),
      freshFor: meta?.freshFor ?? Math.max(0, (header.freshUntil - header.createdAt) * 1000),
      codec: meta?.codec ?? this.#settings.store.serializer.name ?? '',
    };
  }

  #confirm(at: number, { offset }: Look): void {
    this.guard(() =>
      this.#options.onConfirmed?.({
        epoch: this.#have.epoch,
        version: this.#have.version,
        createdAt: at,
        createdAtMonotonic: this.#onOurClock(at, offset),
      }),
    );
  }

  /** Never in the future: half a round trip, or a clock of another host, may say so. */
  #onOurClock(at: number, offset: number): number {
    return Math.min(at + offset, this.#settings.clock.monotonic());
  }

  #numbered(meta: News): News {
    return isNewer(meta, this.#have) ? { epoch: meta.epoch, version: meta.version } : this.#next(undefined, 0);
  }

  /** @param createdAt Unix seconds, where nothing else says what is newer */
  #next(meta: News | undefined, createdAt: number): News {
    const last = meta && isNewer(meta, this.#have) ? meta : this.#have;
    return { epoch: last.epoch, version: Math.max(last.version + 1, momentOf(createdAt)) };
  }

  #bring({ epoch, version, createdAt, bytes }: Snapshot): void {
    this.#have = { epoch, version };
    this.#content = { length: bytes.length, checksum: crc32(bytes) };
    this.#brought = { createdAt, length: bytes.length };
    // A version that is a moment is none of a writer's. The time isn't taken over: it may be by another clock than Redis's.
    this.#there = { epoch, version: version < FIRST_MOMENT ? version : 0, at: 0 };
  }

  #isBrought(createdAt: number, length: number): boolean {
    const brought = this.#brought;
    return brought?.createdAt === createdAt && brought.length === length;
  }
}

function isSame(a: News | undefined, b: News): boolean {
  return a?.epoch === b.epoch && a.version === b.version;
}

function atOf(meta: Meta | undefined): At | undefined {
  return meta && { epoch: meta.epoch, version: meta.version, at: meta.at };
}

function isLater(a: At, b: At): boolean {
  return isNewer(a, b) || (isSame(a, b) && a.at > b.at);
}
