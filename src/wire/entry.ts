/**
 * The bytes of an entry, the same in every store and in the Python library:
 *
 *     offset  size  what
 *     0       8     freshUntil, float64 big-endian, seconds since the epoch; Infinity for no expiry
 *     8       8     createdAt,  float64 big-endian, seconds since the epoch
 *     16      …     the serialized value
 *
 * Others have stored these bytes: their meaning may never change.
 */
import { WireFormatError } from '../core/errors.js';

/** How many bytes stand before the serialized value. */
export const HEADER_BYTES = 16;

/**
 * Moments outside of this are not moments: read as a float64, the first bytes of a JSON, gzip or pickle payload give
 * something astronomically large or small.
 */
const EARLIEST = 1e-3;
const LATEST = 1e18;

/** Where a header is copied to be read: a view on each entry's own bytes would cost as much as the rest of a small entry. */
const header = new Uint8Array(HEADER_BYTES);
const headerView = new DataView(header.buffer);

export interface EntryHeader {
  readonly freshUntil: number;
  readonly createdAt: number;
}

export interface DecodedEntry extends EntryHeader {
  /** A view on the bytes that were decoded, not a copy. */
  readonly payload: Uint8Array;
}

/**
 * @throws WireFormatError for moments that no reader would accept; a `freshUntil` past 1e18 is written as `Infinity`
 */
export function encodeEntry(payload: Uint8Array, freshUntil: number, createdAt: number): Buffer {
  const until = freshUntil > LATEST ? Infinity : freshUntil;
  checkMoments(until, createdAt);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.byteLength);
  bytes.writeDoubleBE(until, 0);
  bytes.writeDoubleBE(createdAt, 8);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** @throws WireFormatError for bytes that are too short or don't begin with two moments */
export function decodeEntry(bytes: Uint8Array): DecodedEntry {
  const { freshUntil, createdAt } = decodeHeader(bytes);
  return { freshUntil, createdAt, payload: bytes.subarray(HEADER_BYTES) };
}

/** The two moments only: enough for a poll that reads the first 16 bytes of a value. */
export function decodeHeader(bytes: Uint8Array): EntryHeader {
  if (bytes.byteLength < HEADER_BYTES) {
    throw new WireFormatError(`Expected an entry of at least ${HEADER_BYTES} bytes, got ${bytes.byteLength}`);
  }
  for (let i = 0; i < HEADER_BYTES; i++) header[i] = bytes[i] as number;
  const freshUntil = headerView.getFloat64(0);
  const createdAt = headerView.getFloat64(8);
  checkMoments(freshUntil, createdAt);
  return { freshUntil, createdAt };
}

function checkMoments(freshUntil: number, createdAt: number): void {
  if (freshUntil !== Infinity && !isMoment(freshUntil)) {
    throw new WireFormatError('Expected an entry to begin with `freshUntil`, a Unix time in seconds or Infinity; these bytes do not');
  }
  if (!isMoment(createdAt)) {
    throw new WireFormatError('Expected an entry to hold `createdAt`, a Unix time in seconds, at byte 8; these bytes do not');
  }
}

function isMoment(seconds: number): boolean {
  return seconds === 0 || (seconds >= EARLIEST && seconds <= LATEST);
}
