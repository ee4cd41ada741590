/**
 * The file of a snapshot: a header of 88 bytes, the key, the codec's name, zeros up to a multiple of 8, the payload.
 * Little-endian. The CRC32 covers every other byte of the file.
 *
 *   0  magic  89 'ACSNAP' 0A  8 bytes         48  createdAtMonotonic, ms    float64
 *   8  layout version         uint16          56  freshFor, ms              float64
 *  10  header length, all     uint16          64  boot id; zeros: unknown   16 bytes
 *  12  flags                  uint32          80  key length                uint16
 *  16  payload length         uint64          82  codec length              uint16
 *  24  epoch                  uint64          84  CRC32                     uint32
 *  32  version                uint64          88  key, codec, zeros
 *  40  createdAt, Unix ms     float64
 *
 * A flag that isn't known here changes what the bytes mean, so it is refused. Bit 0 is kept for an HMAC after the payload.
 */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/clock.js';
import { WireFormatError } from '../../core/errors.js';
import type { Snapshot } from '../../core/snapshot.js';

const MAGIC = Buffer.from([0x89, 0x41, 0x43, 0x53, 0x4e, 0x41, 0x50, 0x0a]);
const LAYOUT = 1;
const FIXED = 88;
const CRC_AT = 84;
const MAX_CODEC_BYTES = 64;

/** No header is longer: what a file may have beyond `maxBytes`. */
export const MAX_HEADER_BYTES: number = FIXED + 8192 + MAX_CODEC_BYTES + 8;

const NO_BOOT = Buffer.alloc(16);
const BOOT = bootId();

export function encodeHeader(key: string, snapshot: Snapshot): Buffer {
  const name = Buffer.from(key);
  const codec = Buffer.from(snapshot.codec);
  if (codec.length > MAX_CODEC_BYTES) {
    throw new RangeError(`Expected the name of a serializer to be at most ${MAX_CODEC_BYTES} bytes, got ${codec.length}`);
  }
  const header = Buffer.alloc(Math.ceil((FIXED + name.length + codec.length) / 8) * 8);
  MAGIC.copy(header, 0);
  header.writeUInt16LE(LAYOUT, 8);
  header.writeUInt16LE(header.length, 10);
  header.writeBigUInt64LE(BigInt(snapshot.bytes.byteLength), 16);
  header.writeBigUInt64LE(BigInt(snapshot.epoch), 24);
  header.writeBigUInt64LE(BigInt(snapshot.version), 32);
  header.writeDoubleLE(snapshot.createdAt, 40);
  header.writeDoubleLE(snapshot.createdAtMonotonic, 48);
  header.writeDoubleLE(snapshot.freshFor, 56);
  BOOT.copy(header, 64);
  header.writeUInt16LE(name.length, 80);
  header.writeUInt16LE(codec.length, 82);
  name.copy(header, FIXED);
  codec.copy(header, FIXED + name.length);
  header.writeUInt32LE(checksum(header, header.length, snapshot.bytes), CRC_AT);
  return header;
}

/**
 * The snapshot in the bytes of a file. Its `bytes` are a view of `file`, which the caller gives away.
 *
 * @throws WireFormatError for anything else than a whole snapshot of `key`
 */
export function decodeSnapshot(file: Buffer, key: string, maxBytes: number, clock: Clock): Snapshot {
  if (file.length < FIXED) throw new WireFormatError(`Expected a snapshot of ${FIXED} bytes or more, got ${file.length}`);
  if (!file.subarray(0, 8).equals(MAGIC)) throw new WireFormatError('Expected a snapshot, got something else (its first bytes differ)');
  const layout = file.readUInt16LE(8);
  if (layout > LAYOUT) {
    throw new WireFormatError(
      `This snapshot has layout ${layout}, of a newer release of the library; this one reads up to ${LAYOUT}: update it`,
    );
  }
  const flags = file.readUInt32LE(12);
  if (layout !== LAYOUT || flags !== 0)
    throw new WireFormatError(`This snapshot has layout ${layout} and flags ${flags}, which are not known here`);

  const headerBytes = file.readUInt16LE(10);
  const payloadBytes = Number(file.readBigUInt64LE(16));
  const keyEnd = FIXED + file.readUInt16LE(80);
  const codecEnd = keyEnd + file.readUInt16LE(82);
  if (codecEnd > headerBytes || headerBytes + payloadBytes !== file.length) {
    throw new WireFormatError(
      `This snapshot should have ${headerBytes + payloadBytes} bytes, and has ${file.length}: it was cut or is corrupt`,
    );
  }
  if (payloadBytes > maxBytes) throw new WireFormatError(`This snapshot has ${payloadBytes} bytes, more than \`maxBytes\` (${maxBytes})`);
  if (checksum(file, headerBytes, file.subarray(headerBytes)) !== file.readUInt32LE(CRC_AT)) {
    throw new WireFormatError(`This snapshot of ${payloadBytes} bytes is corrupt: its checksum differs`);
  }
  if (file.toString('utf8', FIXED, keyEnd) !== key) throw new WireFormatError('This snapshot is of another key');

  const epoch = Number(file.readBigUInt64LE(24));
  const version = Number(file.readBigUInt64LE(32));
  const createdAt = file.readDoubleLE(40);
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(version) || !Number.isFinite(createdAt)) {
    throw new WireFormatError('This snapshot has an epoch, version or time that no writer gives');
  }
  return {
    epoch,
    version,
    createdAt,
    createdAtMonotonic: sameBoot(file) ? file.readDoubleLE(48) : clock.monotonic() - Math.max(0, clock.wall() - createdAt),
    freshFor: file.readDoubleLE(56),
    codec: file.toString('utf8', keyEnd, codecEnd),
    bytes: file.subarray(headerBytes),
  };
}

/** Over all bytes but the checksum's own four. */
function checksum(header: Buffer, headerBytes: number, payload: Uint8Array): number {
  const fixed = crc32(header.subarray(0, CRC_AT));
  return crc32(payload, crc32(header.subarray(FIXED, headerBytes), fixed));
}

/** The monotonic clock starts anew with each boot: a time on it means nothing after the next one. */
function sameBoot(file: Buffer): boolean {
  return !BOOT.equals(NO_BOOT) && file.subarray(64, 80).equals(BOOT);
}

function bootId(): Buffer {
  try {
    const bytes = Buffer.from(readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replace(/[^0-9a-f]/g, ''), 'hex');
    return bytes.length === 16 ? bytes : NO_BOOT;
  } catch {
    return NO_BOOT;
  }
}
