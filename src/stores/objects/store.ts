import { toSeconds } from '../../core/duration.js';
import type { CacheEntry } from '../../core/entry.js';
import { StoreError, WireFormatError } from '../../core/errors.js';
import { checkStoreKey, checkOptions, refuse } from '../../core/options.js';
import { toError } from '../../core/report.js';
import type { CacheStorage, OnFault } from '../../core/store.js';
import { RemoteCalls } from '../remote/calls.js';
import { EntryCodec } from '../remote/entry-codec.js';
import { type RemoteOptions, type RemoteSettings, remoteSettings } from '../remote/options.js';
import type { Condition, FoundObject, ObjectBucket } from './bucket.js';
import { each } from './each.js';
import { bytesOf, lifeOf } from './life.js';
import { checkPrefix, objectName } from './name.js';
import { Written } from './written.js';

export interface ObjectStoreOptions extends RemoteOptions {
  /** The bucket's name; it must exist. */
  readonly bucket: string;
  /** Begins the name of every object of this store. End it with a `/` to have a folder: `clear()` takes all that begins with it. */
  readonly prefix?: string;
}

/** Requests under way at a time, for operations on many keys. */
const WIDTH = 32;

/** How often `setIfNotExists` looks again when the object changed between its look and its write. */
const ATTEMPTS = 5;

/**
 * A store on a bucket: one object for each key, whose bytes are the entry's (`wire/entry.ts`). What all providers share.
 *
 * Nothing in a bucket ends by itself: an expired object is a miss, and stays until it is written over, deleted, or taken by the bucket's
 * own lifecycle rule.
 */
export class ObjectStore implements CacheStorage {
  readonly #kind: string;
  readonly #bucket: ObjectBucket;
  readonly #prefix: string;
  readonly #settings: RemoteSettings;
  readonly #calls: RemoteCalls;
  readonly #codec: EntryCodec;
  readonly #written: Written | undefined;

  /** @param connect makes the bucket, once the options are known to be right */
  constructor(kind: string, options: ObjectStoreOptions & { readonly client?: unknown }, connect: () => ObjectBucket) {
    this.#settings = remoteSettings(kind, options, ['bucket', 'prefix', 'client']);
    const { bucket, prefix = '' } = options;
    if (typeof bucket !== 'string' || bucket === '') refuse('bucket', 'the name of a bucket', bucket);
    checkPrefix(prefix);
    this.#kind = kind;
    this.#prefix = prefix;
    this.#bucket = connect();
    this.#calls = new RemoteCalls({ store: kind }, this.#settings);
    this.#codec = new EntryCodec(kind, this.#settings);
    this.#written = this.#settings.dedupeWrites ? new Written() : undefined;
  }

  async get(key: string, onFault?: OnFault): Promise<unknown> {
    const name = this.#name(key);
    return this.#read('get', name, (found) => this.#codec.decodeFresh(name, this.#bytes(found, onFault), this.#now(), onFault)?.value);
  }

  /** The entry, for as long as the object is there: fresh or stale. */
  async getEntry(key: string, onFault?: OnFault): Promise<CacheEntry | undefined> {
    const name = this.#name(key);
    return this.#read('get', name, (found) => this.#codec.decode(name, this.#bytes(found, onFault), onFault));
  }

  /** Reads the first 16 bytes of the object; all of it where it is sealed. */
  async exists(key: string): Promise<boolean> {
    const name = this.#name(key);
    return this.#calls.read(
      'exists',
      ({ signal }) => this.#look(name, signal),
      (found) => this.#isFresh(name, found),
    );
  }

  async set(key: string, value: unknown, ttl: number): Promise<void> {
    const name = this.#name(key);
    const seconds = toSeconds(ttl, 'ttl');
    const now = this.#now();
    await this.#put(name, value, now + seconds, now, 0);
  }

  /** What is dead already is not kept; apart from that `hold` changes nothing, since no object ends by itself. */
  async setEntry(key: string, entry: CacheEntry, hold = 0): Promise<void> {
    const name = this.#name(key);
    const { value, freshUntil, createdAt } = entry;
    await this.#put(name, value, freshUntil, createdAt, toSeconds(hold, 'hold'));
  }

  async setIfNotExists(key: string, value: unknown, ttl: number): Promise<boolean> {
    const name = this.#name(key);
    const seconds = toSeconds(ttl, 'ttl');
    if (seconds === 0) return !(await this.exists(key));
    const now = this.#now();
    const bytes = this.#codec.encode(name, this.#codec.payload(value), now + seconds, now);
    return this.#calls.write('setIfNotExists', ({ signal }) => this.#claim(name, bytes, signal));
  }

  async delete(key: string): Promise<boolean> {
    const name = this.#name(key);
    this.#written?.forget(name);
    return this.#calls.write('delete', ({ signal }) => this.#bucket.remove(name, signal));
  }

  /** One request a key, 32 at a time; each has a deadline of its own. */
  async getMany(keys: readonly string[], onFault?: OnFault): Promise<Map<string, unknown>> {
    const found = await this.#getAll(keys, (name, bytes) => this.#codec.decodeFresh(name, bytes, this.#now(), onFault), onFault);
    return new Map(Array.from(found, ([key, { value }]) => [key, value]));
  }

  /** As `getMany`; stale entries too. */
  async getEntries(keys: readonly string[], onFault?: OnFault): Promise<Map<string, CacheEntry>> {
    return this.#getAll(keys, (name, bytes) => this.#codec.decode(name, bytes, onFault), onFault);
  }

  async #getAll<T>(
    keys: readonly string[],
    decode: (name: string, bytes: Uint8Array | undefined) => T | undefined,
    onFault: OnFault | undefined,
  ): Promise<Map<string, T>> {
    const names = new Map(keys.map((key) => [key, this.#name(key)]));
    const found = new Map<string, T>();
    await each(names, WIDTH, async ([key, name]) => {
      const got = await this.#read('getMany', name, (object) => decode(name, this.#bytes(object, onFault)));
      if (got !== undefined) found.set(key, got);
    });
    // In the order of the keys, whichever answer came first.
    return new Map(keys.flatMap((key) => (found.has(key) ? [[key, found.get(key) as T] as const] : [])));
  }

  /** One request a key, 32 at a time; each has a deadline of its own. */
  async setMany(items: ReadonlyMap<string, unknown>, ttl: number): Promise<void> {
    const seconds = toSeconds(ttl, 'ttl');
    const named = [...items].map(([key, value]) => [this.#name(key), value] as const);
    const now = this.#now();
    await each(named, WIDTH, ([name, value]) => this.#put(name, value, now + seconds, now, 0));
  }

  /**
   * Deletes all objects whose names begin with the prefix, a batch at a time; each has a deadline of its own.
   *
   * @throws StoreError without a prefix, unless `all` says that the whole bucket is meant
   */
  async clear(options: { readonly all?: boolean } = {}): Promise<void> {
    checkOptions('clear', options, ['all']);
    if (this.#prefix === '' && options.all !== true) {
      throw new StoreError(
        `${this.#kind} has no prefix, so that \`clear()\` would empty the bucket: say \`clear({ all: true })\` if that is meant`,
      );
    }
    this.#written?.clear();
    for (let from: string | undefined, isMore = true; isMore; isMore = from !== undefined) {
      const after = from;
      const page = await this.#calls.write('clear', ({ signal }) => this.#bucket.list(this.#prefix, after, signal));
      const names = page.names.filter((name) => name.startsWith(this.#prefix));
      for (let i = 0; i < names.length; i += this.#bucket.batch) {
        const batch = names.slice(i, i + this.#bucket.batch);
        await this.#calls.write('clear', ({ signal }) => this.#bucket.removeMany(batch, signal));
      }
      from = page.next;
    }
  }

  #name(key: string): string {
    checkStoreKey(key);
    return objectName(this.#prefix, key);
  }

  #now(): number {
    return this.#settings.clock.wall() / 1000;
  }

  #read<T>(operation: string, name: string, finish: (found: FoundObject | undefined) => T): Promise<T> {
    return this.#calls.read(operation, ({ signal }) => this.#bucket.read(name, 'all', this.#settings.maxBytes, signal), finish);
  }

  #bytes(found: FoundObject | undefined, onFault: OnFault | undefined): Buffer | undefined {
    if (!found) return undefined;
    const bytes = bytesOf(found, this.#codec.sealBytes);
    if (!bytes) this.#codec.fault(tooLarge(this.#kind, found.size, this.#settings.maxBytes), onFault);
    return bytes;
  }

  /** The object's first bytes, or all of it where it is sealed. */
  #look(name: string, signal: AbortSignal): Promise<FoundObject | undefined> {
    return this.#bucket.read(name, this.#codec.sealBytes > 0 ? 'all' : 'header', this.#settings.maxBytes, signal);
  }

  /** What is there and no entry counts as absent, and is told. */
  #isFresh(name: string, found: FoundObject | undefined): boolean {
    if (!found) return false;
    try {
      const bytes = bytesOf(found, this.#codec.sealBytes);
      if (!bytes) throw tooLarge(this.#kind, found.size, this.#settings.maxBytes);
      return this.#now() < this.#codec.decodeHeader(name, bytes).freshUntil;
    } catch (error) {
      this.#codec.fault(toError(error), undefined);
      return false;
    }
  }

  async #put(name: string, value: unknown, freshUntil: number, createdAt: number, hold: number): Promise<void> {
    const payload = this.#codec.payload(value);
    const bytes = this.#codec.encode(name, payload, freshUntil, createdAt);
    if (freshUntil + hold <= this.#now()) {
      this.#written?.forget(name);
      await this.#calls.write('set', ({ signal }) => this.#bucket.removeMany([name], signal));
      return;
    }
    const digest = this.#written?.digest(payload);
    await this.#calls.write('set', async ({ signal }) => {
      const tag = digest === undefined ? undefined : this.#written?.tag(name, digest);
      const kept = tag === undefined ? undefined : await this.#bucket.prolong(name, tag, lifeOf(bytes, this.#codec.sealBytes), signal);
      const written = kept ?? (await this.#bucket.write(name, bytes, undefined, signal));
      if (digest !== undefined && written !== undefined) this.#written?.remember(name, digest, written);
    });
  }

  /**
   * 1. No object: the provider lets one write of many through.
   * 2. An object that is fresh: someone has it.
   * 3. An object that is expired, or no entry: it is replaced where it is still the one that was looked at; again one write of many.
   * 4. It changed or went after the look: look again.
   */
  async #claim(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    let condition: Condition = 'absent';
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if ((await this.#bucket.write(name, bytes, condition, signal)) !== undefined) return true;
      const found = await this.#look(name, signal);
      if (this.#isFresh(name, found)) return false;
      condition = found ? { tag: found.tag } : 'absent';
    }
    // Others keep writing it: one of them has it.
    return false;
  }
}

function tooLarge(kind: string, size: number, maxBytes: number): WireFormatError {
  return new WireFormatError(`${kind} found an object of ${size} bytes; at most ${maxBytes} are read`);
}
