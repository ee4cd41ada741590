/**
 * The link thread: one in a process that follows or writes keys of scope `'host'`. It holds the sockets and files, so that no
 * event loop of the application does, and none that is blocked keeps a new version from the process's other threads.
 */
import { BroadcastChannel, threadId, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.js';
import { packError } from '../../core/packed-error.js';
import { toError } from '../../core/report.js';
import { onThreadDeath } from '../../core/deaths.js';
import { closeDirectory } from '../../mirror/directory.js';
import { serveThread } from '../../scheduler/thread-side.js';
import { type HostPlace, hostPlace } from '../host/place.js';
import { FleetPost, type FleetPostEvents } from './fleet-post.js';
import { type FleetSaying, type FromLink, type Here, LINK_CHANNEL, type PlainLinkStatus, type ToLink, type Want } from './messages.js';
import { Post, type PostEvents } from './post.js';

/** A want that its thread hasn't spoken of for so long is that of a thread that is gone (milliseconds). */
const FORGOTTEN_AFTER = 30_000;
const STATUS_EVERY = 1000;

const { maker } = workerData as { maker: number };
const self: Omit<Here, 'from' | 'has'> = { type: 'here', link: threadId, maker, born: systemClock.monotonic() };
const channel = new BroadcastChannel(LINK_CHANNEL);
const posts = new Map<string, Post | FleetPost>();
/** Posts that are ending. One that takes its place begins when it has ended. */
const leaving = new Map<string, Promise<void>>();
const places = new Map<string, HostPlace>();
/** When each want was last spoken of. Not on the host's clock: while the machine is suspended no thread can speak. */
const lastSaid = new Map<string, number>();

const events: PostEvents & FleetPostEvents = {
  granted: (want, lead) => tell({ type: 'granted', id: want.id, ...lead }),
  standBy: (want) => tell({ type: 'stand-by', id: want.id }),
  duplicate: (want) => tell({ type: 'duplicate', id: want.id }),
  moved: (wants, target) => {
    for (const want of wants) tell({ type: 'moved', id: want.id, target });
  },
  role: (want, role) => tell({ type: 'role', id: want.id, role }),
  poke: (want) => tell({ type: 'poke', id: want.id }),
  problem: (wants, error) => {
    for (const want of wants) tell({ type: 'problem', id: want.id, error: packError(error) });
  },
};

channel.onmessage = (event) => receive((event as { data: ToLink }).data);
channel.unref();
serveThread({
  onMessage: () => {},
  onStop: async () => {
    clearInterval(housekeeping);
    stopMourning();
    for (const name of posts.keys()) leave(name);
    await Promise.all(leaving.values());
    closeDirectory();
    channel.close();
  },
});
const stopMourning = onThreadDeath(mourn);
const housekeeping = setInterval(keepHouse, STATUS_EVERY).unref();
tell({ ...self, from: undefined, has: [] });

function tell(message: FromLink): void {
  channel.postMessage(message);
}

function receive(message: ToLink): void {
  switch (message.type) {
    case 'hello': {
      const has = message.wants.filter((id) => lastSaid.has(id));
      for (const id of has) lastSaid.set(id, performance.now());
      tell({ ...self, from: message.from, has });
      return;
    }
    case 'want':
      if (message.to === threadId) want(message.want);
      return;
    case 'drop':
      if (message.to === threadId) drop(message.id);
      return;
    case 'snapshot':
    case 'confirmed':
    case 'heard':
    case 'ask':
      if (message.to === threadId) hear(message.id, message);
      return;
    default:
      // What another link thread says.
      return;
  }
}

/** What a dead thread wanted goes with it. */
function mourn(thread: number): void {
  for (const id of lastSaid.keys()) if (id.startsWith(`${thread}.`)) drop(id);
  for (const post of posts.values()) post.mourn(thread);
}

function want(wanted: Want): void {
  lastSaid.set(wanted.id, performance.now());
  const name = postName(wanted);
  try {
    let post = posts.get(name);
    if (!post) {
      post = wanted.fleet ? makeFleetPost(wanted, leaving.get(name)) : new Post(placeOf(wanted), wanted, events, leaving.get(name));
      posts.set(name, post);
    }
    post.add(wanted);
  } catch (error) {
    // Said again by its thread, it is tried again.
    lastSaid.delete(wanted.id);
    tell({ type: 'problem', id: wanted.id, error: packError(toError(error)) });
  }
}

/** A value of the fleet needs the host's directory for its way to other processes, and none for the way here. */
function makeFleetPost(wanted: Want, after: Promise<void> | undefined): FleetPost {
  let place: HostPlace | undefined;
  try {
    place = placeOf(wanted);
  } catch (error) {
    tell({ type: 'problem', id: wanted.id, error: packError(toError(error)) });
  }
  return new FleetPost(place, wanted, events, after);
}

function hear(id: string, saying: FleetSaying): void {
  for (const post of posts.values()) {
    if (!(post instanceof FleetPost) || !post.has(id)) continue;
    if (saying.type === 'snapshot') {
      const { buffer, ...meta } = saying.snapshot;
      post.takeIn({ ...meta, bytes: new Uint8Array(buffer).slice() }, saying.writer);
    } else if (saying.type === 'confirmed') post.confirm(saying.confirmation);
    else if (saying.type === 'heard') post.heard(id, saying.state, saying.trouble);
    else post.ask(id, saying.news);
  }
}

function drop(id: string): void {
  lastSaid.delete(id);
  for (const [name, post] of posts) {
    if (!post.has(id)) continue;
    post.drop(id);
    if (post.empty) leave(name);
  }
}

function leave(name: string): void {
  const post = posts.get(name);
  if (!post) return;
  posts.delete(name);
  const left = post.close().finally(() => {
    if (leaving.get(name) === left) leaving.delete(name);
  });
  leaving.set(name, left);
}

function keepHouse(): void {
  const now = performance.now();
  for (const [id, said] of lastSaid) if (now - said > FORGOTTEN_AFTER) drop(id);
  const statuses = new Map<string, PlainLinkStatus>();
  for (const post of posts.values()) {
    const status = post.status();
    if (!status) continue;
    const plain = { ...status, lastError: status.lastError && packError(status.lastError) };
    for (const id of post.ids()) statuses.set(id, plain);
  }
  if (statuses.size > 0) tell({ type: 'statuses', statuses });
}

function placeOf({ namespace, directory }: Want): HostPlace {
  const name = `${directory ?? ''}\0${namespace}`;
  let place = places.get(name);
  if (!place) {
    place = hostPlace({ namespace, ...(directory === undefined ? {} : { directory }) });
    places.set(name, place);
  }
  return place;
}

function postName({ directory, namespace, key }: Want): string {
  return `${directory ?? ''}\0${namespace}\0${key}`;
}
