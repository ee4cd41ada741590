/**
 * The life of an object whose bytes can't be changed in place: `dedupeWrites` writes the entry's new header (see `wire/entry.ts`), and its
 * new seal where it has one, into the object's metadata, under this name and in hexadecimal. Where it is there, it stands for the first 16 bytes
 * of the object, and for the last 32. It can't outlive the bytes it belongs to, since every write of an object replaces its metadata too.
 *
 * A reader that knows the bytes alone (the Python library) sees such an entry end earlier than we do, never later.
 */
import { HEADER_BYTES } from '../../wire/entry.js';
import type { FoundObject } from './bucket.js';

export const LIFE = 'advanced-caching-life';

/** @param bytes the entry as it would be written, with its seal */
export function lifeOf(bytes: Buffer, sealBytes: number): string {
  return bytes.toString('hex', 0, HEADER_BYTES) + bytes.toString('hex', bytes.length - sealBytes);
}

/** The object's bytes, as its life has them begin and end. */
export function bytesOf({ bytes, life }: FoundObject, sealBytes: number): Buffer | undefined {
  const lifeBytes = HEADER_BYTES + sealBytes;
  if (!bytes || bytes.byteLength < lifeBytes || life === undefined || life.length !== lifeBytes * 2) return bytes;
  const decoded = Buffer.from(life, 'hex');
  if (decoded.byteLength !== lifeBytes) return bytes;
  bytes.set(decoded.subarray(0, HEADER_BYTES));
  bytes.set(decoded.subarray(HEADER_BYTES), bytes.byteLength - sealBytes);
  return bytes;
}
