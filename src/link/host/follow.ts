/** The reader's side: told by the writer, polling in any case, and keeping what it has through everything. */
import { systemClock, type Clock, type Timer } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { checkCount, checkKey } from '../../core/options.js';
import { report, toError } from '../../core/report.js';
import { DEFAULT_MAX_BYTES, isNewer } from '../../core/snapshot.js';
import { newsOf, type Follower, type FollowerEvents, type LinkOptions, type LinkState, type LinkStatus, type News } from '../ports.js';
import { WriterConnection } from './connection.js';
import { writerAddress } from './election.js';
import { codeOf } from '../../files/owned.js';
import type { HostPlace } from './place.js';
import { Puller } from './puller.js';
import { SnapshotFile } from './snapshot-file.js';

export interface HostLinkOptions extends LinkOptions {
  readonly place: HostPlace;
}

const FIRST_RETRY = 10;
const LAST_RETRY = 1000;
/** Whoever may become the writer looks more often: while it waits, there may be none. */
const LAST_CANDIDATE_RETRY = 100;

/**
 * Follows the writer of a key on this host. The file is read at once, so what the last writer left is there before any writer
 * is; then each announcement, and one `stat` every `pollInterval`, bring what is newer.
 *
 * @example
 * const follower = followHost({ place: hostPlace(), key: 'flags', onSnapshot: (snapshot) => ring.publish(snapshot) });
 */
export function followHost(options: HostLinkOptions & FollowerEvents): Follower {
  return new HostFollower(options);
}

/** What a candidate needs of its follower besides following. */
export interface Candidacy {
  /** Asked before each connection; `true`: there is nobody to connect to, since this is the writer now. */
  contend(): Promise<boolean>;
  /** Whether this process goes before others in a race, and asks a writer to make room for it. */
  readonly prefers: boolean;
  /** Milliseconds that the others leave to those. */
  readonly courtesy: number;
  /** There is a writer, and it isn't this process. */
  onJoined?(): void;
}

/** A follower with the handles that a candidate needs: a turn before each connection, and a way to stand aside. */
export class HostFollower implements Follower {
  readonly file: SnapshotFile;
  readonly #options: HostLinkOptions & FollowerEvents;
  readonly #clock: Clock;
  readonly #ref: boolean;
  readonly #pollInterval: number;
  readonly #puller: Puller;
  readonly #candidacy: Candidacy | undefined;
  #state: LinkState = 'connecting';
  #connection: WriterConnection | undefined;
  #attempt: Promise<void> | undefined;
  #attemptTimer: Timer | undefined;
  #pollTimer: Timer | undefined;
  #failures = 0;
  #connections = 0;
  #lastHeard: number | undefined;
  #lastError: { readonly error: Error; readonly at: number } | undefined;
  /** The failures of each kind in a row are told once. */
  readonly #told = new Map<'read' | 'connect', string>();

  constructor(options: HostLinkOptions & FollowerEvents, candidacy?: Candidacy) {
    const { place, key, maxBytes = DEFAULT_MAX_BYTES, pollInterval = 1000, clock = systemClock, ref = false } = options;
    checkKey('key', key);
    checkCount('maxBytes', maxBytes);
    checkCount('pollInterval', pollInterval);
    this.#options = options;
    this.#clock = clock;
    this.#ref = ref;
    this.#pollInterval = pollInterval;
    this.#candidacy = candidacy;
    this.file = new SnapshotFile(place, key, { maxBytes, clock });
    this.#puller = new Puller(this.file, {
      onSnapshot: (snapshot) => this.#guard(() => options.onSnapshot(snapshot)),
      onFailure: (error) => this.fail('read', error),
      onSuccess: () => this.#told.delete('read'),
    });
    this.resume(0);
  }

  get have(): News {
    return this.#puller.have;
  }

  poke(): void {
    if (this.#state !== 'closed' && this.#state !== 'leading') void this.#puller.pull();
  }

  /** Tells the writer of news that it may not have yet. */
  ask(news: News): void {
    this.#connection?.ask(news);
  }

  status(): LinkStatus {
    return {
      state: this.#state,
      ...this.#puller.have,
      lastHeard: this.#lastHeard,
      connections: this.#connections,
      refused: this.#puller.refused,
      readers: 0,
      lastError: this.#lastError?.error,
      lastErrorAt: this.#lastError?.at,
    };
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#stop();
    await this.#attempt;
    await this.#puller.close();
  }

  /** Stands aside for the writer's role of this same process; resolves when nothing is read any more. */
  async lead(): Promise<void> {
    this.#state = 'leading';
    this.#stop();
    await this.#puller.pull();
  }

  /** What this process published itself is not news to it. */
  published(news: News): void {
    if (isNewer(news, this.#puller.have)) this.#puller.have = newsOf(news);
  }

  /** Follows (again), the first connection being tried after `delay` milliseconds. */
  resume(delay: number): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'leading') this.#state = 'connecting';
    void this.#puller.pull();
    this.#armPoll();
    this.#armAttempt(delay);
  }

  /** Tells an error, once for the same in a row. */
  fail(kind: 'read' | 'connect', thrown: unknown): void {
    if (this.#state === 'closed') return;
    const error = toError(thrown);
    this.#lastError = { error, at: this.#clock.wall() };
    if (this.#told.get(kind) === error.message) return;
    this.#told.set(kind, error.message);
    report(error, this.#options.onError, 'host link');
  }

  #stop(): void {
    this.#attemptTimer?.cancel();
    this.#pollTimer?.cancel();
    this.#connection?.close();
    this.#connection = undefined;
  }

  #armPoll(): void {
    this.#pollTimer?.cancel();
    this.#pollTimer = this.#timer(this.#pollInterval * (0.8 + Math.random() * 0.4), () => {
      void this.#puller.pull();
      this.#armPoll();
    });
  }

  #armAttempt(delay: number): void {
    this.#attemptTimer?.cancel();
    this.#attemptTimer = this.#timer(delay, () => {
      // One attempt at a time: a candidate may still be at its last one.
      this.#attempt = (this.#attempt ?? Promise.resolve()).then(() => this.#tryOnce());
    });
  }

  /** Never rejects. */
  async #tryOnce(): Promise<void> {
    if (this.#isAside() || this.#connection) return;
    try {
      if (await this.#candidacy?.contend()) return;
      const { place, key } = this.#options;
      const token = place.token();
      const path = await writerAddress(place, token, key);
      if (this.#isAside()) return;
      if (path === undefined) this.#onEnd({ joined: false, error: undefined });
      else this.#connect(path, token);
    } catch (error) {
      this.fail('connect', error);
      if (!this.#isAside()) this.#onEnd({ joined: false, error: toError(error) });
    }
  }

  #connect(path: string, token: string): void {
    this.#connection = new WriterConnection({
      path,
      token,
      key: this.#options.key,
      clock: this.#clock,
      ref: this.#ref,
      prefers: this.#candidacy?.prefers ?? false,
      have: () => this.#puller.have,
      onJoined: () => {
        this.#connections += 1;
        this.#failures = 0;
        this.#told.delete('connect');
        this.#guard(() => this.#candidacy?.onJoined?.());
      },
      onHeard: (troubled) => {
        this.#lastHeard = this.#clock.monotonic();
        if (troubled) this.#setState('interrupted', new StoreError('The process of this host that follows the fleet has lost it'));
        else this.#setState('live');
      },
      onNews: (news, confirmedAt) => void this.#onNews(news, confirmedAt),
      onSilence: (error) => this.#setState('interrupted', error),
      onEnd: (end) => {
        this.#connection = undefined;
        this.#onEnd(end);
      },
    });
  }

  async #onNews(news: News, confirmedAt: number): Promise<void> {
    await this.#puller.pull(news);
    const { epoch, version } = this.#puller.have;
    if (confirmedAt === 0 || epoch !== news.epoch || version !== news.version || this.#isAside()) return;
    const ago = Math.max(0, this.#clock.monotonic() - confirmedAt);
    const confirmation = { epoch, version, createdAt: this.#clock.wall() - ago, createdAtMonotonic: confirmedAt };
    this.#guard(() => this.#options.onConfirmed?.(confirmation));
  }

  #onEnd({ joined, error }: { joined: boolean; error: Error | undefined }): void {
    if (this.#isAside()) return;
    const code = codeOf(error);
    // Nobody listens there, or the listener died: that is no error, it is what `interrupted` means.
    if (error && !['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'].includes(code ?? '')) this.fail('connect', error);
    this.#setState('interrupted', new StoreError('No writer is connected', error ? { cause: error } : undefined));
    // The last words of a writer may have been lost with it.
    if (joined) void this.#puller.pull();
    const courtesy = this.#candidacy && !this.#candidacy.prefers ? this.#candidacy.courtesy : 0;
    this.#armAttempt(joined ? courtesy + Math.random() * FIRST_RETRY : this.#backOff());
  }

  #backOff(): number {
    const delay = Math.min(FIRST_RETRY * 2 ** this.#failures, this.#candidacy ? LAST_CANDIDATE_RETRY : LAST_RETRY);
    this.#failures += 1;
    return delay * (0.5 + Math.random() * 0.5);
  }

  #setState(state: 'live' | 'interrupted', error?: Error): void {
    if (this.#state === state || this.#isAside()) return;
    this.#state = state;
    if (state === 'interrupted' && error) this.#lastError = { error, at: this.#clock.wall() };
    this.#guard(() => this.#options.onState?.(state, error));
  }

  #isAside(): boolean {
    return this.#state === 'closed' || this.#state === 'leading';
  }

  #guard(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      report(error, this.#options.onError, 'a callback of the host link');
    }
  }

  #timer(delay: number, callback: () => void): Timer {
    const timer = this.#clock.setTimer(callback, delay);
    if (!this.#ref) timer.unref();
    return timer;
  }
}
