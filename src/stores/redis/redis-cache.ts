import { toSeconds } from '../../core/duration.js';
import type { CacheEntry } from '../../core/entry.js';
import { StoreError, WireFormatError } from '../../core/errors.js';
import { checkBoolean, checkStoreKey, checkOptions, refuse } from '../../core/options.js';
import type { Serializer } from '../../core/serializer.js';
import type { CacheStorage, OnFault } from '../../core/store.js';
import { HEADER_BYTES } from '../../wire/entry.js';
import { RemoteCalls } from '../remote/calls.js';
import { EntryCodec } from '../remote/entry-codec.js';
import { LastWritten } from '../remote/last-written.js';
import { type RemoteOptions, type RemoteSettings, remoteSettings } from '../remote/options.js';
import type { Seal } from '../remote/seal.js';
import { type BatchCommand, runBatch } from './batches.js';
import { Bursts } from './bursts.js';
import { type RedisClient, checkClient, isCutOff } from './client.js';
import { GET, lifeOf, LONGEST, type Outgoing, SET, UNLINK, write } from './commands.js';
import { isForeign, reasonOf } from './replies.js';
import { NEVER, NO_STRING, PROLONG, REPLACE, run } from './scripts.js';
import { sweep } from './sweep.js';

export interface RedisCacheOptions extends RemoteOptions {
  /** Before every key: `'app:'`. What `clear()` clears. Default: none. */
  readonly prefix?: string;
}

/** What seals the entries of a store; for the link, and nobody outside. */
export let sealIn: (store: RedisCache) => Seal | undefined;

/**
 * A store in Redis, shared by all who use the same server and prefix, the Python library included.
 *
 * Every operation is one round trip; many keys are one pipeline for each node. Redis itself drops an entry when its time, and its stale window,
 * is over. An operation that takes longer than `timeout` rejects, and a Redis that keeps failing isn't asked for a while: `cache()` then
 * calls the function. Give it a client that doesn't keep commands for a dead connection (see docs/stores/redis.md).
 *
 * @example
 * const store = new RedisCache(new Redis(url, { enableOfflineQueue: false }), { prefix: 'app:' });
 * const getUser = cache('1m', { key: 'user:{id}', stale: '30s', store })(async (id: number) => db.users.find(id));
 */
export class RedisCache implements CacheStorage {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #settings: RemoteSettings;
  readonly #bursts: Bursts;
  readonly #calls: RemoteCalls;
  readonly #codec: EntryCodec;
  readonly #lastWritten: LastWritten | undefined;

  static {
    sealIn = (store) => store.#settings.seal;
  }

  /** @throws TypeError or RangeError for what isn't a client and for options that can't be meant, MissingDependencyError for a serializer's package */
  constructor(client: RedisClient, options: RedisCacheOptions = {}) {
    checkClient(client);
    this.#settings = remoteSettings('RedisCache', options, ['prefix']);
    const { prefix = '' } = options;
    if (typeof prefix !== 'string' || !prefix.isWellFormed()) refuse('prefix', 'a well-formed string', prefix);
    this.#client = client;
    this.#prefix = prefix;
    this.#bursts = new Bursts(client);
    this.#calls = new RemoteCalls({ store: 'RedisCache', isForeign, reason: reasonOf }, this.#settings);
    this.#codec = new EntryCodec('RedisCache', this.#settings);
    this.#lastWritten = this.#settings.dedupeWrites ? new LastWritten() : undefined;
  }

  /** The client it was made with. */
  get client(): RedisClient {
    return this.#client;
  }

  /** What stands before every key. */
  get prefix(): string {
    return this.#prefix;
  }

  /** Whether it has a `secret`. */
  get isSealed(): boolean {
    return this.#codec.sealBytes > 0;
  }

  /** What turns its values into bytes and back. */
  get serializer(): Serializer {
    return this.#settings.serializer;
  }

  // The two that are called most: no `async`, which would cost each of them a Promise more.
  get(key: string, onFault?: OnFault): Promise<unknown> {
    try {
      checkStoreKey(key);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const name = this.#prefix + key;
    return this.#calls.read(
      'get',
      () => this.#connected().getBuffer(name),
      (bytes) => this.#codec.decodeFresh(name, bytes, this.#now(), onFault)?.value,
      (error) => this.#codec.fault(error, onFault),
    );
  }

  getEntry(key: string, onFault?: OnFault): Promise<CacheEntry | undefined> {
    try {
      checkStoreKey(key);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const name = this.#prefix + key;
    return this.#calls.read<Buffer | null, CacheEntry | undefined>(
      'get',
      () => this.#connected().getBuffer(name),
      (bytes) => this.#codec.decode(name, bytes, onFault),
      (error) => this.#codec.fault(error, onFault),
    );
  }

  async set(key: string, value: unknown, ttl: number): Promise<void> {
    checkStoreKey(key);
    const seconds = toSeconds(ttl, 'ttl');
    const now = this.#now();
    await this.#put(key, value, now + seconds, now, seconds);
  }

  async setEntry(key: string, entry: CacheEntry, hold = 0): Promise<void> {
    checkStoreKey(key);
    const { value, freshUntil, createdAt } = entry;
    await this.#put(key, value, freshUntil, createdAt, freshUntil + toSeconds(hold, 'hold') - this.#now());
  }

  async delete(key: string): Promise<boolean> {
    checkStoreKey(key);
    const name = this.#prefix + key;
    this.#lastWritten?.forget(name);
    return this.#calls.write(
      'delete',
      () => this.#connected().unlink(name),
      (count) => count > 0,
    );
  }

  async exists(key: string): Promise<boolean> {
    checkStoreKey(key);
    const name = this.#prefix + key;
    return this.#calls.read(
      'exists',
      () => this.#header(this.#connected(), name),
      (header) => this.#isFresh(name, header),
      (error) => {
        this.#codec.fault(error, undefined);
        return false;
      },
    );
  }

  /**
   * One `SET NX PX` decides it where the key is absent. A key that is there may still be stale, or nothing of ours: its first bytes, asked for
   * in the same round trip, tell. Such a one is replaced, if it still begins with the bytes that were seen.
   */
  async setIfNotExists(key: string, value: unknown, ttl: number): Promise<boolean> {
    checkStoreKey(key);
    const seconds = toSeconds(ttl, 'ttl');
    if (seconds === 0) return !(await this.exists(key));
    const now = this.#now();
    const name = this.#prefix + key;
    const bytes = this.#codec.encode(name, this.#codec.payload(value), now + seconds, now);
    const life = lifeOf(seconds);
    this.#lastWritten?.forget(name);
    const seen = await this.#calls.write('set', async () => {
      const client = this.#connected(bytes.length);
      const [isSet, header] = await Promise.all([
        life > LONGEST ? client.set(name, bytes, 'NX') : client.set(name, bytes, 'PX', life, 'NX'),
        this.#headerOrNone(client, name),
      ]);
      return isSet === null ? header : undefined;
    });
    if (seen === undefined) return true;
    if (typeof seen !== 'string' && this.#isFresh(name, seen)) return false;
    const head = typeof seen === 'string' ? seen : seen.subarray(0, HEADER_BYTES);
    const replaced = await this.#calls.write('set', () =>
      run(REPLACE, this.#connected(bytes.length), [name], () => [head, bytes, life > LONGEST ? NEVER : life]),
    );
    return replaced === 1;
  }

  async getMany(keys: readonly string[], onFault?: OnFault): Promise<Map<string, unknown>> {
    const found = await this.#getAll(keys, onFault);
    const now = this.#now();
    const values = new Map<string, unknown>();
    for (const key of keys) {
      const name = this.#prefix + key;
      const fresh = this.#codec.decodeFresh(name, found.get(name), now, onFault);
      if (fresh) values.set(key, fresh.value);
    }
    return values;
  }

  /** In one pipeline (of each node), as `getMany`; stale entries too. */
  async getEntries(keys: readonly string[], onFault?: OnFault): Promise<Map<string, CacheEntry>> {
    const found = await this.#getAll(keys, onFault);
    const entries = new Map<string, CacheEntry>();
    for (const key of keys) {
      const name = this.#prefix + key;
      const entry = this.#codec.decode(name, found.get(name), onFault);
      if (entry) entries.set(key, entry);
    }
    return entries;
  }

  /** What Redis has under the names of `keys`. */
  async #getAll(keys: readonly string[], onFault: OnFault | undefined): Promise<Map<string, Buffer>> {
    for (const key of keys) checkStoreKey(key);
    const names = [...new Set(keys)].map((key) => this.#prefix + key);
    const replies = await this.#batch('get', names, GET);
    const found = new Map<string, Buffer>();
    for (const [name, reply] of replies) {
      if (reply instanceof Error) this.#codec.fault(new WireFormatError('RedisCache found what is no entry'), onFault);
      else if (reply) found.set(name, reply as Buffer);
    }
    return found;
  }

  async setMany(items: ReadonlyMap<string, unknown>, ttl: number): Promise<void> {
    const seconds = toSeconds(ttl, 'ttl');
    for (const key of items.keys()) checkStoreKey(key);
    const names = Array.from(items.keys(), (key) => this.#prefix + key);
    for (const name of names) this.#lastWritten?.forget(name);
    if (seconds === 0) {
      await this.#batch('set', names, UNLINK);
      return;
    }
    const now = this.#now();
    const life = lifeOf(seconds);
    const outgoing = Array.from(items, ([key, value]): Outgoing => {
      const name = this.#prefix + key;
      return { name, bytes: this.#codec.encode(name, this.#codec.payload(value), now + seconds, now), life };
    });
    await this.#batch('set', outgoing, SET);
  }

  /**
   * Deletes all keys under the prefix, step by step: nobody else waits for Redis meanwhile.
   *
   * @param options.all without a prefix: really delete everything in this database
   * @throws StoreError without a prefix and without `all`
   */
  async clear(options: { readonly all?: boolean } = {}): Promise<void> {
    checkOptions('clear', options, ['all']);
    checkBoolean('all', options.all);
    if (this.#prefix === '' && options.all !== true) {
      throw new StoreError('This RedisCache has no prefix, so clear() would delete everything in the database: clear({ all: true }) does');
    }
    this.#lastWritten?.clear();
    await sweep(this.#connected(), this.#prefix, this.#calls);
  }

  async #put(key: string, value: unknown, freshUntil: number, createdAt: number, seconds: number): Promise<void> {
    const name = this.#prefix + key;
    const payload = this.#codec.payload(value);
    const bytes = this.#codec.encode(name, payload, freshUntil, createdAt);
    const life = lifeOf(seconds);
    if (life <= 0) {
      await this.delete(key);
    } else if (this.#lastWritten) {
      await this.#putChanged(this.#lastWritten, payload, { name, bytes, life });
    } else {
      await this.#calls.write('set', () => write(this.#connected(bytes.length), { name, bytes, life }));
    }
  }

  /** Bytes that were written here last are asked for by their digest, and only get a new header, a new seal and a new life. */
  async #putChanged(last: LastWritten, payload: Uint8Array, outgoing: Outgoing): Promise<void> {
    const { name, bytes, life } = outgoing;
    const digest = last.digest(payload);
    if (last.isLast(name, digest)) {
      const header = bytes.subarray(0, HEADER_BYTES);
      const seal = bytes.subarray(bytes.length - this.#codec.sealBytes);
      const isProlonged = await this.#calls.write('set', () =>
        run(PROLONG, this.#connected(), [name], () => [digest, header, life > LONGEST ? NEVER : life, seal]),
      );
      if (isProlonged === 1) return;
    }
    // Not remembered while it is uncertain: a write that timed out may have happened, or happen yet.
    last.forget(name);
    await this.#calls.write('set', () => write(this.#connected(bytes.length), outgoing));
    last.remember(name, digest);
  }

  /** @throws StoreError for the first failure that isn't a foreign key's */
  #batch<T>(operation: 'get' | 'set', items: readonly T[], command: BatchCommand<T>): Promise<[item: T, result: unknown][]> {
    if (items.length === 0) return Promise.resolve([]);
    const start = async (): Promise<[T, unknown][]> => {
      // A pipeline is one parcel already.
      const replies = await runBatch(this.#connected(Infinity), items, command);
      for (const [, reply] of replies) if (reply instanceof Error && !isForeign(reply)) throw reply;
      return replies;
    };
    return operation === 'get' ? this.#calls.read(operation, start) : this.#calls.write(operation, start);
  }

  /** @param bytes how much is sent besides the command's name and key */
  #connected(bytes = 0): RedisClient {
    if (isCutOff(this.#client)) throw new StoreError('RedisCache has no connection: its client is reconnecting, or was closed');
    this.#bursts.next(bytes);
    return this.#client;
  }

  /** The entry's first bytes, or all of it where they are sealed; none for an absent key. */
  async #header(client: RedisClient, name: string): Promise<Buffer> {
    if (this.#codec.sealBytes > 0) return (await client.getBuffer(name)) ?? Buffer.alloc(0);
    return client.getrangeBuffer(name, 0, HEADER_BYTES - 1);
  }

  async #headerOrNone(client: RedisClient, name: string): Promise<Buffer | typeof NO_STRING> {
    try {
      return await this.#header(client, name);
    } catch (error) {
      if (error instanceof Error && isForeign(error)) return NO_STRING;
      throw error;
    }
  }

  #isFresh(name: string, header: Buffer): boolean {
    // No such key.
    if (header.length === 0) return false;
    try {
      return this.#now() < this.#codec.decodeHeader(name, header).freshUntil;
    } catch (error) {
      this.#codec.fault(error as Error, undefined);
      return false;
    }
  }

  #now(): number {
    return this.#settings.clock.wall() / 1000;
  }
}
