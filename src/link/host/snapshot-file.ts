/** The host's {@link SnapshotStore}: one immutable file a key, replaced whole by `rename`. */
import { stat } from 'node:fs/promises';
import { systemClock, type Clock } from '../../core/clock.js';
import { SnapshotTooLargeError, StoreError } from '../../core/errors.js';
import { checkKey, refuse } from '../../core/options.js';
import { DEFAULT_MAX_BYTES, type Snapshot } from '../../core/snapshot.js';
import type { SnapshotStore } from '../ports.js';
import { codeOf, identityOf, readOwned, readOwnedSync, replaceOwned } from '../../files/owned.js';
import type { HostPlace } from './place.js';
import { decodeSnapshot, encodeHeader, MAX_HEADER_BYTES } from './snapshot-format.js';

export interface SnapshotFileOptions {
  /** Default 64 MiB. */
  readonly maxBytes?: number;
  readonly clock?: Clock;
}

/** A snapshot, and the mark of the file it was in, for {@link SnapshotFile.changedSince}. */
export interface Loaded {
  readonly snapshot: Snapshot;
  readonly identity: string;
}

/**
 * @example
 * const file = new SnapshotFile(hostPlace(), 'flags');
 * const last = file.readSync();   // what the last writer left: a process that restarts serves it at once
 */
export class SnapshotFile implements SnapshotStore {
  readonly path: string;
  readonly #place: HostPlace;
  readonly #key: string;
  readonly #maxBytes: number;
  readonly #clock: Clock;

  constructor(place: HostPlace, key: string, { maxBytes = DEFAULT_MAX_BYTES, clock = systemClock }: SnapshotFileOptions = {}) {
    checkKey('key', key);
    this.path = place.path(key);
    this.#place = place;
    this.#key = key;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
  }

  async read(): Promise<Snapshot | undefined> {
    return (await this.load())?.snapshot;
  }

  /** `read`, and the mark of the file that was read. */
  async load(): Promise<Loaded | undefined> {
    const file = await readOwned(this.path, this.#maxBytes + MAX_HEADER_BYTES);
    return file && { snapshot: decodeSnapshot(file.bytes, this.#key, this.#maxBytes, this.#clock), identity: file.identity };
  }

  /** `read`, at once: for a cold start, before there is an event loop to wait for. */
  readSync(): Snapshot | undefined {
    const file = readOwnedSync(this.path, this.#maxBytes + MAX_HEADER_BYTES);
    return file && decodeSnapshot(file.bytes, this.#key, this.#maxBytes, this.#clock);
  }

  async write(snapshot: Snapshot): Promise<void> {
    await this.put(snapshot);
  }

  /** `write`, which gives the mark of the new file. Where the directory was taken away, it is made anew. */
  async put(snapshot: Snapshot): Promise<string> {
    const { bytes } = snapshot;
    if (bytes.byteLength > this.#maxBytes) {
      throw new SnapshotTooLargeError(`This snapshot has ${bytes.byteLength} bytes, more than \`maxBytes\` (${this.#maxBytes})`);
    }
    for (const name of ['epoch', 'version'] as const) {
      if (!Number.isSafeInteger(snapshot[name]) || snapshot[name] < 0)
        refuse(`snapshot.${name}`, 'a safe integer of 0 or more', snapshot[name]);
    }
    return replaceIn(this.#place, this.path, [encodeHeader(this.#key, snapshot), bytes]);
  }

  /** One `stat`: the mark of the file that is there; `undefined` for none. */
  async identity(): Promise<string | undefined> {
    try {
      return identityOf(await stat(this.path, { bigint: true }));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw new StoreError(`Can't look at ${this.path}: ${codeOf(error)}`, { cause: error });
    }
  }

  async changedSince(seen: string | undefined): Promise<boolean> {
    return (await this.identity()) !== seen;
  }
}

/** `replaceOwned` in a directory that may have gone: it is made anew, once. */
export async function replaceIn(place: HostPlace, path: string, parts: readonly Uint8Array[]): Promise<string> {
  try {
    return await replaceOwned(path, parts);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  place.ensure();
  try {
    return await replaceOwned(path, parts);
  } catch (error) {
    throw error instanceof StoreError ? error : new StoreError(`Can't write ${path}: ${codeOf(error)}`, { cause: error });
  }
}
