import { createHash } from 'node:crypto';

/** Keys remembered at most: about 1 MB of digests; the longest ago written goes first. */
const MAX_KEYS = 10_000;

/** What `dedupeWrites` remembers: the digest of the bytes last written under each key. */
export class LastWritten {
  readonly #digests = new Map<string, string>();

  /** SHA-1 in hexadecimal, which a Redis script can compute as well; nothing secret depends on it. */
  digest(payload: Uint8Array): string {
    return createHash('sha1').update(payload).digest('hex');
  }

  isLast(key: string, digest: string): boolean {
    return this.#digests.get(key) === digest;
  }

  remember(key: string, digest: string): void {
    this.#digests.delete(key);
    this.#digests.set(key, digest);
    if (this.#digests.size > MAX_KEYS) this.#digests.delete(this.#digests.keys().next().value as string);
  }

  forget(key: string): void {
    this.#digests.delete(key);
  }

  clear(): void {
    this.#digests.clear();
  }
}
