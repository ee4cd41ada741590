// @ts-check
/** The value itself as a message to every reader, each of which keeps what came last. */
import { nothing } from './strategy.js';

/** @param {import('./strategy.js').ReaderPlace} place @returns {import('./strategy.js').Reader} */
function keepsTheLast({ received, seen }) {
  /** @type {import('./value.js').Value | undefined} */
  let last;
  received((value) => {
    last = value;
    seen(value);
  });
  return { read: () => last, stop: nothing };
}

/** @type {import('./strategy.js').Strategy} */
const postMessage = {
  name: 'postMessage',
  kinds: ['threads'],
  writer: ({ peers }) => ({
    publish: (value) => {
      for (const peer of peers) if ('postMessage' in peer) peer.postMessage({ value });
    },
    stop: nothing,
  }),
  reader: keepsTheLast,
};

/** @type {import('./strategy.js').Strategy} */
const broadcast = {
  name: 'BroadcastChannel',
  kinds: ['threads'],
  writer() {
    const channel = new BroadcastChannel('value');
    return { publish: (value) => channel.postMessage(value), stop: () => channel.close() };
  },
  reader({ seen }) {
    /** @type {import('./value.js').Value | undefined} */
    let last;
    const channel = new BroadcastChannel('value');
    channel.onmessage = (/** @type {any} */ { data }) => {
      last = data;
      seen(data);
    };
    return { read: () => last, stop: () => channel.close() };
  },
};

/** What the cluster module's `worker.send` is too. @type {import('./strategy.js').Strategy} */
const ipc = {
  name: 'cluster IPC (process.send)',
  kinds: ['processes'],
  writer: ({ peers }) => ({
    publish: (value) => {
      for (const peer of peers) if ('send' in peer) peer.send({ value });
    },
    stop: nothing,
  }),
  reader: keepsTheLast,
};

export const messages = [postMessage, broadcast, ipc];
