import { isNewer, type Snapshot } from '../../core/snapshot.js';
import type { Ring } from '../../mirror/layout.js';
import { newestMeta } from '../../mirror/protocol.js';
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

  constructor(handle: LinkHandle, ring: () => Ring) {
    this.#handle = handle;
    this.#ring = ring;
  }

  send({ bytes, ...meta }: Snapshot): void {
    // Every thread of the process hears the message: each would get a copy of bytes that aren't shared.
    const buffer = new SharedArrayBuffer(bytes.byteLength);
    new Uint8Array(buffer).set(bytes);
    this.#sent = { ...meta, buffer };
    this.#attempts = 0;
    this.#say();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#sent = undefined;
  }

  #say(): void {
    const snapshot = this.#sent;
    if (!snapshot) return;
    this.#handle.say({ type: 'snapshot', snapshot });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        const have = newestMeta(this.#ring());
        if (have && !isNewer(snapshot, have)) this.#sent = undefined;
        else this.#say();
      },
      Math.min(LATEST, AGAIN * 2 ** this.#attempts++),
    ).unref();
  }
}
