import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, brotliDecompressSync, constants, gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib';
import { WireFormatError } from '../../core/errors.js';
import type { Body, Compression } from './layout.js';

/** Below this nothing is gained: gzip alone adds 18 bytes, and the smallest block of a disk is 512. */
const WORTH_IT = 512;
/** Up to this many bytes it is quicker here than on its way to another thread and back; both take less than 100 µs. */
const AT_ONCE = 4096;
/** Brotli's own default (11) takes a hundred times as long as gzip. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);
const brotliAsync = promisify<Buffer, typeof BROTLI, Buffer>(brotliCompress);
const unbrotliAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(brotliDecompress);

/** The bytes compressed, or as they are where that makes them no smaller. */
export async function compress(bytes: Buffer, compression: Compression): Promise<Body> {
  if (compression !== 'none' && bytes.length >= WORTH_IT) {
    const packed = await pack(bytes, compression);
    if (packed.length < bytes.length) return { compression, bytes: packed, length: bytes.length };
  }
  return { compression: 'none', bytes, length: bytes.length };
}

function pack(bytes: Buffer, compression: 'gzip' | 'brotli'): Buffer | Promise<Buffer> {
  if (compression === 'brotli') return brotliAsync(bytes, BROTLI);
  return bytes.length <= AT_ONCE ? gzipSync(bytes) : gzipAsync(bytes);
}

/**
 * The bytes as they were. Never more than the length that the file tells, which the caller has found to be small enough.
 *
 * @throws WireFormatError for what doesn't become exactly that long
 */
export async function decompress({ compression, bytes, length }: Body): Promise<Uint8Array> {
  let plain: Uint8Array;
  try {
    plain = compression === 'none' ? bytes : await unpack(bytes as Buffer, compression, { maxOutputLength: Math.max(length, 1) });
  } catch (cause) {
    throw new WireFormatError(`${bytes.length} bytes of ${compression} do not become ${length} bytes`, { cause });
  }
  if (plain.length !== length) throw new WireFormatError(`Expected ${length} bytes of ${compression}, got ${plain.length}`);
  return plain;
}

function unpack(bytes: Buffer, compression: 'gzip' | 'brotli', limit: { maxOutputLength: number }): Buffer | Promise<Buffer> {
  const atOnce = limit.maxOutputLength <= AT_ONCE * 4;
  if (compression === 'brotli') return atOnce ? brotliDecompressSync(bytes, limit) : unbrotliAsync(bytes, limit);
  return atOnce ? gunzipSync(bytes, limit) : gunzipAsync(bytes, limit);
}
