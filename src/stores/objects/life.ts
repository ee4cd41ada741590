/**
 * The life of an object whose bytes can't be changed in place: `dedupeWrites` writes the entry's new header (see `wire/entry.ts`) into
 * the object's metadata, under this name and in hexadecimal. Where it is there, it stands for the first 16 bytes of the object. It can't
 * outlive the bytes it belongs to, since every write of an object replaces its metadata too.
 *
 * A reader that knows the bytes alone (the Python library) sees such an entry end earlier than we do, never later.
 */
import { HEADER_BYTES, encodeEntry } from '../../wire/entry.js';
import type { FoundObject } from './bucket.js';

export const LIFE = 'advanced-caching-life';

const NOTHING = new Uint8Array(0);

export function lifeOf(freshUntil: number, createdAt: number): string {
  return encodeEntry(NOTHING, freshUntil, createdAt).toString('hex');
}

/** The object's bytes, as its life has them begin. */
export function bytesOf({ bytes, life }: FoundObject): Buffer | undefined {
  if (!bytes || bytes.byteLength < HEADER_BYTES || life === undefined || life.length !== HEADER_BYTES * 2) return bytes;
  const header = Buffer.from(life, 'hex');
  if (header.byteLength === HEADER_BYTES) bytes.set(header);
  return bytes;
}
