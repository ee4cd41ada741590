import { createHash } from 'node:crypto';

/** Names remembered at most: about 2 MB; the longest ago written goes first. */
const MAX_NAMES = 10_000;

/** What `dedupeWrites` remembers of each object: the digest of the payload that this store wrote last, and the tag that it got. */
export class Written {
  readonly #written = new Map<string, { readonly digest: string; readonly tag: string }>();

  digest(payload: Uint8Array): string {
    return createHash('sha256').update(payload).digest('base64');
  }

  /** The tag under which this store wrote the same payload last. */
  tag(name: string, digest: string): string | undefined {
    const last = this.#written.get(name);
    return last?.digest === digest ? last.tag : undefined;
  }

  remember(name: string, digest: string, tag: string): void {
    this.#written.delete(name);
    this.#written.set(name, { digest, tag });
    if (this.#written.size > MAX_NAMES) this.#written.delete(this.#written.keys().next().value as string);
  }

  forget(name: string): void {
    this.#written.delete(name);
  }

  clear(): void {
    this.#written.clear();
  }
}
