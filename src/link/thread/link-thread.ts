/**
 * The link thread: one in a process that follows or writes keys of scope `'host'`. It holds the sockets and files, so that no
 * event loop of the application does, and none that is blocked keeps a new version from the process's other threads.
 */
import { BroadcastChannel, threadId } from 'node:worker_threads';
import { packError } from '../../core/packed-error.js';
import { toError } from '../../core/report.js';
import { closeDirectory } from '../../mirror/directory.js';
import { serveThread } from '../../scheduler/thread-side.js';
import { type HostPlace, hostPlace } from '../host/place.js';
import { type FromLink, LINK_CHANNEL, type ToLink, type Want } from './messages.js';
import { Post, type PostEvents } from './post.js';

/** A want that its thread hasn't spoken of for so long is that of a thread that is gone (milliseconds). */
const FORGOTTEN_AFTER = 30_000;
const STATUS_EVERY = 1000;

const channel = new BroadcastChannel(LINK_CHANNEL);
const posts = new Map<string, Post>();
/** Of posts that nobody wants any more: a publication under way is ended, and leaves no temporary file. */
const ending = new Set<Promise<void>>();
const places = new Map<string, HostPlace>();
/** When each want was last spoken of. */
const lastSaid = new Map<string, number>();

const events: PostEvents = {
  granted: (want, grant) => tell({ type: 'granted', id: want.id, ...grant }),
  standBy: (want) => tell({ type: 'stand-by', id: want.id }),
  duplicate: (want) => tell({ type: 'duplicate', id: want.id }),
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
    await Promise.all([...[...posts.values()].map((post) => post.close()), ...ending]);
    closeDirectory();
    channel.close();
  },
});
const housekeeping = setInterval(keepHouse, STATUS_EVERY).unref();
tell({ type: 'here', link: threadId, from: undefined, has: [] });

function tell(message: FromLink): void {
  channel.postMessage(message);
}

function receive(message: ToLink): void {
  switch (message.type) {
    case 'hello': {
      const has = message.wants.filter((id) => lastSaid.has(id));
      for (const id of has) lastSaid.set(id, performance.now());
      tell({ type: 'here', link: threadId, from: message.from, has });
      return;
    }
    case 'want':
      if (message.to === threadId) want(message.want);
      return;
    case 'drop':
      if (message.to === threadId) drop(message.id);
      return;
    default:
      // What another link thread says.
      return;
  }
}

function want(wanted: Want): void {
  lastSaid.set(wanted.id, performance.now());
  const name = postName(wanted);
  try {
    let post = posts.get(name);
    if (!post) {
      post = new Post(placeOf(wanted), wanted, events);
      posts.set(name, post);
    }
    post.add(wanted);
  } catch (error) {
    // Said again by its thread, it is tried again.
    lastSaid.delete(wanted.id);
    tell({ type: 'problem', id: wanted.id, error: packError(toError(error)) });
  }
}

function drop(id: string): void {
  lastSaid.delete(id);
  for (const [name, post] of posts) {
    if (!post.has(id)) continue;
    post.drop(id);
    if (!post.empty) continue;
    posts.delete(name);
    const ended = post.close().finally(() => ending.delete(ended));
    ending.add(ended);
  }
}

function keepHouse(): void {
  const now = performance.now();
  for (const [id, said] of lastSaid) if (now - said > FORGOTTEN_AFTER) drop(id);
  for (const post of posts.values()) {
    const status = post.status();
    if (!status) continue;
    const plain = { ...status, lastError: status.lastError && packError(status.lastError) };
    for (const id of lastSaid.keys()) if (post.has(id)) tell({ type: 'status', id, status: plain });
  }
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
