/**
 * The bytes of one file of a `LocalFileCache`:
 *
 *     offset  size  what
 *     0       4     'ACF1'
 *     4       1     how the body is compressed: 0 not at all, 1 gzip, 2 brotli
 *     5       3     0
 *     8       4     the key's length in bytes, uint32 big-endian, as all that follows
 *     12      4     the length of the entry (see below) before it was compressed
 *     16      4     CRC32 of bytes 0-15, the key and the body
 *     20      4     CRC32 of bytes 24-47
 *     24      8     freshUntil, float64: seconds since the epoch, or Infinity
 *     32      8     createdAt
 *     40      8     heldUntil: freshUntil and the stale window
 *     48      …     the key, UTF-8
 *     …       …     the body: the entry in the wire format of `wire/entry.ts`, compressed
 *     …       32    where the store has a `secret`: the seal of everything before it, see `remote/seal.ts`
 *
 * The times at 24 are the ones that count: bytes 20-47, the *life*, are all that is ever written in place (`dedupeWrites`, in a file without a
 * seal), and the moments inside the body stay those of its own write.
 */
import { crc32 } from 'node:zlib';
import { WireFormatError } from '../../core/errors.js';

export const HEAD_BYTES = 48;
export const LIFE_AT = 20;
const LIFE_BYTES = HEAD_BYTES - LIFE_AT;

const MAGIC = 0x41434631;
const CRC_AT = 16;
const LARGEST = 0xffffffff;

/** The numbers of the compressions, as they stand in files: only ever add to the end. */
const COMPRESSIONS = ['none', 'gzip', 'brotli'] as const;

export type Compression = (typeof COMPRESSIONS)[number];

export interface Life {
  readonly freshUntil: number;
  readonly createdAt: number;
  readonly heldUntil: number;
}

export interface Body {
  readonly compression: Compression;
  readonly bytes: Uint8Array;
  /** The entry's length before it was compressed. */
  readonly length: number;
}

export interface FileContent {
  readonly life: Life;
  readonly key: string;
  readonly body: Body;
}

/** A life that doesn't fit its checksum: a fault of the disk, or a read in the middle of its being written. */
export class TornLifeError extends WireFormatError {}

/** What stands before the body. */
export function encodeHead(key: string, life: Life, { compression, bytes, length }: Body): Buffer {
  if (length > LARGEST) throw new WireFormatError(`An entry of ${length} bytes is too large for a file: ${LARGEST} fit`);
  const keyBytes = Buffer.byteLength(key);
  const head = Buffer.alloc(HEAD_BYTES + keyBytes);
  head.writeUInt32BE(MAGIC, 0);
  head[4] = COMPRESSIONS.indexOf(compression);
  head.writeUInt32BE(keyBytes, 8);
  head.writeUInt32BE(length, 12);
  head.write(key, HEAD_BYTES);
  head.writeUInt32BE(checksum(head.subarray(0, CRC_AT), head.subarray(HEAD_BYTES), bytes), CRC_AT);
  head.set(encodeLife(life), LIFE_AT);
  return head;
}

export function encodeLife({ freshUntil, createdAt, heldUntil }: Life): Buffer {
  const bytes = Buffer.allocUnsafe(LIFE_BYTES);
  bytes.writeDoubleBE(freshUntil, 4);
  bytes.writeDoubleBE(createdAt, 12);
  bytes.writeDoubleBE(heldUntil, 20);
  bytes.writeUInt32BE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** The times, from the first bytes of a file. @throws WireFormatError for what isn't a file of this layout */
export function decodeLife(bytes: Buffer): Life {
  if (bytes.length < HEAD_BYTES || bytes.readUInt32BE(0) !== MAGIC) {
    throw new WireFormatError(`These ${bytes.length} bytes are no file of LocalFileCache`);
  }
  if (crc32(bytes.subarray(LIFE_AT + 4, HEAD_BYTES)) !== bytes.readUInt32BE(LIFE_AT)) {
    throw new TornLifeError('The times of a file of LocalFileCache do not fit their checksum');
  }
  return { freshUntil: bytes.readDoubleBE(24), createdAt: bytes.readDoubleBE(32), heldUntil: bytes.readDoubleBE(40) };
}

/** @throws WireFormatError for what isn't a whole file of this layout */
export function decodeFile(bytes: Buffer): FileContent {
  const life = decodeLife(bytes);
  const bodyAt = HEAD_BYTES + bytes.readUInt32BE(8);
  if (bodyAt > bytes.length) throw new WireFormatError(`These ${bytes.length} bytes are a file of LocalFileCache that was cut off`);
  const key = bytes.subarray(HEAD_BYTES, bodyAt);
  const body = bytes.subarray(bodyAt);
  if (checksum(bytes.subarray(0, CRC_AT), key, body) !== bytes.readUInt32BE(CRC_AT)) {
    throw new WireFormatError(`These ${bytes.length} bytes of a file of LocalFileCache do not fit their checksum`);
  }
  const compression = COMPRESSIONS[bytes[4] as number];
  if (!compression) throw new WireFormatError('This file of LocalFileCache is compressed in a way that this version does not know');
  return { life, key: key.toString('utf8'), body: { compression, bytes: body, length: bytes.readUInt32BE(12) } };
}

function checksum(fixed: Uint8Array, key: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(key, crc32(fixed)));
}
