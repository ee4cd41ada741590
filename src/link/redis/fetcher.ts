/** Fetches what a look has shown; what was refused is not fetched again. */
import { WireFormatError } from '../../core/errors.js';
import { toError } from '../../core/report.js';
import type { Snapshot } from '../../core/snapshot.js';
import type { EntryHeader } from '../../wire/entry.js';
import type { Connection } from './connection.js';
import { kindOfFailure } from './failures.js';
import { type Look, type Meta, pull, verify } from './look.js';
import type { RedisLinkSettings } from './options.js';
import { ServerClock } from './server-clock.js';

export interface Fetched {
  /** `undefined`: nobody announced it. */
  readonly meta: Meta | undefined;
  readonly header: EntryHeader;
  readonly bytes: Buffer;
}

export class Fetcher {
  pulls = 0;
  /** How many snapshots were refused. */
  refused = 0;
  readonly serverClock: ServerClock = new ServerClock();
  readonly #connection: Connection;
  readonly #settings: RedisLinkSettings;
  #bad: { readonly identity: string; readonly error: Error } | undefined;

  constructor(connection: Connection, settings: RedisLinkSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  /**
   * What was looked at, with its bytes; `undefined` where it has changed since.
   *
   * @throws WireFormatError and SnapshotTooLargeError for what is refused, the same each time; StoreError and TimeoutError
   */
  async fetch(seen: Look): Promise<Fetched | undefined> {
    const { sealing, maxBytes } = this.#settings;
    const identity = `${seen.meta?.epoch} ${seen.meta?.version} ${seen.meta?.checksum} ${seen.mark}`;
    if (identity === this.#bad?.identity) throw this.#bad.error;
    try {
      if (!seen.header) throw new WireFormatError('This value does not begin as an entry does');
      this.pulls += 1;
      const pulled = await pull(this.#connection, this.#settings, seen.length, maxBytes);
      if (!pulled) return undefined;
      const { meta, header, bytes, entry } = pulled;
      if (!seen.matches) {
        if (header.createdAt !== seen.header.createdAt) return undefined;
        sealing?.open(entry);
        return { meta: undefined, header, bytes };
      }
      if (!meta || Math.round(header.createdAt * 1000) !== meta.at) return undefined;
      verify(meta, bytes);
      this.#bad = undefined;
      return pulled;
    } catch (thrown) {
      const error = toError(thrown);
      if (kindOfFailure(error) === 'bad-snapshot') {
        this.#bad = { identity, error };
        this.refused += 1;
      }
      throw error;
    }
  }

  /** What travels beside the bytes, its times on this host's clock. */
  metaOf({ meta, header }: Fetched): Omit<Snapshot, 'bytes' | 'epoch' | 'version'> {
    const createdAt = meta?.at ?? header.createdAt * 1000;
    return {
      createdAt,
      createdAtMonotonic: this.onOurClock(createdAt),
      freshFor: meta?.freshFor ?? Math.max(0, (header.freshUntil - header.createdAt) * 1000),
      codec: meta?.codec ?? this.#settings.store.serializer.name ?? '',
    };
  }

  /** A time of Redis's on this host's monotonic clock; never in the future, which half a round trip, or another host's clock, may say. */
  onOurClock(at: number): number {
    const now = this.#settings.clock.monotonic();
    return Math.min(at + (this.serverClock.offset ?? now - at), now);
  }
}
