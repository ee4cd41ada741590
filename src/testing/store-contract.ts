import assert from 'node:assert/strict';
import { type CacheStorage, isCacheStorage } from '../core/store.js';

/** One rule that every store keeps. `run` rejects with an `AssertionError` where the store breaks it. */
export interface StoreRule {
  readonly name: string;
  run(): Promise<void>;
}

export interface StoreContractOptions<S extends CacheStorage> {
  /**
   * For a store whose clock can be moved: lets `seconds` pass; rules that share a clock must not run at the same time.
   * Without it the rules on expiry wait in real time.
   */
  readonly advance?: (seconds: number, store: S) => Promise<void> | void;
  /** Unix time in seconds, as the store sees it. Default: the system's. */
  readonly now?: () => number;
  /** Ends a store after its rule. Default: `clear()`. */
  readonly dispose?: (store: S) => Promise<void> | void;
  /** Seconds: the shortest life that the store keeps apart from none. Default 0.1 in real time, 10 with `advance`. */
  readonly shortest?: number;
}

interface Tools<S> {
  readonly store: S;
  readonly now: () => number;
  readonly short: number;
  /** Waits until `short` has passed, then until `isSo` answers true. */
  readonly expired: (isSo: () => Promise<boolean>) => Promise<void>;
}

type Rule = (tools: Tools<CacheStorage>) => Promise<void>;

const PATIENCE_MS = 10_000;
const POLL_MS = 20;

/**
 * The behaviour that every store has, as named cases that need no test runner. Each one makes a store of its own; values are plain
 * JSON data, so that any serializer will do.
 *
 * @param make gives an empty store
 * @example
 * for (const { name, run } of storeContract(() => new MyStore())) test(name, run);
 */
export function storeContract<S extends CacheStorage>(make: () => S | Promise<S>, options: StoreContractOptions<S> = {}): StoreRule[] {
  const { advance, dispose = (store: S) => store.clear(), now = () => Date.now() / 1000, shortest = advance ? 10 : 0.1 } = options;
  return Object.entries(RULES).map(([name, rule]) => ({
    name,
    async run() {
      const store = await make();
      const expired = async (isSo: () => Promise<boolean>): Promise<void> => {
        if (advance) {
          await advance(shortest, store);
          assert.ok(await isSo(), 'not expired after its time');
          return;
        }
        const deadline = performance.now() + shortest * 1000 + PATIENCE_MS;
        while (!(await isSo())) {
          assert.ok(performance.now() < deadline, 'not expired long after its time');
          await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        }
      };
      try {
        await rule({ store, now, short: shortest, expired });
      } finally {
        await dispose(store);
      }
    },
  }));
}

/** Keys that have been mistaken for one another, or for something else, in some store. */
const KEYS = [
  'a/b',
  'a_b',
  'a\\b',
  'a:b',
  'a%2Fb',
  'a%2fb',
  '..',
  '.',
  '/',
  '../x',
  'A',
  'a',
  'CON',
  ' ',
  'a ',
  'a.',
  '*',
  '[x]',
  'x?',
  '%',
  '{}',
  '__proto__',
  'constructor',
  '\n',
  '\u0000',
  'é',
  'e\u0301',
  '😀',
  'k'.repeat(300),
  `${'k'.repeat(300)}l`,
  'k'.repeat(10_000),
  `${'k'.repeat(10_000)}l`,
  '😀'.repeat(10_000),
];

const VALUES: readonly unknown[] = [0, -1.5, '', 'text é 😀', true, false, null, [], {}, [1, [2, { a: null }]], { a: { b: 'c' } }];

const RULES: Readonly<Record<string, Rule>> = {
  async 'is a store by isCacheStorage'({ store }) {
    assert.ok(isCacheStorage(store));
  },

  async 'answers undefined, false and nothing for a key that is absent'({ store }) {
    assert.equal(await store.get('absent'), undefined);
    assert.equal(await store.getEntry('absent'), undefined);
    assert.equal(await store.exists('absent'), false);
    assert.equal(await store.delete('absent'), false);
    assert.deepEqual(await store.getMany(['absent', 'absent too']), new Map());
    assert.deepEqual(await store.getMany([]), new Map());
  },

  async 'gives back every value as it was set'({ store }) {
    for (const value of VALUES) {
      await store.set('value', value, 60);
      assert.deepEqual(await store.get('value'), value);
      assert.equal(await store.exists('value'), true);
      assert.deepEqual((await store.getEntry('value'))?.value, value);
    }
  },

  async 'keeps the last value that was set'({ store }) {
    await store.set('key', 1, 60);
    await store.set('key', 2, 60);
    assert.equal(await store.get('key'), 2);
  },

  async 'tells by createdAt and freshUntil when an entry was set, and for how long'({ store, now }) {
    const before = now();
    await store.set('key', 1, 60);
    const after = now();
    const entry = await store.getEntry('key');
    assert.ok(entry);
    assert.ok(entry.createdAt >= before - 0.01 && entry.createdAt <= after + 0.01, 'createdAt is the moment of the set');
    assert.ok(Math.abs(entry.freshUntil - entry.createdAt - 60) < 0.01, 'freshUntil is a ttl later');
  },

  async 'keeps a value with an infinite ttl, and one of a hundred days'({ store }) {
    await store.set('ever', 1, Infinity);
    await store.set('long', 2, 8_640_000);
    assert.equal((await store.getEntry('ever'))?.freshUntil, Infinity);
    assert.equal(await store.get('ever'), 1);
    assert.equal(await store.get('long'), 2);
  },

  async 'keeps nothing for a ttl of 0, not even what was there'({ store }) {
    await store.set('key', 1, 60);
    await store.set('key', 2, 0);
    assert.equal(await store.get('key'), undefined);
    assert.equal(await store.exists('key'), false);
  },

  async 'answers no value past its ttl'({ store, short, expired }) {
    await store.set('key', 1, short);
    await store.set('other', 2, 600);
    await expired(async () => (await store.get('key')) === undefined);
    assert.equal(await store.exists('key'), false);
    assert.equal((await store.getMany(['key', 'other'])).has('key'), false);
    assert.equal(await store.get('other'), 2);
  },

  async 'holds a stale entry for as long as it was asked to, and gives it only by getEntry'({ store, now, short, expired }) {
    const createdAt = now();
    await store.setEntry('key', { value: 'old', freshUntil: createdAt + short, createdAt }, 600);
    await expired(async () => (await store.get('key')) === undefined);
    assert.equal(await store.exists('key'), false);
    assert.deepEqual(await store.getEntry('key'), { value: 'old', freshUntil: createdAt + short, createdAt });
  },

  async 'takes an entry that is stale already'({ store, now }) {
    const createdAt = now() - 20;
    await store.setEntry('key', { value: 'old', freshUntil: createdAt + 10, createdAt }, 600);
    assert.equal(await store.get('key'), undefined);
    assert.deepEqual(await store.getEntry('key'), { value: 'old', freshUntil: createdAt + 10, createdAt });
  },

  async 'takes an entry that is dead already, and does not answer it'({ store, now }) {
    const createdAt = now() - 20;
    await store.setEntry('key', { value: 'old', freshUntil: createdAt + 10, createdAt });
    assert.equal(await store.get('key'), undefined);
    assert.equal(await store.exists('key'), false);
  },

  async 'deletes once'({ store }) {
    await store.set('key', 1, 60);
    await store.set('other', 2, 60);
    assert.equal(await store.delete('key'), true);
    assert.equal(await store.delete('key'), false);
    assert.equal(await store.get('key'), undefined);
    assert.equal(await store.getEntry('key'), undefined);
    assert.equal(await store.get('other'), 2);
  },

  async 'sets if there is no fresh value, and only then'({ store, short, expired }) {
    assert.equal(await store.setIfNotExists('key', 1, 600), true);
    assert.equal(await store.setIfNotExists('key', 2, 600), false);
    assert.equal(await store.get('key'), 1);
    await store.setIfNotExists('short', 1, short);
    await expired(async () => (await store.get('short')) === undefined);
    assert.equal(await store.setIfNotExists('short', 2, 600), true);
    assert.equal(await store.get('short'), 2);
  },

  async 'lets one of many concurrent setIfNotExists win'({ store }) {
    const answers = await Promise.all(Array.from({ length: 20 }, async (_, i) => store.setIfNotExists('key', i, 60)));
    assert.equal(answers.filter(Boolean).length, 1);
    assert.equal(await store.get('key'), answers.indexOf(true));
  },

  async 'sets and gets many'({ store }) {
    await store.setMany(
      new Map<string, unknown>([
        ['a', 1],
        ['b', null],
        ['c', { d: 2 }],
      ]),
      60,
    );
    await store.setMany(new Map(), 60);
    const expected = new Map<string, unknown>([
      ['a', 1],
      ['b', null],
      ['c', { d: 2 }],
    ]);
    assert.deepEqual(await store.getMany(['a', 'b', 'absent', 'c']), expected);
  },

  async 'gets many entries, stale ones too, where it can'({ store, now }) {
    if (!store.getEntries) return;
    const createdAt = now() - 20;
    await store.setEntry('stale', { value: 1, freshUntil: createdAt + 10, createdAt }, 600);
    await store.setEntry('fresh', { value: 2, freshUntil: createdAt + 600, createdAt });
    const entries = await store.getEntries(['stale', 'absent', 'fresh']);
    assert.deepEqual([...entries.keys()].sort(), ['fresh', 'stale']);
    for (const [key, entry] of entries) assert.deepEqual(entry, await store.getEntry(key));
    assert.equal((await store.getEntries([])).size, 0);
  },

  async 'clears everything'({ store }) {
    await store.setMany(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
      60,
    );
    await store.clear();
    assert.deepEqual(await store.getMany(['a', 'b']), new Map());
    assert.equal(await store.getEntry('a'), undefined);
    await store.set('a', 3, 60);
    assert.equal(await store.get('a'), 3);
  },

  async 'keeps every key apart from every other'({ store }) {
    for (const [i, key] of KEYS.entries()) await store.set(key, i, 600);
    for (const [i, key] of KEYS.entries()) assert.equal(await store.get(key), i, `the key number ${i}`);
    const all = await store.getMany(KEYS);
    assert.equal(all.size, KEYS.length);
    assert.equal(await store.delete('a/b'), true);
    assert.equal(await store.get('a_b'), 1);
  },

  async 'refuses what is no key'({ store }) {
    for (const key of ['', '\ud800', 'k'.repeat(70_000), 42, undefined, null, {}] as string[]) {
      await assert.rejects(async () => store.get(key), isRefusal, 'get');
      await assert.rejects(async () => store.set(key, 1, 60), isRefusal, 'set');
      await assert.rejects(async () => store.setEntry(key, { value: 1, freshUntil: Infinity, createdAt: 0 }), isRefusal, 'setEntry');
      await assert.rejects(async () => store.setIfNotExists(key, 1, 60), isRefusal, 'setIfNotExists');
    }
  },

  async 'refuses a ttl that is none'({ store }) {
    for (const ttl of [-1, NaN, undefined as unknown as number]) {
      await assert.rejects(async () => store.set('key', 1, ttl), isRefusal, 'set');
      await assert.rejects(async () => store.setIfNotExists('key', 1, ttl), isRefusal, 'setIfNotExists');
      await assert.rejects(async () => store.setMany(new Map([['key', 1]]), ttl), isRefusal, 'setMany');
    }
    assert.equal(await store.get('key'), undefined);
  },
};

function isRefusal(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}
