import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { unpackError } from '../../core/packed-error.js';
import { report } from '../../core/report.js';
import { onThreadDeath } from '../../core/deaths.js';
import { disown, type Ring } from '../../mirror/layout.js';
import { SupervisedThread } from '../../scheduler/supervised-thread.js';
import {
  type FleetRole,
  type FleetSaying,
  type FromLink,
  type Here,
  LINK_CHANNEL,
  type PlainLinkStatus,
  type ToLink,
  type Want,
} from './messages.js';

/**
 * How long (milliseconds) a thread waits for a running link thread to answer before it makes one. The main thread is the
 * best place for it, since that one lives as long as the process.
 */
const PATIENCE = isMainThread ? 10 : 100;
/** The same while another thread is about to start it anew. */
const PATIENCE_WITH_MAKER = 1500;
const SPEAK_EVERY = 2000;
/** One that leaves so many hellos unanswered is gone. Time alone wouldn't tell: this thread may have been blocked. */
const UNANSWERED = 3;
/** A link thread that is asked because a younger one has appeared, and doesn't answer for so long, is gone. */
const PROBE_FOR = 1000;

/** What a want gets to hear. */
export interface LinkEvents {
  /** This process writes the key now, into this ring, its publications going on from these numbers. */
  onGranted?(lead: { epoch: number; version: number; buffer: SharedArrayBuffer }): void;
  onStandBy?(): void;
  onDuplicate?(): void;
  /** The value of the key is to be wanted under this name; `undefined`: under the key, as at first. */
  onMoved?(target: string | undefined): void;
  /** Whether this thread speaks to Redis. Told again by each new link thread. */
  onRole?(role: FleetRole): void;
  /** Redis has something newer, as somebody says. */
  onPoke?(): void;
  /** The same failure in a row is told once. */
  onProblem(error: Error): void;
}

/** What is wanted. `ring` is asked each time that it is said to a link thread. */
export interface Wanted extends Omit<Want, 'id' | 'buffer'> {
  readonly ring: () => Ring;
}

/** A want of this thread, until `drop`. */
export interface LinkHandle {
  drop(): void;
  /** Of a fleet's value. Dropped while there is no link thread. */
  say(saying: FleetSaying): void;
  /** As the link thread last told it, at most about a second ago. */
  status(): PlainLinkStatus | undefined;
}

interface Entry {
  readonly wanted: Wanted;
  readonly events: LinkEvents;
  status: PlainLinkStatus | undefined;
  /** The message of the last failure that was told. */
  told: string | undefined;
}

/**
 * This thread's way to the link thread of the process, which it finds or makes. What is wanted is said again to every new
 * link thread, so one that dies takes nothing with it. Nothing here keeps the process alive.
 */
class LinkClient {
  readonly #entries = new Map<string, Entry>();
  #channel: BroadcastChannel | undefined;
  #stopMourning: (() => void) | undefined;
  #thread: SupervisedThread | undefined;
  /** The link thread that is spoken to, and when it last answered. */
  #link: Here | undefined;
  #answered = 0;
  #unanswered = 0;
  #speaking: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #probe: NodeJS.Timeout | undefined;
  #next = 1;

  want(wanted: Wanted, events: LinkEvents): LinkHandle {
    const id = `${threadId}.${this.#next++}`;
    const entry: Entry = { wanted, events, status: undefined, told: undefined };
    this.#entries.set(id, entry);
    if (this.#link === undefined) this.#seek(PATIENCE);
    else this.#say(id, entry);
    return {
      drop: () => {
        if (this.#entries.delete(id) && this.#link) this.#send({ type: 'drop', to: this.#link.link, id });
      },
      say: (saying) => {
        if (this.#link && this.#entries.has(id)) this.#send({ ...saying, to: this.#link.link, id });
      },
      status: () => entry.status,
    };
  }

  /** Whether this thread made the link thread, and how that is. */
  status(): ReturnType<SupervisedThread['status']> | undefined {
    return this.#thread?.status();
  }

  /** Ends this thread's part, and the link thread if this thread made it: its sockets close, standbys elsewhere take over. */
  async close(timeout: number): Promise<void> {
    clearInterval(this.#speaking);
    clearTimeout(this.#patience);
    clearTimeout(this.#probe);
    this.#speaking = this.#patience = this.#probe = undefined;
    if (this.#link) for (const id of this.#entries.keys()) this.#send({ type: 'drop', to: this.#link.link, id });
    this.#entries.clear();
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.stop(timeout);
    this.#link = undefined;
    this.#channel?.close();
    this.#channel = undefined;
    this.#stopMourning?.();
    this.#stopMourning = undefined;
  }

  #seek(patience: number): void {
    this.#hello();
    this.#speaking ??= setInterval(() => this.#speak(), SPEAK_EVERY).unref();
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      if (this.#link === undefined && this.#entries.size > 0) this.#make();
    }, patience).unref();
  }

  #make(): void {
    this.#thread ??= new SupervisedThread({
      url: new URL('./link-thread.js', import.meta.url),
      name: 'advanced-caching link',
      clock: systemClock,
      ref: false,
      workerData: () => ({ maker: threadId }),
      onDown: ({ error }) => report(error ?? new Error('It ended'), undefined, 'the link thread (it is started anew)'),
    });
    this.#thread.start();
  }

  /** Tells the link thread that this thread and its wants live, and notices one that is gone. */
  #speak(): void {
    if (this.#entries.size === 0) return;
    if (this.#unanswered >= UNANSWERED) this.#link = undefined;
    this.#unanswered = this.#link ? this.#unanswered + 1 : 0;
    if (this.#link) this.#hello();
    else this.#seek(PATIENCE);
  }

  #hello(): void {
    this.#send({ type: 'hello', from: threadId, wants: [...this.#entries.keys()] });
  }

  #say(id: string, { wanted: { ring, ...wanted } }: Entry): void {
    if (this.#link) this.#send({ type: 'want', to: this.#link.link, from: threadId, want: { ...wanted, id, buffer: ring().buffer } });
  }

  #send(message: ToLink): void {
    if (!this.#channel) {
      this.#channel = new BroadcastChannel(LINK_CHANNEL);
      this.#channel.onmessage = (event) => this.#receive((event as { data: FromLink }).data);
      this.#channel.unref();
      this.#stopMourning = onThreadDeath((thread) => this.#mourn(thread));
    }
    this.#channel.postMessage(message);
  }

  #receive(message: FromLink): void {
    if (message.type === 'here') {
      this.#hear(message);
      return;
    }
    if (message.type === 'statuses') {
      for (const [id, entry] of this.#entries) entry.status = message.statuses.get(id) ?? entry.status;
      return;
    }
    const entry = this.#entries.get(message.id);
    if (!entry) return;
    switch (message.type) {
      case 'granted':
        entry.told = undefined;
        entry.events.onGranted?.({ epoch: message.epoch, version: message.version, buffer: message.buffer });
        return;
      case 'stand-by':
        entry.told = undefined;
        entry.events.onStandBy?.();
        return;
      case 'duplicate':
        entry.events.onDuplicate?.();
        return;
      case 'moved':
        entry.events.onMoved?.(message.target);
        return;
      case 'role':
        entry.told = undefined;
        entry.events.onRole?.(message.role);
        return;
      case 'poke':
        entry.events.onPoke?.();
        return;
      case 'problem':
        if (message.error.message === entry.told) return;
        entry.told = message.error.message;
        entry.events.onProblem(unpackError(message.error));
        return;
      default:
        // What another thread says to the link thread.
        return;
    }
  }

  /** Of two link threads (two threads each made one at the same moment) all speak to the older one; the other one ends. */
  #hear(here: Here): void {
    const before = this.#link;
    if (before?.link === here.link) {
      if (here.from === threadId) this.#answer();
    } else if (before && isOlder(before, here)) {
      this.#doubt();
      return;
    } else {
      this.#link = here;
      this.#answer();
      if (this.#thread && this.#thread.status().threadId !== here.link) {
        void this.#thread.stop(1000);
        this.#thread = undefined;
      }
    }
    // Only an answer to this thread says what it has of it.
    if (before?.link === here.link && here.from !== threadId) return;
    const has = new Set(here.from === threadId ? here.has : []);
    for (const [id, entry] of this.#entries) {
      if (!has.has(id)) this.#say(id, entry);
      if (before && before.link !== here.link) this.#send({ type: 'drop', to: before.link, id });
    }
  }

  #answer(): void {
    this.#answered = performance.now();
    this.#unanswered = 0;
  }

  /** Somebody made another link thread: the one that this thread knows may be gone, unseen by whoever could prove it. */
  #doubt(): void {
    if (this.#probe) return;
    const asked = performance.now();
    this.#hello();
    this.#probe = setTimeout(() => {
      this.#probe = undefined;
      if (this.#answered >= asked) return;
      this.#link = undefined;
      if (this.#entries.size > 0) this.#seek(PATIENCE);
    }, PROBE_FOR).unref();
  }

  #mourn(thread: number): void {
    // Its successor may go on with what it had.
    for (const { wanted } of this.#entries.values()) disown(wanted.ring(), thread);
    const link = this.#link;
    if (!link || (link.link !== thread && link.maker !== thread)) return;
    this.#link = undefined;
    if (this.#entries.size > 0) this.#seek(link.maker === thread || link.maker === threadId ? PATIENCE : PATIENCE_WITH_MAKER);
  }
}

function isOlder(one: Here, other: Here): boolean {
  return one.born === other.born ? one.link < other.link : one.born < other.born;
}

export const linkClient: LinkClient = new LinkClient();
export type { LinkClient };
