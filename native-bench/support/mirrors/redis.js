// @ts-check
import { Redis } from 'ioredis';
import { nothing } from './strategy.js';

/** @typedef {import('./value.js').Value} Value */

/** @param {string | undefined} socket */
function connect(socket) {
  const client = new Redis(String(socket));
  client.on('error', nothing);
  return client;
}

/** Each reader asks for the value and parses it, changed or not. @type {import('./strategy.js').Strategy} */
const polling = {
  name: 'Redis, polled and parsed',
  kinds: ['threads', 'processes'],
  needs: 'redis',
  writer({ redis }) {
    const client = connect(redis);
    return { publish: (value) => client.set('polled', JSON.stringify(value)), stop: () => client.disconnect() };
  },
  reader({ redis, period, seen }) {
    const client = connect(redis);
    /** @type {Value | undefined} */
    let last;
    let stopped = false;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const poll = async () => {
      const text = await client.get('polled');
      if (text !== null) {
        const next = /** @type {Value} */ (JSON.parse(text));
        const isNew = next.n !== last?.n;
        last = next;
        if (isNew) seen(next);
      }
      if (!stopped) timer = setTimeout(() => void poll().catch(nothing), period);
    };
    void poll().catch(nothing);
    return {
      read: () => last,
      stop: () => {
        stopped = true;
        clearTimeout(timer);
        client.disconnect();
      },
    };
  },
};

/** @type {import('./strategy.js').Strategy} */
const pubsub = {
  name: 'Redis pub/sub, the value in the message',
  kinds: ['threads', 'processes'],
  needs: 'redis',
  writer({ redis }) {
    const client = connect(redis);
    return { publish: (value) => client.publish('told', JSON.stringify(value)), stop: () => client.disconnect() };
  },
  async reader({ redis, seen }) {
    const client = connect(redis);
    /** @type {Value | undefined} */
    let last;
    client.on('message', (_, text) => {
      last = /** @type {Value} */ (JSON.parse(text));
      seen(last);
    });
    await client.subscribe('told');
    return { read: () => last, stop: () => client.disconnect() };
  },
};

export const redis = [polling, pubsub];
