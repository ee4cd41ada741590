// @ts-check
import { bg, RedisCache } from 'advanced-caching';
import { nothing } from './strategy.js';

const KEY = 'value';
const MAX_BYTES = 256 * 1024 * 1024;

/** @typedef {import('./value.js').Value} Value */

/** Imported by what uses it alone: it would count as memory of the others. @param {string | undefined} socket */
async function connect(socket) {
  const { Redis } = await import('ioredis');
  const client = new Redis(String(socket));
  client.on('error', nothing);
  return client;
}

/**
 * @param {import('./strategy.js').Kind} kind @param {(value: Value) => unknown} contentOf what is published of a value
 * @param {{ keyed?: true }} [options]
 * @returns {() => Promise<import('./strategy.js').Writer>}
 */
const writer = (kind, contentOf, options) => async () => {
  /** @type {Value | undefined} */
  let value;
  const scope = kind === 'threads' ? 'process' : 'host';
  const common = { key: KEY, scope, runImmediately: false, maxBytes: MAX_BYTES, ref: false, loader: () => value && contentOf(value) };
  const write = /** @type {import('advanced-caching').Writer<unknown>} */ (bg.write(0, /** @type {any} */ ({ ...common, ...options })));
  while (write.status().state === 'standby') await new Promise((resolve) => setTimeout(resolve, 1));
  return {
    publish: (next) => {
      value = next;
      return write.refresh();
    },
    stop: () => bg.shutdown(),
  };
};

/** @param {import('advanced-caching').ReadOptions} options */
const reader =
  (options) =>
  (/** @type {import('./strategy.js').ReaderPlace} */ { seen }) => {
    const mirror = /** @type {import('advanced-caching').Mirror<Value>} */ (bg.read(KEY, { ...options, maxBytes: MAX_BYTES }));
    mirror.onChange(seen);
    return { read: mirror, stop: () => bg.shutdown() };
  };

/** @param {string} name @param {import('./strategy.js').Kind} kind @param {import('advanced-caching').ReadOptions} options @returns {import('./strategy.js').Strategy} */
const shared = (name, kind, options) => ({
  name,
  kinds: [kind],
  ours: true,
  writer: writer(kind, (value) => value),
  reader: reader(options),
});

/**
 * The items as records of their own, and beside them a record of when they were published, which is what its readers listen for.
 *
 * @param {string} name @param {import('./strategy.js').Kind} kind @returns {import('./strategy.js').Strategy}
 */
const keyed = (name, kind) => ({
  name,
  kinds: [kind],
  ours: true,
  writer: writer(kind, recordsOf, { keyed: true }),
  reader({ seen }) {
    const mirror = /** @type {import('advanced-caching').KeyedMirror<any>} */ (bg.read.keyed(KEY, { maxBytes: MAX_BYTES }));
    mirror.onKey('now', seen);
    return {
      read: () => mirror.get('0'),
      record: (i) => mirror.get(String(i % (mirror.size - 1))),
      stop: () => bg.shutdown(),
    };
  },
});

/** @param {Value} value @returns {Iterable<[string, unknown]>} */
function* recordsOf({ at, n, items }) {
  yield ['now', { at, n }];
  for (const item of items) yield [String(item.id), item];
}

/**
 * By a store that both sides share. Announced where the store can announce; else found by the reader's poll.
 *
 * @type {import('./strategy.js').Strategy}
 */
const throughRedis = {
  name: 'ours: through Redis',
  kinds: ['threads', 'processes'],
  ours: true,
  needs: 'redis',
  async writer({ redis }) {
    const client = await connect(redis);
    /** @type {Value | undefined} */
    let value;
    const store = new RedisCache(client, { prefix: 'ours:', maxBytes: MAX_BYTES, timeout: 60 });
    const write = bg.write(0, { key: KEY, store, runImmediately: false, maxBytes: MAX_BYTES, ref: false, loader: () => value });
    return {
      publish: (next) => {
        value = next;
        return write.refresh();
      },
      stop: async () => {
        await bg.shutdown();
        client.disconnect();
      },
    };
  },
  async reader({ redis, period, seen }) {
    const client = await connect(redis);
    const store = new RedisCache(client, { prefix: 'ours:', maxBytes: MAX_BYTES, timeout: 60 });
    const mirror = /** @type {import('advanced-caching').Mirror<Value>} */ (
      bg.read(KEY, {
        store,
        interval: period / 1000,
        // A poll that is under way when the connection is closed fails, which is nobody's business.
        onError: nothing,
        maxBytes: MAX_BYTES,
      })
    );
    mirror.onChange(seen);
    return {
      read: mirror,
      stop: async () => {
        await bg.shutdown();
        client.disconnect();
      },
    };
  },
};

/** @type {readonly import('./strategy.js').Strategy[]} */
export const ours = [
  shared('ours: shared memory', 'threads', {}),
  shared('ours: shared memory, freeze: false', 'threads', { freeze: false }),
  shared('ours: host link', 'processes', {}),
  shared('ours: host link, freeze: false', 'processes', { freeze: false }),
  keyed('ours: shared memory, keyed', 'threads'),
  keyed('ours: host link, keyed', 'processes'),
  throughRedis,
];
