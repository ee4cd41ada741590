/**
 * The writer's side: stands for the lease of a key, and is its writer while it holds it.
 *
 * `standing-by`: another process holds the lease, or none does yet; it is followed, and when its connection closes (the kernel
 * closes it when the process dies) the lease is tried for at once. `taking-over`: the lease is held, and the epoch is being
 * settled. `leading`: granted; publishes are accepted. `closed`: for good.
 */
import { systemClock } from '../../core/clock.js';
import { StoreError } from '../../core/errors.js';
import { report, toError } from '../../core/report.js';
import { type Confirmation, isNewer, type Snapshot } from '../../core/snapshot.js';
import { type Candidate, type CandidateEvents, type LinkStatus, type News, NO_NEWS, type Relay, type RelayEvents } from '../ports.js';
import { SocketAnnouncer } from './announcer.js';
import { takeLease, type SocketLease } from './election.js';
import { EpochFile } from './epoch-file.js';
import { HostFollower, type HostLinkOptions } from './follow.js';
import { sweep } from './janitor.js';
import { Publications } from './publications.js';
import type { SnapshotFile } from './snapshot-file.js';

/** How long (milliseconds) a relay that isn't preferred waits for one that is. */
const COURTESY = 20;
/** After `release`, for how long (milliseconds) the others go first. */
const AFTER_YOU = 1000;
/** A relay that makes room does so for one that waits for that moment, and has to hear of it soon. */
const AFTER_PREFERRED = 100;

/**
 * Stands for the writer's role of a key on this host. One candidate has it; the others follow it, and when it dies one of
 * them takes over within milliseconds. A frozen one keeps it, since nothing proves that it won't go on.
 *
 * @example
 * const candidate = leadHost({
 *   place: hostPlace(), key: 'flags', onSnapshot: show,
 *   onGranted: ({ epoch, last }) => candidate.publish({ ...next, epoch, version: (last?.version ?? 0) + 1 }),
 * });
 */
export function leadHost(options: HostLinkOptions & CandidateEvents): Candidate {
  return new HostCandidate(options);
}

interface Office {
  readonly lease: SocketLease;
  readonly announcer: SocketAnnouncer;
}

interface Term {
  readonly epoch: number;
  readonly publications: Publications;
  /** The mark of the file as this writer left it. */
  identity: string | undefined;
}

/** Where it is given what a relay hears, its snapshots come with numbers of their own, and nothing is said of epochs. */
export class HostCandidate implements Relay {
  readonly #options: HostLinkOptions & CandidateEvents;
  /** Where this is a relay. */
  readonly #relay: RelayEvents | undefined;
  readonly #follower: HostFollower;
  readonly #file: SnapshotFile;
  readonly #epochs: EpochFile;
  #phase: 'standing-by' | 'taking-over' | 'leading' | 'closed' = 'standing-by';
  #office: Office | undefined;
  #term: Term | undefined;
  /** The highest epoch that any reader was seen to have. */
  #seenEpoch = 0;
  #takingOver: Promise<void> | undefined;

  constructor(options: HostLinkOptions & CandidateEvents, relay?: RelayEvents) {
    this.#options = options;
    this.#relay = relay;
    this.#epochs = new EpochFile(options.place, options.key);
    const followed: HostLinkOptions & CandidateEvents = {
      ...options,
      onState: (state, error) => {
        options.onState?.(state, error);
        if (state === 'live' && !relay) options.onFollowing?.();
      },
    };
    this.#follower = new HostFollower(followed, {
      contend: () => this.#contend(),
      prefers: relay?.prefers ?? false,
      courtesy: relay ? COURTESY : 0,
      // Also of a relay that has lost what it hands on.
      ...(relay ? { onJoined: () => options.onFollowing?.() } : {}),
    });
    this.#file = this.#follower.file;
  }

  publish(snapshot: Snapshot): Promise<void> {
    const term = this.#term;
    if (!term) return Promise.reject(new StoreError("Can't publish: this process is not the key's writer"));
    if (!this.#relay && snapshot.epoch !== term.epoch) {
      return Promise.reject(new StoreError(`Can't publish under epoch ${snapshot.epoch}: this writer was granted ${term.epoch}`));
    }
    return term.publications.add(snapshot);
  }

  async confirm({ epoch, version, createdAtMonotonic }: Confirmation): Promise<void> {
    const newest = this.#term?.publications.newest;
    if (!this.#term || !this.#office) throw new StoreError("Can't confirm: this process is not the key's writer");
    if (newest?.epoch !== epoch || newest.version !== version) {
      throw new StoreError(`Can't confirm epoch ${epoch}, version ${version}: it is not what was published last`);
    }
    await this.#term.publications.settled;
    this.#office?.announcer.confirm(createdAtMonotonic);
  }

  async release(): Promise<void> {
    if (this.#phase !== 'leading') return;
    await this.#resign();
    this.#follower.resume(this.#relay ? AFTER_PREFERRED : AFTER_YOU);
  }

  async close(): Promise<void> {
    if (this.#phase !== 'closed') {
      const leading = this.#phase === 'leading';
      this.#phase = 'closed';
      if (leading) await this.#resign();
      await this.#takingOver;
    }
    await this.#follower.close();
  }

  poke(): void {
    this.#follower.poke();
  }

  ask(news: News): void {
    this.#follower.ask(news);
  }

  trouble(is: boolean): void {
    this.#office?.announcer.trouble(is);
  }

  status(): LinkStatus {
    return { ...this.#follower.status(), readers: this.#office?.announcer.readers ?? 0 };
  }

  /** Tries for the lease. `true`: this is the writer (or is closed), and there is nobody to follow. */
  async #contend(): Promise<boolean> {
    const { place, key, ref = false, clock = systemClock } = this.#options;
    if (this.#phase !== 'standing-by') return true;
    // One that comes before the announcer is there is sent away, and comes again.
    const lease = await takeLease(place, key, ref, (socket) => (this.#office ? this.#office.announcer.accept(socket) : socket.destroy()));
    if (!lease) return false;
    if (this.#isClosed()) {
      await lease.release();
      return true;
    }
    this.#phase = 'taking-over';
    const announcer = new SocketAnnouncer({
      token: lease.token,
      key,
      clock,
      ref,
      onReader: (has) => this.#onReader(has),
      onBeat: () => this.#onBeat(),
      onAsked: (news) => this.#guard(() => this.#relay?.onAsked(news)),
      onPreferred: () => this.#guard(() => this.#relay?.onPreferred()),
    });
    this.#office = { lease, announcer };
    // A connection that can't be accepted (no file descriptor is left) is that reader's loss: it polls, and tries again.
    lease.server.on('error', (error) => this.#follower.fail('connect', error));
    await this.#follower.lead();
    await this.#takeOver();
    return true;
  }

  #takeOver(): Promise<void> {
    this.#takingOver = this.#begin();
    return this.#takingOver;
  }

  /** Settles the epoch of a new term and starts it. Nothing that fails here takes the lease away again. Never rejects. */
  async #begin(): Promise<void> {
    const { place, key, clock = systemClock } = this.#options;
    const [loaded, granted = 0] = await Promise.all([
      this.#attempt(() => this.#file.load()),
      this.#attempt(() => this.#epochs.read()),
      this.#attempt(() => sweep(place, key, clock)),
    ]);
    // What a relay handed over before, and isn't in the file any more, it puts back.
    const have = this.#relay ? NO_NEWS : this.#follower.have;
    const newest: News = loaded && isNewer(loaded.snapshot, have) ? loaded.snapshot : have;
    const epoch = this.#relay ? 0 : await this.#nextEpoch(Math.max(granted, newest.epoch));
    if (this.#isClosed() || !this.#office) {
      await this.#resign();
      return;
    }
    this.#phase = 'leading';
    this.#follower.published(newest);
    if (isNewer(newest, NO_NEWS)) this.#office.announcer.announce(newest);
    this.#term = this.#makeTerm(epoch, newest, loaded?.identity);
    this.#guard(() => this.#options.onGranted({ epoch, last: loaded?.snapshot }));
  }

  /** Apart from its caller, whose other closures have the snapshot that was loaded: as long as the term lasts, this one would keep it. */
  #makeTerm(epoch: number, newest: News, identity: string | undefined): Term {
    const term: Term = { epoch, publications: new Publications(newest, (snapshot) => this.#store(term, snapshot)), identity };
    return term;
  }

  /** Later than every one that was granted, or that a reader has. */
  async #nextEpoch(last: number): Promise<number> {
    let epoch = 0;
    // A reader may come with a later one meanwhile.
    while (epoch <= this.#seenEpoch) {
      epoch = Math.max(last, this.#seenEpoch) + 1;
      await this.#attempt(() => this.#epochs.write(epoch));
    }
    return epoch;
  }

  /** The bytes first, then the news: no reader is told of what isn't there. */
  async #store(term: Term, snapshot: Snapshot): Promise<void> {
    const office = this.#office;
    if (this.#term !== term || !office) throw new StoreError("Can't publish: this process is not the key's writer any more");
    if (!office.lease.held()) {
      const error = new StoreError("Can't publish: the lease was lost, since the files of the namespace were taken away");
      this.#dismiss(error);
      throw error;
    }
    // Two relays, where there are two, hand on the same.
    if (!this.#relay) await this.#refuseIfFenced(term);
    term.identity = await this.#file.put(snapshot);
    this.#follower.published(snapshot);
    if (this.#term === term) office.announcer.announce(snapshot);
  }

  /** The file changes under a writer only where there are two, which takes a directory that was deleted while in use. */
  async #refuseIfFenced(term: Term): Promise<void> {
    if (term.identity === undefined || !(await this.#file.changedSince(term.identity))) return;
    const other = await this.#file.load().catch(() => undefined);
    if (!other || other.snapshot.epoch <= term.epoch) return;
    const error = new StoreError(`Can't publish under epoch ${term.epoch}: another writer has published under ${other.snapshot.epoch}`);
    this.#seenEpoch = Math.max(this.#seenEpoch, other.snapshot.epoch);
    this.#endTerm(error);
    void this.#takeOver();
    throw error;
  }

  /** A reader that is ahead would ignore what is published here: so this writer takes an epoch later than the reader's. */
  #onReader(has: News): void {
    if (this.#relay) {
      const { newest } = this.#term?.publications ?? { newest: NO_NEWS };
      if (isNewer(has, newest)) this.#guard(() => this.#relay?.onAsked(has));
      return;
    }
    this.#seenEpoch = Math.max(this.#seenEpoch, has.epoch);
    const term = this.#term;
    // Of this epoch a reader may have what is being published just now, and nothing newer. Where the files were deleted, a new
    // writer may have been granted an epoch that another one had before.
    if (!term || has.epoch < term.epoch || !isNewer(has, term.publications.newest)) return;
    this.#endTerm(new StoreError(`Epoch ${term.epoch} is over: a reader has seen epoch ${has.epoch}, version ${has.version}`));
    void this.#takeOver();
  }

  #onBeat(): void {
    const office = this.#office;
    if (this.#phase !== 'leading' || !office) return;
    try {
      if (office.lease.held()) return;
      this.#dismiss(new StoreError('The lease was lost: the files of the namespace were taken away'));
    } catch (error) {
      this.#follower.fail('connect', error);
    }
  }

  #endTerm(error: Error): void {
    if (!this.#term) return;
    this.#term.publications.abandon(error);
    this.#term = undefined;
    this.#phase = 'taking-over';
    this.#guard(() => this.#options.onLost?.(error));
  }

  /** The lease is gone: back to the others. */
  #dismiss(error: Error): void {
    if (this.#phase !== 'leading') return;
    this.#endTerm(error);
    this.#phase = 'standing-by';
    void this.#leaveOffice().then(() => this.#follower.resume(0));
  }

  /** Once running publishes are done. */
  async #resign(): Promise<void> {
    await this.#term?.publications.finish(new StoreError("Can't publish: this process gave the writer's role up"));
    this.#term = undefined;
    if (this.#phase !== 'closed') this.#phase = 'standing-by';
    await this.#leaveOffice();
  }

  async #leaveOffice(): Promise<void> {
    const office = this.#office;
    this.#office = undefined;
    // The listener first: a reader that is sent away tries for the lease at once.
    const released = office?.lease.release();
    await office?.announcer.close();
    await released;
  }

  /** What `work` gives; `undefined` where it fails, which is told. */
  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      report(error, this.#options.onError, 'host link');
      return undefined;
    }
  }

  #guard(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      report(toError(error), this.#options.onError, 'a callback of the host link');
    }
  }

  #isClosed(): boolean {
    return this.#phase === 'closed';
  }
}
