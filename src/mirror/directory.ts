/**
 * How the threads of a process find one another's rings. Three ways, tried in this order:
 * 1. this thread's own table;
 * 2. the environment data of worker threads: a thread started after the ring was made has it before its first line runs;
 * 3. a BroadcastChannel, for threads that already run: a new ring is announced, and a thread that misses one asks.
 *
 * Announcements may come late (the thread's loop is busy), answers several times, and what a thread inherited may be of a
 * writer that is gone: so `outranks` says which of two rings of a key counts, and a thread asks also when it has inherited
 * one. Nothing depends on any of it but promptness. The channel never keeps a thread alive.
 *
 * A thread that ends takes nothing with it: every thread that hears of its end frees those of the rings it knows that the
 * dead one wrote.
 */
import { BroadcastChannel, getEnvironmentData, setEnvironmentData, threadId } from 'node:worker_threads';
import { systemClock } from '../core/clock.js';
import { onThreadDeath } from '../core/deaths.js';
import { freeDead, holderOf, openRing, type Ring } from './layout.js';
import { newestMeta } from './protocol.js';

/** Bumped when messages or rings change in a way that an older copy of the package would misread. */
const EDITION = 'advanced-caching/1';
const ASK_AGAIN_MS = [10, 30, 100, 300, 1000, 3000];

type Message =
  | { readonly type: 'ring'; readonly key: string; readonly buffer: SharedArrayBuffer }
  | { readonly type: 'gone'; readonly key: string; readonly instance: string }
  | { readonly type: 'ask'; readonly key: string; readonly have: string | undefined };

interface Book {
  readonly rings: Map<string, Ring>;
  /** Who in this thread wants to hear of each key's rings. */
  readonly seekers: Map<string, Set<(ring: Ring) => void>>;
  channel: BroadcastChannel | undefined;
  /** Ends the listening for threads that end. */
  stopMourning: (() => void) | undefined;
}

const book: Book = { rings: new Map(), seekers: new Map(), channel: undefined, stopMourning: undefined };

function freeRingsOf(thread: number): void {
  const now = systemClock.monotonic();
  for (const ring of book.rings.values()) freeDead(ring, thread, now);
}

/** The ring of a key, if this thread has heard of one. */
export function findRing(key: string): Ring | undefined {
  const known = book.rings.get(key);
  if (known) return known;
  const inherited = getEnvironmentData(environmentName(key));
  return inherited instanceof SharedArrayBuffer ? learn(key, inherited) : undefined;
}

/** Makes a ring known to every thread of the process, unless a better one is known here. */
export function announceRing(key: string, ring: Ring): void {
  const known = findRing(key);
  if (known && known.instance !== ring.instance && !outranks(ring, known)) return;
  remember(key, ring);
  send({ type: 'ring', key, buffer: ring.buffer });
  // A channel doesn't hear itself.
  tellSeekers(key, ring);
}

function tellSeekers(key: string, ring: Ring): void {
  for (const onRing of [...(book.seekers.get(key) ?? [])]) onRing(ring);
}

/** Forgets a ring everywhere; who holds it keeps it. */
export function withdrawRing(key: string, ring: Ring): void {
  forget(key, ring.instance);
  send({ type: 'gone', key, instance: ring.instance });
}

/**
 * Calls `onRing` with the key's ring, now if it is known, and again whenever another ring is announced for the key.
 *
 * @returns its off
 */
export function seekRing(key: string, onRing: (ring: Ring) => void): () => void {
  const seekers = book.seekers.get(key) ?? new Set();
  book.seekers.set(key, seekers.add(onRing));
  const known = findRing(key);
  let timer: NodeJS.Timeout | undefined;
  if (known) {
    send({ type: 'ask', key, have: known.instance });
    onRing(known);
  } else {
    ask(0);
  }

  function ask(attempt: number): void {
    send({ type: 'ask', key, have: undefined });
    const wait = ASK_AGAIN_MS[Math.min(attempt, ASK_AGAIN_MS.length - 1)];
    timer = setTimeout(() => {
      if (book.seekers.get(key) === seekers && !book.rings.has(key)) ask(attempt + 1);
    }, wait).unref();
  }
  return () => {
    clearTimeout(timer);
    seekers.delete(onRing);
    if (seekers.size === 0 && book.seekers.get(key) === seekers) book.seekers.delete(key);
  };
}

/** Ends this thread's part in the directory; the next use opens it again. */
export function closeDirectory(): void {
  for (const [key, ring] of book.rings) forget(key, ring.instance);
  book.seekers.clear();
  book.channel?.close();
  book.channel = undefined;
  book.stopMourning?.();
  book.stopMourning = undefined;
}

/** Every ring that this thread has heard of. */
export function knownRings(): ReadonlyMap<string, Ring> {
  return book.rings;
}

/**
 * Whether readers go over from one ring of a key to another: announcements come in any order, and in another one in each
 * thread. This process's own writer is nearer than one elsewhere, and a ring whose writer is gone gives way to a value of
 * the host. Of two rings with a writer the older stays: its writer came first. Else the younger counts.
 */
function outranks(next: Ring, known: Ring): boolean {
  const isHeld = holderOf(next) !== undefined;
  const wasHeld = holderOf(known) !== undefined;
  if (next.scope !== known.scope) return next.scope === 'process' || (!wasHeld && newestMeta(next) !== undefined);
  if (isHeld !== wasHeld) return isHeld;
  return isHeld ? next.born < known.born : next.born > known.born;
}

function environmentName(key: string): string {
  return `${EDITION}/ring/${key}`;
}

function remember(key: string, ring: Ring): void {
  book.stopMourning ??= onThreadDeath(freeRingsOf);
  book.rings.set(key, ring);
  setEnvironmentData(environmentName(key), ring.buffer);
}

function forget(key: string, instance: string): void {
  if (book.rings.get(key)?.instance !== instance) return;
  book.rings.delete(key);
  setEnvironmentData(environmentName(key), undefined);
}

/** What came from another thread, or another copy of the package, isn't trusted to be a ring of ours. */
function learn(key: string, buffer: unknown): Ring | undefined {
  let ring: Ring;
  try {
    ring = openRing(buffer);
  } catch (error) {
    process.emitWarning(
      `advanced-caching: the ring of '${key}' was refused in thread ${threadId}: ${(error as Error).message}`,
      'AdvancedCachingWarning',
    );
    return undefined;
  }
  const known = book.rings.get(key);
  if (known && (known.instance === ring.instance || !outranks(ring, known))) return known;
  remember(key, ring);
  return ring;
}

function openChannel(): BroadcastChannel {
  if (book.channel) return book.channel;
  const channel = new BroadcastChannel(EDITION);
  // @types/node types the event as unknown.
  channel.onmessage = (event) => {
    const { data } = event as { data: unknown };
    if (isMessage(data)) receive(data);
  };
  channel.unref();
  book.channel = channel;
  return channel;
}

function send(message: Message): void {
  openChannel().postMessage(message);
}

/** The channel's name is no secret: anyone in the process may send anything. */
function isMessage(data: unknown): data is Message {
  return typeof data === 'object' && data !== null && 'type' in data && 'key' in data && typeof data.key === 'string';
}

function receive(message: Message): void {
  switch (message.type) {
    case 'ring': {
      const known = book.rings.get(message.key);
      const ring = learn(message.key, message.buffer);
      if (ring && ring !== known) tellSeekers(message.key, ring);
      return;
    }
    case 'gone':
      forget(message.key, message.instance);
      return;
    case 'ask': {
      const ring = book.rings.get(message.key);
      if (ring && ring.instance !== message.have) send({ type: 'ring', key: message.key, buffer: ring.buffer });
      return;
    }
    default:
      // A word of a newer edition: not for us.
      return;
  }
}
