import { isNewer, type Snapshot, type SnapshotMeta } from '../../core/snapshot.js';
import type { Ring } from '../../mirror/layout.js';
import { newestMeta } from '../../mirror/protocol.js';
import { watch } from '../../mirror/watch.js';
import type { LinkHandle } from '../thread/link-client.js';
import type { SharedSnapshot } from '../thread/messages.js';

/**
 * Milliseconds after which a snapshot that isn't in the ring is sent again: the link thread may still be on its way, or have been
 * replaced. Doubled each time, up to the second.
 */
const AGAIN = 25;
const LATEST = 1000;

/** The way of snapshots from this thread into the process's ring, which is the link thread's. The newest is sent until it is there. */
export class Feed {
  readonly #handle: LinkHandle;
  readonly #ring: () => Ring;
  #sent: SharedSnapshot | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #writer: string | undefined;

  constructor(handle: LinkHandle, ring: () => Ring) {
    this.#handle = handle;
    this.#ring = ring;
  }

  /** Resolves when the snapshot is in the ring, or has been on its way for a second. @param writer whose it is, as far as is known */
  send({ bytes, ...meta }: Snapshot, writer: string | undefined): Promise<void> {
    // Every thread of the process hears the message: each would get a copy of bytes that aren't shared.
    const buffer = new SharedArrayBuffer(bytes.byteLength);
    new Uint8Array(buffer).set(bytes);
    this.#sent = { ...meta, buffer };
    this.#writer = writer;
    this.#attempts = 0;
    this.#say();
    return this.#arrival(meta);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#sent = undefined;
  }

  #say(): void {
    const snapshot = this.#sent;
    if (!snapshot) return;
    this.#handle.say({ type: 'snapshot', snapshot, writer: this.#writer });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        // A timer that has fired keeps its callback, and that the snapshot.
        this.#timer = undefined;
        if (this.#has(snapshot)) this.#sent = undefined;
        else this.#say();
      },
      Math.min(LATEST, AGAIN * 2 ** this.#attempts++),
    ).unref();
  }

  #arrival(snapshot: SnapshotMeta): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#has(snapshot)) end();
      };
      const end = (): void => {
        clearTimeout(timer);
        off();
        resolve();
      };
      // Also where the ring was replaced meanwhile: what is watched here doesn't change any more.
      const timer = setTimeout(end, LATEST).unref();
      const off = watch(this.#ring(), look);
      look();
    });
  }

  #has(snapshot: SnapshotMeta): boolean {
    const have = newestMeta(this.#ring());
    return have !== undefined && !isNewer(snapshot, have);
  }
}
