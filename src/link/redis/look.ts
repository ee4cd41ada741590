/** The cheap question: what is in Redis now, without its bytes. One transaction, and so of one moment and of the master. */
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/clock.js';
import { SnapshotTooLargeError, StoreError, WireFormatError } from '../../core/errors.js';
import { HEADER_BYTES, decodeHeader, type EntryHeader } from '../../wire/entry.js';
import type { News } from '../ports.js';
import type { Transaction } from './client.js';
import { type Connection, READ_WITHIN, allowFor } from './connection.js';
import { causeOfAbort } from './failures.js';
import type { Names } from './names.js';
import { checkNumbers, digestOf, type Numbers, type Sealing, tailBytes } from './sealing.js';
import { ServerClock } from './server-clock.js';

/** What the meta hash says of the stored snapshot. */
export interface Meta extends Numbers {
  /** CRC32. */
  readonly checksum: number;
}

export interface Look {
  /** `undefined`: nobody announces this value. */
  readonly meta: Meta | undefined;
  /** The moments in front of the value; `undefined` where it doesn't begin with such. */
  readonly header: EntryHeader | undefined;
  /** Whether there is a value at all. */
  readonly exists: boolean;
  /** How many bytes the value has, its header and its seal excluded. */
  readonly length: number;
  /** Whether the value is the one that the meta hash tells of. Otherwise somebody wrote it without. */
  readonly matches: boolean;
  /** Tells one value from another where nobody announces. */
  readonly mark: string;
  /** Who has the lease, and for how many milliseconds still; `undefined` where nobody has it. */
  readonly lease: { readonly holder: string; readonly left: number } | undefined;
  /** What to add to a time of Redis to have it on this host's monotonic clock. */
  readonly offset: number;
}

const FIELDS = ['e', 'v', 'w', 'f', 'at', 'c', 'n', 'h', 'd', 's'];

/** What runs the question: a connection of the link's own, or the user's client. */
export type Asker = Pick<Connection, 'run'>;

/** Where to look, and what must be sealed there. */
export interface Place {
  readonly names: Names;
  readonly sealing: Sealing | undefined;
}

/** @param serverClock learns Redis's time by the way, and may know it better from earlier looks */
export async function look(
  connection: Asker,
  { names, sealing }: Place,
  clock: Clock,
  serverClock: ServerClock = new ServerClock(),
): Promise<Look> {
  let sent = 0;
  const [fields, head, size, holder, left, time] = await connection.run('poll', READ_WITHIN, (client) => {
    const transaction = client.multi();
    transaction.hmget(names.meta, ...FIELDS);
    transaction.getrangeBuffer(names.value, 0, HEADER_BYTES - 1);
    transaction.strlen(names.value);
    transaction.get(names.lease);
    transaction.pttl(names.lease);
    transaction.time();
    sent = clock.monotonic();
    return results(transaction);
  });
  const [seconds, micros] = time as [string, string];
  serverClock.learn(sent, Number(seconds) * 1000 + Number(micros) / 1000, clock.monotonic());
  const meta = parseMeta(fields as (string | null)[], sealing);
  const header = parseHeader(head as Buffer);
  const length = Number(size) - HEADER_BYTES - tailBytes(sealing);
  return {
    meta,
    header,
    exists: Number(size) > 0,
    length,
    matches: meta !== undefined && header !== undefined && Math.round(header.createdAt * 1000) === meta.at && length === meta.length,
    mark: `${(head as Buffer).toString('hex')} ${length}`,
    lease: typeof holder === 'string' ? { holder, left: Math.max(0, Number(left)) } : undefined,
    offset: serverClock.offset as number,
  };
}

export interface Pulled {
  readonly meta: Meta | undefined;
  readonly header: EntryHeader;
  readonly bytes: Buffer;
  /** All that is stored: the header, the bytes, and a seal. */
  readonly entry: Buffer;
}

/**
 * What is stored, with its bytes, which are the caller's.
 *
 * @param expected how many bytes are there, as far as is known
 * @throws WireFormatError for bytes that aren't what the meta hash tells of; SnapshotTooLargeError past `maxBytes`, before anything is fetched
 */
export async function pull(
  connection: Connection,
  { names, sealing }: Place,
  expected: number,
  maxBytes: number,
): Promise<Pulled | undefined> {
  if (expected > maxBytes) throw tooLarge(expected, maxBytes);
  const [fields, value] = await connection.run('pull', READ_WITHIN + allowFor(expected), (client) => {
    const transaction = client.multi();
    transaction.hmget(names.meta, ...FIELDS);
    // It may have grown since: one byte more than allowed shows it, and is all that is fetched.
    transaction.getrangeBuffer(names.value, 0, HEADER_BYTES + maxBytes + tailBytes(sealing));
    return results(transaction);
  });
  const entry = value as Buffer;
  const meta = parseMeta(fields as (string | null)[], sealing);
  if (entry.length === 0) return undefined;
  const header = decodeHeader(entry);
  const bytes = sealing ? sealing.bytesOf(entry) : entry.subarray(HEADER_BYTES);
  if (bytes.length > maxBytes) throw tooLarge(meta?.length ?? bytes.length, maxBytes);
  return { meta, header, bytes, entry };
}

/** @throws WireFormatError unless these are the bytes that `meta` tells of */
export function verify(meta: Meta, bytes: Uint8Array): void {
  if (bytes.length !== meta.length)
    throw new WireFormatError(`This snapshot should have ${meta.length} bytes, and has ${bytes.length}: it was cut or overwritten`);
  if (crc32(bytes) !== meta.checksum) throw new WireFormatError(`This snapshot of ${meta.length} bytes is corrupt: its checksum differs`);
  if (meta.digest !== '' && digestOf(bytes) !== meta.digest)
    throw new WireFormatError(`This snapshot of ${meta.length} bytes is not the one that was sealed: somebody has changed it`);
}

function tooLarge(bytes: number, maxBytes: number): SnapshotTooLargeError {
  return new SnapshotTooLargeError(`This snapshot has ${bytes} bytes, more than \`maxBytes\` (${maxBytes})`);
}

async function results(transaction: Transaction): Promise<unknown[]> {
  const replies = await transaction.exec().catch((thrown: unknown) => {
    throw causeOfAbort(thrown);
  });
  if (!replies) throw new StoreError('Redis gave no reply');
  return replies.map(([error, result]) => {
    if (error) throw error;
    return result;
  });
}

function parseHeader(head: Buffer): EntryHeader | undefined {
  try {
    return decodeHeader(head);
  } catch {
    return undefined;
  }
}

/** @throws WireFormatError for fields that no writer gives, or no writer that has the secret */
function parseMeta(fields: readonly (string | null)[], sealing: Sealing | undefined): Meta | undefined {
  const [e, v, w, f, at, c, n, h, d, s] = fields;
  // A lease was granted, and nothing published yet.
  if (e === null || e === undefined) return undefined;
  const meta: Meta = {
    epoch: Number(e),
    version: Number(v),
    writer: w ?? '',
    freshFor: f === 'inf' ? Infinity : Number(f),
    at: Number(at),
    codec: c ?? '',
    length: Number(n),
    checksum: Number(h),
    digest: d ?? '',
  };
  const { epoch, version, length, checksum } = meta;
  if (![epoch, version, meta.at, length, checksum].every((x) => Number.isSafeInteger(x) && x >= 0) || !(meta.freshFor >= 0))
    throw new WireFormatError('The meta hash of this snapshot holds what no writer gives');
  checkNumbers(sealing, meta, s ?? '');
  return meta;
}

const NEWS = /^(\d{1,16}):(\d{1,16}):(\d{1,16})$/;
/** What a writer says that gives the lease up. */
export const FREE = 'free';

/** An announcement; `undefined` for anything else. */
export function parseNews(message: string): (News & { readonly at: number }) | undefined {
  const match = NEWS.exec(message);
  return match ? { epoch: Number(match[1]), version: Number(match[2]), at: Number(match[3]) } : undefined;
}
