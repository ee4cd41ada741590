import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { unpackError } from '../../core/packed-error.js';
import { report } from '../../core/report.js';
import { SupervisedThread } from '../../scheduler/supervised-thread.js';
import { type FromLink, LINK_CHANNEL, type PlainLinkStatus, type ToLink, type Want } from './messages.js';

/**
 * How long (milliseconds) a thread waits for a running link thread to answer before it makes one. The main thread is the
 * best place for it, since that one lives as long as the process.
 */
const PATIENCE = isMainThread ? 10 : 60;
const SPEAK_EVERY = 2000;

/** What a want gets to hear. */
export interface LinkEvents {
  /** This process writes the key now, its publications going on from these numbers. */
  onGranted?(numbers: { epoch: number; version: number }): void;
  onStandBy?(): void;
  onDuplicate?(): void;
  onProblem(error: Error): void;
}

/** A want of this thread, until `drop`. */
export interface LinkHandle {
  drop(): void;
  /** As the link thread last told it, at most about a second ago. */
  status(): PlainLinkStatus | undefined;
}

interface Entry {
  readonly want: Want;
  readonly events: LinkEvents;
  status: PlainLinkStatus | undefined;
}

/**
 * This thread's way to the link thread of the process, which it finds or makes. What is wanted is said again to every new
 * link thread, so one that dies takes nothing with it. Nothing here keeps the process alive.
 */
class LinkClient {
  readonly #entries = new Map<string, Entry>();
  #channel: BroadcastChannel | undefined;
  #thread: SupervisedThread | undefined;
  /** The link thread that is spoken to, and when it last answered. */
  #link: number | undefined;
  #answered = 0;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #next = 1;

  want(wanted: Omit<Want, 'id'>, events: LinkEvents): LinkHandle {
    const want: Want = { ...wanted, id: `${threadId}.${this.#next++}` };
    const entry: Entry = { want, events, status: undefined };
    this.#entries.set(want.id, entry);
    if (this.#link === undefined) this.#seek();
    else this.#say(want);
    return {
      drop: () => {
        if (!this.#entries.delete(want.id)) return;
        if (this.#link !== undefined) this.#send({ type: 'drop', to: this.#link, id: want.id });
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
    clearInterval(this.#timer);
    clearTimeout(this.#patience);
    this.#timer = this.#patience = undefined;
    for (const id of this.#entries.keys()) if (this.#link !== undefined) this.#send({ type: 'drop', to: this.#link, id });
    this.#entries.clear();
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.stop(timeout);
    this.#link = undefined;
    this.#channel?.close();
    this.#channel = undefined;
  }

  #seek(): void {
    this.#hello();
    this.#timer ??= setInterval(() => this.#speak(), SPEAK_EVERY).unref();
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      if (this.#link === undefined && this.#entries.size > 0) this.#make();
    }, PATIENCE).unref();
  }

  #make(): void {
    this.#thread ??= new SupervisedThread({
      url: new URL('./link-thread.js', import.meta.url),
      name: 'advanced-caching link',
      clock: systemClock,
      ref: false,
      onDown: ({ error, threadId: dead }) => {
        if (this.#link === dead) this.#link = undefined;
        if (error) report(error, undefined, 'the link thread (it is started anew)');
      },
    });
    this.#thread.start();
  }

  /** Tells the link thread that this thread and its wants live, and notices one that is gone. */
  #speak(): void {
    if (this.#entries.size === 0) return;
    if (this.#link !== undefined && performance.now() - this.#answered > 3 * SPEAK_EVERY) this.#link = undefined;
    if (this.#link === undefined) this.#seek();
    else this.#hello();
  }

  #hello(): void {
    this.#send({ type: 'hello', from: threadId, wants: [...this.#entries.keys()] });
  }

  #say(want: Want): void {
    if (this.#link !== undefined) this.#send({ type: 'want', to: this.#link, from: threadId, want });
  }

  #send(message: ToLink): void {
    if (!this.#channel) {
      this.#channel = new BroadcastChannel(LINK_CHANNEL);
      this.#channel.onmessage = (event) => this.#receive((event as { data: FromLink }).data);
      this.#channel.unref();
    }
    this.#channel.postMessage(message);
  }

  #receive(message: FromLink): void {
    if (message.type === 'here') {
      this.#hear(message);
      return;
    }
    const entry = 'id' in message ? this.#entries.get(message.id) : undefined;
    if (!entry) return;
    switch (message.type) {
      case 'granted':
        entry.events.onGranted?.({ epoch: message.epoch, version: message.version });
        return;
      case 'stand-by':
        entry.events.onStandBy?.();
        return;
      case 'duplicate':
        entry.events.onDuplicate?.();
        return;
      case 'problem':
        entry.events.onProblem(unpackError(message.error));
        return;
      case 'status':
        entry.status = message.status;
        return;
      default:
        return;
    }
  }

  /** Of two link threads (two threads each made one at the same moment) all speak to the one with the lower number. */
  #hear({ link, from, has }: Extract<FromLink, { type: 'here' }>): void {
    if (from !== undefined && from !== threadId && this.#link === link) return;
    if (this.#link !== undefined && this.#link < link) return;
    const before = this.#link;
    this.#link = link;
    if (from === threadId) this.#answered = performance.now();
    if (from === undefined || before !== link) this.#answered = performance.now();
    const known = new Set(from === threadId ? has : []);
    for (const { want } of this.#entries.values()) {
      if (known.has(want.id)) continue;
      this.#say(want);
      if (before !== undefined && before !== link) this.#send({ type: 'drop', to: before, id: want.id });
    }
  }
}

export const linkClient: LinkClient = new LinkClient();
export type { LinkClient };
