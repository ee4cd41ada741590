/** What travels beside the bytes of a snapshot, unchanged through shared memory, files and stores. */
export interface SnapshotMeta {
  /** Raised by one at every takeover of a key's writer. With `version` it orders all snapshots of a key. */
  readonly epoch: number;
  /** The number of the publication, from 1; goes on where the last writer stopped. A safe integer. */
  readonly version: number;
  /** Unix time in milliseconds at which the value was loaded. */
  readonly createdAt: number;
  /** The same moment on the host's monotonic clock (milliseconds since its boot). */
  readonly createdAtMonotonic: number;
  /** For how many milliseconds from then the writer calls it fresh; `Infinity` for ever. */
  readonly freshFor: number;
  /** The name of the serializer that made the bytes; `''` for a custom one without a name. */
  readonly codec: string;
}

/** One published, immutable version of a mirrored value. */
export interface Snapshot extends SnapshotMeta {
  readonly bytes: Uint8Array;
}

/** From so many bytes on their memory isn't left to the collector. */
const LARGE = 1024 * 1024;

/**
 * Gives the memory of a snapshot's bytes back at once, if it is large: the collector of a thread that does little else comes late, and a hundred
 * megabytes wait for it. For who owns the bytes, and has no use for them any more. On Node 20, which lacks `transfer`, they wait.
 */
export function discard({ bytes }: Snapshot): void {
  const { buffer } = bytes;
  if (bytes.byteLength >= LARGE && buffer instanceof ArrayBuffer && 'transfer' in buffer) buffer.transfer(0);
}

/** The writer loaded the same bytes again: the snapshot that is there is as good as new. Its numbers stay. */
export type Confirmation = Pick<SnapshotMeta, 'epoch' | 'version' | 'createdAt' | 'createdAtMonotonic'>;

/** Whether `a` comes after `b`: a higher epoch, or a higher version in the same one. */
export function isNewer(a: Pick<SnapshotMeta, 'epoch' | 'version'>, b: Pick<SnapshotMeta, 'epoch' | 'version'>): boolean {
  return a.epoch !== b.epoch ? a.epoch > b.epoch : a.version > b.version;
}

/** The default limit for the bytes of a snapshot: 64 MiB. */
export const DEFAULT_MAX_BYTES: number = 64 * 1024 * 1024;
