/**
 * The writer's side: stands for the lease of a key, and is its writer while it holds it.
 *
 * `standing-by`: another one holds the lease, or none does yet; the key is followed, and the lease tried for when it is free: when its
 * holder says so, when its time is over, at each poll. `taking-over`: the lease is held, and what is stored is looked at. `leading`:
 * granted; publishes are accepted. `giving-up`: the lease is on its way back. `closed`: for good.
 *
 * A lease proves nothing about the one that lost it: it may be paused, and wake in the middle of a publish. What keeps it from
 * writing is the script of each publish (`scripts.ts`); what keeps it from trying is its own clock.
 */
import { crc32 } from 'node:zlib';
import { SnapshotTooLargeError, StoreError } from '../../core/errors.js';
import { toError } from '../../core/report.js';
import { type Confirmation, isNewer, type Snapshot } from '../../core/snapshot.js';
import { type Candidate, type CandidateEvents, type LinkStatus, NO_NEWS } from '../ports.js';
import { Attempts } from './attempts.js';
import { kindOfFailure } from './failures.js';
import { RedisFollower } from './follow.js';
import { unrefTimers } from './hub.js';
import { type Answer, Lease } from './lease.js';
import { linkSettings, type RedisLinkOptions, type RedisLinkSettings } from './options.js';
import { Outbox, type Wanted } from './outbox.js';

/** After `release`, for how long (milliseconds) the others go first. */
const AFTER_YOU = 1000;
/** Milliseconds over which the candidates that hear of a free lease spread. */
const SPREAD = 20;
const RETRY = 500;
/** How often one who takes over asks again what is stored. */
const LOOKS = 3;

/**
 * Stands for the writer's role of a key among all hosts that share a Redis. One candidate has it; the others follow it, and when it dies or
 * is cut off, one of them takes over within the lease. It keeps the snapshot that was published last (its bytes must not be changed), and puts it
 * back where Redis lost it.
 *
 * @example
 * const candidate = leadRedis({
 *   store, key: 'flags', onSnapshot: show,
 *   onGranted: ({ epoch, last }) => candidate.publish({ ...next, epoch, version: (last?.version ?? 0) + 1 }),
 * });
 * @throws TypeError or RangeError for options that can't be meant
 */
export function leadRedis(options: RedisLinkOptions & CandidateEvents): Candidate {
  return new RedisLeader(options, linkSettings(options));
}

interface Term {
  readonly epoch: number;
  readonly outbox: Outbox;
}

class RedisLeader implements Candidate {
  readonly #options: CandidateEvents;
  readonly #settings: RedisLinkSettings;
  readonly #follower: RedisFollower;
  readonly #lease: Lease;
  readonly #unlisten: () => void;
  readonly #attempts: Attempts;
  #phase: 'standing-by' | 'taking-over' | 'leading' | 'giving-up' | 'closed' = 'standing-by';
  #term: Term | undefined;
  /** What Redis should have if it has nothing newer. */
  #kept: Wanted | undefined;
  #closing: Promise<void> | undefined;
  #holder: string | undefined;
  /** A holder that is known to be dead; `''` for none. */
  #gone = '';
  #trouble: Error | undefined;
  /** Why the last term ended. */
  #loss: Error | undefined;

  constructor(options: RedisLinkOptions & CandidateEvents, settings: RedisLinkSettings) {
    this.#options = options;
    this.#settings = settings;
    this.#attempts = new Attempts(settings.ref ? settings.clock : unrefTimers(settings.clock), () => this.#contend());
    const followed: CandidateEvents = {
      ...options,
      onSnapshot: (snapshot) => {
        this.#kept = { ...snapshot, checksum: this.#follower.checksum };
        options.onSnapshot(snapshot);
      },
      onConfirmed: (confirmation) => {
        if (this.#kept?.epoch === confirmation.epoch && this.#kept.version === confirmation.version) {
          this.#kept = { ...this.#kept, ...confirmation };
        }
        options.onConfirmed?.(confirmation);
      },
    };
    this.#follower = new RedisFollower(followed, settings, {
      onLook: ({ lease }) => this.#standBy(lease),
      onFree: () => this.#contendIn(Math.random() * SPREAD),
    });
    if (settings.last) this.#kept = { ...settings.last, checksum: this.#follower.checksum };
    this.#unlisten = this.#follower.seat.data.listen({
      onUp: () => {
        this.#term?.outbox.hurry();
        this.#contendIn(0);
      },
    });
    this.#lease = new Lease(this.#follower.seat, settings, {
      onLost: (error) => this.#dismiss(error),
      onRenewed: (isIntact) => {
        this.#recover();
        if (!isIntact) this.#term?.outbox.restore();
      },
      onFailure: (error) => this.#fail(error),
      onUp: () => this.#contendIn(0),
    });
  }

  publish(snapshot: Snapshot): Promise<void> {
    const { maxBytes } = this.#settings;
    const { byteLength } = snapshot.bytes;
    if (byteLength > maxBytes) {
      return Promise.reject(new SnapshotTooLargeError(`This snapshot has ${byteLength} bytes, more than \`maxBytes\` (${maxBytes})`));
    }
    return this.#inTerm(snapshot.epoch, ({ outbox }) => outbox.publish(snapshot));
  }

  confirm(confirmation: Confirmation): Promise<void> {
    return this.#inTerm(confirmation.epoch, ({ outbox }) => outbox.confirm(confirmation));
  }

  async release(): Promise<void> {
    if (this.#phase !== 'leading') return;
    await this.#resign();
    if (!this.#isGivingUp()) return;
    this.#phase = 'standing-by';
    this.#attempts.hold(AFTER_YOU);
    this.#follower.resume();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  poke(): void {
    this.#follower.poke();
  }

  status(): LinkStatus {
    const status = this.#follower.status();
    if (status.state !== 'leading') return status;
    return {
      ...status,
      state: this.#phase === 'taking-over' ? 'connecting' : this.#trouble ? 'interrupted' : 'leading',
      writer: this.#settings.id,
      leaseLeft: this.#lease.left,
    };
  }

  async #close(): Promise<void> {
    const leading = this.#phase === 'leading';
    this.#phase = 'closed';
    this.#attempts.cancel();
    // Nothing else keeps the process alive until the lease is given up.
    const awake = this.#settings.clock.setTimer(() => undefined, 60_000);
    if (leading) await this.#resign();
    // A lease that is being taken just now is given up by the one that takes it.
    await this.#attempts.running;
    awake.cancel();
    this.#lease.close();
    this.#unlisten();
    await this.#follower.close();
  }

  #inTerm(epoch: number, act: (term: Term) => Promise<void>): Promise<void> {
    const term = this.#term;
    if (!term) return Promise.reject(new StoreError("Can't publish: this process is not the key's writer"));
    if (epoch !== term.epoch) {
      return Promise.reject(new StoreError(`Can't publish under epoch ${epoch}: this writer was granted ${term.epoch}`));
    }
    return act(term);
  }

  /** Until the holder's time is over, if nothing more is heard of it. One that has this candidate's id is this candidate, whose answer got lost. */
  #standBy(lease: { readonly holder: string; readonly left: number } | undefined): void {
    if (this.#phase !== 'standing-by') return;
    const other = lease?.holder === this.#settings.id ? undefined : lease;
    this.#gone = other && this.#settings.isGone(other.holder) ? other.holder : '';
    const isFree = !other || this.#gone !== '';
    this.#contendIn(isFree ? 0 : other.left + Math.random() * SPREAD);
    if (isFree || this.#holder === other.holder) return;
    this.#holder = other.holder;
    this.#follower.guard(() => this.#options.onFollowing?.());
  }

  #contendIn(delay: number): void {
    if (this.#phase === 'standing-by') this.#attempts.within(delay);
  }

  /** Tries for the lease, and begins a term with it. Never rejects. */
  async #contend(): Promise<void> {
    if (this.#phase !== 'standing-by' || !this.#lease.isReachable) return;
    let answer: Answer;
    try {
      answer = await this.#lease.take(this.#follower.have.epoch, this.#gone);
    } catch (error) {
      if (this.#phase === 'standing-by') this.#follower.fail(error);
      this.#contendIn(RETRY * (0.5 + Math.random()));
      return;
    }
    if (answer.holder !== undefined) {
      this.#standBy(answer);
      return;
    }
    this.#holder = undefined;
    if (this.#phase === 'standing-by') await this.#begin(answer.epoch);
    if (this.#isClosed()) await this.#lease.release();
  }

  /** Looks at what the last writer left, and starts a term. Never rejects. */
  async #begin(epoch: number): Promise<void> {
    this.#phase = 'taking-over';
    await this.#follower.lead();
    const stored = await this.#newest();
    const snapshot = stored?.snapshot;
    // Redis has less than this process, for sure: it goes there again, under the new epoch. Its bytes were handed out, and may have been changed.
    const kept =
      this.#kept && isNewer(this.#kept, snapshot ?? NO_NEWS) && crc32(this.#kept.bytes) === this.#kept.checksum ? this.#kept : undefined;
    const back = stored && kept && { ...kept, epoch };
    const last = back ?? kept ?? snapshot;
    if (this.#phase !== 'taking-over') return;
    this.#phase = 'leading';
    this.#trouble = undefined;
    const outbox = this.#makeOutbox();
    this.#term = { epoch, outbox };
    // Whether it succeeds now or later, the term has begun; a failure is told by `onFailure`.
    if (back) outbox.publish(back).catch(() => undefined);
    this.#follower.guard(() => this.#options.onGranted({ epoch, last }));
  }

  /** Apart from its caller, whose other closures have the last snapshot. */
  #makeOutbox(): Outbox {
    return new Outbox(
      {
        publish: async (snapshot) => this.#delivered(snapshot, await this.#lease.publish(snapshot)),
        confirm: async (snapshot) => {
          const at = await this.#lease.confirm(snapshot);
          if (at !== undefined) this.#delivered(snapshot, at);
          return at !== undefined;
        },
        onFailure: (error) => this.#fail(error),
      },
      unrefTimers(this.#settings.clock),
    );
  }

  /** What is stored; `undefined` where that can't be found out. One answer that is lost must not have the new writer begin with nothing. */
  async #newest(): Promise<{ snapshot: Snapshot | undefined } | undefined> {
    for (let tries = LOOKS; ; tries--) {
      try {
        return { snapshot: await this.#follower.newest(this.#kept) };
      } catch (error) {
        if (this.#phase !== 'taking-over') return undefined;
        if (tries === 0 || kindOfFailure(toError(error)) === 'bad-snapshot') {
          this.#follower.fail(error);
          return undefined;
        }
        await new Promise<void>((resolve) => unrefTimers(this.#settings.clock).setTimer(resolve, RETRY));
      }
    }
  }

  #delivered(snapshot: Wanted, at: number): void {
    this.#kept = snapshot;
    this.#follower.published(snapshot, at);
    this.#recover();
  }

  #fail(error: unknown): void {
    // Told already, as what it is.
    if (error === this.#loss) return;
    this.#follower.fail(error);
    if (this.#phase !== 'leading' || this.#trouble) return;
    this.#trouble = toError(error);
    this.#follower.guard(() => this.#options.onState?.('interrupted', this.#trouble));
  }

  #recover(): void {
    this.#follower.recovered();
    if (!this.#trouble || this.#phase !== 'leading') return;
    this.#trouble = undefined;
    this.#follower.guard(() => this.#options.onState?.('live'));
  }

  /** The lease is gone: back to the others. */
  #dismiss(error: Error): void {
    const term = this.#term;
    if (this.#phase !== 'leading' && this.#phase !== 'taking-over') return;
    this.#phase = 'standing-by';
    this.#term = undefined;
    this.#loss = error;
    term?.outbox.abandon(error);
    this.#follower.fail(error, 'lost');
    if (term) this.#follower.guard(() => this.#options.onLost?.(error));
    this.#follower.resume();
    this.#contendIn(Math.random() * SPREAD);
  }

  /** Once running publishes are done. Not standing by until the lease is given up: an attempt that was due would have it again. */
  async #resign(): Promise<void> {
    const term = this.#term;
    this.#term = undefined;
    await term?.outbox.finish(new StoreError("Can't publish: this process gave the writer's role up"));
    if (this.#phase === 'leading') this.#phase = 'giving-up';
    await this.#attempt(() => this.#lease.release());
  }

  /** What `work` gives; `undefined` where it fails, which is told. */
  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#follower.fail(error);
      return undefined;
    }
  }

  #isGivingUp(): boolean {
    return this.#phase === 'giving-up';
  }

  #isClosed(): boolean {
    return this.#phase === 'closed';
  }
}
