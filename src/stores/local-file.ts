import { unlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, systemClock } from '../core/clock.js';
import { toSeconds } from '../core/duration.js';
import type { CacheEntry } from '../core/entry.js';
import { WireFormatError } from '../core/errors.js';
import { checkBoolean, checkCount, checkFunction, checkStoreKey, checkOneOf, checkOptions, refuse } from '../core/options.js';
import { type OnError, report } from '../core/report.js';
import { DEFAULT_MAX_BYTES } from '../core/snapshot.js';
import type { CacheStorage, OnFault } from '../core/store.js';
import { Gate } from '../concurrency/gate.js';
import { ForeignFileError, readOwned, replaceOwned, withTemporary } from '../files/owned.js';
import { type SerializerOption, resolveSerializer } from '../serializers/resolve.js';
import { HEADER_BYTES } from '../wire/entry.js';
import { compress, decompress } from './file/compression.js';
import { Folder } from './file/folder.js';
import {
  type Body,
  type Compression,
  type FileContent,
  LIFE_AT,
  type Life,
  TornLifeError,
  decodeFile,
  encodeHead,
  encodeLife,
} from './file/layout.js';
import { Sweeper } from './file/sweeper.js';
import { EntryCodec } from './remote/entry-codec.js';
import { type Seal, type SecretOption, sealOf } from './remote/seal.js';
import { Tails } from './tails.js';

export interface LocalFileCacheOptions {
  /** Default `'json'`. */
  readonly serializer?: SerializerOption;
  /**
   * Seals each file with an HMAC-SHA256 of its key and its bytes: what anybody else wrote, changed or moved is a miss, and neither inflated nor decoded.
   * A string or a `Uint8Array` of 16 bytes or more; of several the first one seals and all are accepted, for the time of a change. Default: none.
   */
  readonly secret?: SecretOption;
  /** How new files are compressed; what is there is read whatever it is. Entries below 512 bytes stay as they are. Default `'gzip'`. */
  readonly compress?: Compression;
  /** Where the value's bytes are those in the file, only its times are written. Costs a read before each write. Default false. */
  readonly dedupeWrites?: boolean;
  /** No entry of more bytes is written, before compression; a larger one found is a miss. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Hears of files that are no entries (a `WireFormatError`; the caller gets a miss), and of a sweep that failed. Default: a warning. */
  readonly onError?: OnError;
  /** For tests: `fakeClock()` of `advanced-caching/testing`. Default: the system's. */
  readonly clock?: Clock;
}

/** What stands at a key's path: an entry, or something that is none. */
type Found =
  | { readonly identity: string; readonly content: FileContent; readonly fault?: never }
  | { readonly identity: string; readonly content?: never; readonly fault: Error };

/** A file has a second name for a moment while it gets its first one, and a third while it is claimed. */
const NAMES = 4;
/** What a file may have besides its entry: the head, the longest key, and what a compression adds. */
const EXTRA_BYTES = 98_304;
/** Files that are open at a time, in all stores of this thread: a thousand reads at once must not use up the process's descriptors. */
const gate = new Gate(64);
/** Another process holds the claim on a file for a few system calls. */
const CLAIM_POLL_MS = 2;

/**
 * A store in files, shared by the processes of this host: a file an entry, 0600 in 0700 directories. Any key is a valid one.
 *
 * Costs: a read is four system calls on Node's thread pool, a write six. Nothing limits the whole directory but the lives of its
 * entries: what has expired is deleted when it is read, and a bit with every 32nd write. Files are not flushed to the disk: after a
 * power failure some are empty, which is a miss. Not for network file systems whose `link` and `rename` aren't atomic.
 *
 * @example
 * const store = new LocalFileCache('/var/cache/myapp');
 * const report = cache('1d', { key: 'report:{id}', store })(async (id: number) => render(id));
 */
export class LocalFileCache implements CacheStorage {
  readonly #folder: Folder;
  readonly #codec: EntryCodec;
  readonly #seal: Seal | undefined;
  readonly #compression: Compression;
  readonly #dedupeWrites: boolean;
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #sweeper: Sweeper;
  readonly #tails = new Tails();

  /**
   * @param directory made (0700) where it is absent; its parent directories too
   * @throws StoreError for a directory that can't be made or trusted, TypeError or RangeError for options that can't be meant
   */
  constructor(directory: string, options: LocalFileCacheOptions = {}) {
    if (typeof directory !== 'string' || directory === '' || directory.includes('\0')) refuse('directory', 'a path', directory);
    checkOptions('LocalFileCache', options, ['serializer', 'secret', 'compress', 'dedupeWrites', 'maxBytes', 'onError', 'clock']);
    const { compress: compression = 'gzip', dedupeWrites = false, maxBytes = DEFAULT_MAX_BYTES, onError, clock = systemClock } = options;
    checkOneOf('compress', compression, ['gzip', 'none', 'brotli'] satisfies Compression[]);
    checkBoolean('dedupeWrites', dedupeWrites);
    checkCount('maxBytes', maxBytes);
    checkFunction('onError', onError);
    if (typeof clock?.wall !== 'function') refuse('clock', 'a Clock', clock);
    const serializer = resolveSerializer(options.serializer);
    // The whole file is sealed, times and all, and not the entry in it.
    this.#codec = new EntryCodec('LocalFileCache', { serializer, seal: undefined, maxBytes, onError });
    this.#seal = sealOf('file', options);
    this.#compression = compression;
    this.#dedupeWrites = dedupeWrites;
    this.#limit = maxBytes + EXTRA_BYTES;
    this.#clock = clock;
    this.#folder = new Folder(directory);
    this.#sweeper = new Sweeper(this.#folder, clock, (error) =>
      report(error, onError, 'advanced-caching: a sweep of LocalFileCache failed'),
    );
  }

  async get(key: string, onFault?: OnFault): Promise<unknown> {
    const content = await this.#read(key, onFault);
    return content && this.#now() < content.life.freshUntil ? (await this.#entry(content, onFault))?.value : undefined;
  }

  async getEntry(key: string, onFault?: OnFault): Promise<CacheEntry | undefined> {
    const content = await this.#read(key, onFault);
    return content && this.#entry(content, onFault);
  }

  /** Reads the file, but does not decode the value. */
  async exists(key: string): Promise<boolean> {
    const content = await this.#read(key, undefined);
    return content !== undefined && this.#now() < content.life.freshUntil;
  }

  async getMany(keys: readonly string[], onFault?: OnFault): Promise<Map<string, unknown>> {
    const now = this.#now();
    const fresh = new Map<string, unknown>();
    for (const [key, entry] of await this.getEntries(keys, onFault)) if (now < entry.freshUntil) fresh.set(key, entry.value);
    return fresh;
  }

  async getEntries(keys: readonly string[], onFault?: OnFault): Promise<Map<string, CacheEntry>> {
    for (const key of keys) checkStoreKey(key);
    const entries = await Promise.all(keys.map(async (key) => [key, await this.getEntry(key, onFault)] as const));
    return new Map(entries.filter((pair): pair is [string, CacheEntry] => pair[1] !== undefined));
  }

  async set(key: string, value: unknown, ttl: number): Promise<void> {
    checkStoreKey(key);
    const seconds = toSeconds(ttl, 'ttl');
    const createdAt = this.#now();
    const freshUntil = createdAt + seconds;
    await this.#put(key, value, { freshUntil, createdAt, heldUntil: freshUntil });
  }

  async setMany(items: ReadonlyMap<string, unknown>, ttl: number): Promise<void> {
    toSeconds(ttl, 'ttl');
    for (const key of items.keys()) checkStoreKey(key);
    await Promise.all([...items].map(([key, value]) => this.set(key, value, ttl)));
  }

  /** @throws TypeError for an entry whose moments aren't numbers, RangeError for a `hold` that isn't a duration */
  async setEntry(key: string, entry: CacheEntry, hold = 0): Promise<void> {
    checkStoreKey(key);
    const { value, freshUntil, createdAt } = entry;
    const heldUntil = freshUntil + toSeconds(hold, 'hold');
    await this.#put(key, value, { freshUntil, createdAt, heldUntil });
  }

  async setIfNotExists(key: string, value: unknown, ttl: number): Promise<boolean> {
    checkStoreKey(key);
    const seconds = toSeconds(ttl, 'ttl');
    const createdAt = this.#now();
    const freshUntil = createdAt + seconds;
    const life = { freshUntil, createdAt, heldUntil: freshUntil };
    const path = this.#folder.path(key);
    return this.#change(key, async () => {
      if (this.#isFresh(await this.#look(path, key))) return false;
      const parts = await this.#encode(key, this.#bytesOf(key, value, life), life);
      return this.#folder.write(path, () => withTemporary(path, parts, (temporary) => this.#settle(path, key, temporary)));
    });
  }

  async delete(key: string): Promise<boolean> {
    checkStoreKey(key);
    const path = this.#folder.path(key);
    return this.#change(key, async () => {
      const found = await this.#look(path, key);
      return (await this.#folder.delete(path)) && found?.content !== undefined && this.#now() < found.content.life.heldUntil;
    });
  }

  /** Deletes the entries that are in the directory, whoever wrote them, and nothing else. */
  async clear(): Promise<void> {
    await this.#tails.all(
      () => this.#sweeper.clear(),
      () => {},
    );
  }

  /** Deletes all that has expired, and what dead writers left behind; answers how many entries went. It also happens bit by bit. */
  sweep(): Promise<number> {
    return this.#sweeper.sweep();
  }

  #now(): number {
    return this.#clock.wall() / 1000;
  }

  #isFresh(found: Found | undefined): boolean {
    return found?.content !== undefined && this.#now() < found.content.life.freshUntil;
  }

  /** Changes of one key follow one another. */
  async #change<T>(key: string, write: () => Promise<T>): Promise<T> {
    return this.#tails.after([key], () => gate.run(write));
  }

  /** The file of a key while it is held. One that is over is deleted. */
  async #read(key: string, onFault: OnFault | undefined): Promise<FileContent | undefined> {
    checkStoreKey(key);
    const path = this.#folder.path(key);
    return gate.run(async () => {
      const found = await this.#look(path, key);
      if (!found) return undefined;
      if (found.fault) {
        this.#codec.fault(found.fault, onFault);
        return undefined;
      }
      if (this.#now() < found.content.life.heldUntil) return found.content;
      // Where it can't be deleted it stays, and is as good as absent.
      await this.#folder.remove(path, found.identity).catch(() => false);
      return undefined;
    });
  }

  /** @throws StoreError where the file system fails; what is there and is no entry is answered as a fault */
  async #look(path: string, key: string, mayBeTorn = true): Promise<Found | undefined> {
    let identity: string | undefined;
    try {
      const file = await readOwned(path, this.#limit, NAMES);
      if (!file) return undefined;
      identity = file.identity;
      const content = decodeFile(this.#seal ? this.#seal.open(key, file.bytes) : file.bytes);
      if (content.key !== key) throw new WireFormatError('A file of LocalFileCache holds another key than the one it is named after');
      this.#codec.checkSize(content.body.length);
      return { identity, content };
    } catch (error) {
      // Read in the middle of its times being written? Then it is whole by now.
      if (error instanceof TornLifeError && mayBeTorn) return this.#look(path, key, false);
      if (!(error instanceof WireFormatError || error instanceof ForeignFileError)) throw error;
      identity ??= await this.#folder.identity(path);
      const fault = error instanceof WireFormatError ? error : new WireFormatError(error.message, { cause: error });
      return identity === undefined ? undefined : { identity, fault };
    }
  }

  async #entry({ key, body, life }: FileContent, onFault: OnFault | undefined): Promise<CacheEntry | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await decompress(body);
    } catch (error) {
      this.#codec.fault(error as Error, onFault);
      return undefined;
    }
    const entry = this.#codec.decode(key, bytes, onFault);
    return entry && { value: entry.value, freshUntil: life.freshUntil, createdAt: life.createdAt };
  }

  #bytesOf(key: string, value: unknown, { freshUntil, createdAt }: Life): Buffer {
    return this.#codec.encode(key, this.#codec.payload(value), freshUntil, createdAt);
  }

  async #encode(key: string, bytes: Buffer, life: Life): Promise<Uint8Array[]> {
    return this.#parts(key, life, await compress(bytes, this.#compression));
  }

  #parts(key: string, life: Life, body: Body): Uint8Array[] {
    const parts = [encodeHead(key, life, body), body.bytes];
    return this.#seal ? [...parts, this.#seal.of(key, ...parts)] : parts;
  }

  async #put(key: string, value: unknown, life: Life): Promise<void> {
    const path = this.#folder.path(key);
    // Before anything is waited for: the caller may change the value afterwards.
    const bytes = this.#bytesOf(key, value, life);
    await this.#change(key, async () => {
      if (!(life.heldUntil > this.#now())) {
        await this.#folder.delete(path);
        return;
      }
      if (this.#dedupeWrites && (await this.#prolong(path, key, bytes, life))) return;
      const parts = await this.#encode(key, bytes, life);
      await this.#folder.write(path, () => replaceOwned(path, parts));
    });
    this.#sweeper.wrote();
  }

  /** Where the file holds this very value, writes its times only, or the file with the body that it has where they are sealed; answers whether. */
  async #prolong(path: string, key: string, bytes: Buffer, life: Life): Promise<boolean> {
    const found = await this.#look(path, key);
    if (!found?.content || found.content.body.length !== bytes.length) return false;
    const there = await decompress(found.content.body).catch(() => undefined);
    if (!there || !bytes.subarray(HEADER_BYTES).equals(there.subarray(HEADER_BYTES))) return false;
    if (this.#seal) {
      const parts = this.#parts(key, life, found.content.body);
      await this.#folder.write(path, () => replaceOwned(path, parts));
      return true;
    }
    try {
      return await this.#folder.overwrite(path, found.identity, encodeLife(life), LIFE_AT);
    } catch {
      // Whatever is in the way, the write of the whole file finds it too, or doesn't mind.
      return false;
    }
  }

  /** Gives a written file its name, unless a fresh entry has it or gets it first; answers whether. */
  async #settle(path: string, key: string, temporary: string): Promise<boolean> {
    for (;;) {
      if (await this.#folder.add(temporary, path)) return true;
      const found = await this.#look(path, key);
      if (this.#isFresh(found)) {
        await unlink(temporary);
        return false;
      }
      if (found && (await this.#folder.replace(path, found.identity, temporary))) return true;
      if (found) await delay(CLAIM_POLL_MS);
    }
  }
}
