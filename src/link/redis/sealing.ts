/**
 * What a store with a `secret` adds to a snapshot, so that whoever can write to Redis can't make readers believe anything:
 *
 *     the value      ends with the store's own seal over header and bytes (`stores/remote/seal.ts`), as every entry of the store does
 *     d  in the      the SHA-256 of the bytes
 *     s  meta hash   the seal over epoch, version, writer, time, freshness, length, codec and `d`
 *
 * Times and numbers are believed only with `s`, and bytes only with `d`. So an old snapshot under new numbers is refused, an old one under its own
 * numbers is older than what was seen, and a time that somebody made up is none. Here the times are the writer's reckoning of Redis's clock,
 * since Redis could not seal its own.
 */
import { createHash } from 'node:crypto';
import { WireFormatError } from '../../core/errors.js';
import { HEADER_BYTES, encodeEntry } from '../../wire/entry.js';
import { type RedisCache, sealIn } from '../../stores/redis/redis-cache.js';
import { SEAL_BYTES, type Seal } from '../../stores/remote/seal.js';

/** What is told of a snapshot beside its bytes, and sealed where there is a secret. */
export interface Numbers {
  readonly epoch: number;
  readonly version: number;
  /** The id of its writer; `''` for one without a lease. */
  readonly writer: string;
  /** When it was loaded or last confirmed, by Redis's clock: Unix milliseconds. */
  readonly at: number;
  /** Milliseconds. */
  readonly freshFor: number;
  readonly length: number;
  readonly codec: string;
  /** Of its bytes; `''` where it isn't sealed. */
  readonly digest: string;
}

export class Sealing {
  readonly #entry: Seal;
  readonly #numbers: Seal;
  readonly #name: string;

  /** @param name of the value, prefix and key */
  constructor(seal: Seal, name: string) {
    this.#entry = seal;
    this.#numbers = seal.as('snapshot');
    this.#name = name;
  }

  /** The seal that an entry with these bytes and times ends with. */
  tail(bytes: Uint8Array, { at, freshFor }: Pick<Numbers, 'at' | 'freshFor'>): Buffer {
    const header = encodeEntry(new Uint8Array(0), (at + freshFor) / 1000, at / 1000);
    return this.#entry.of(this.#name, header, bytes);
  }

  numbers(numbers: Numbers): string {
    return this.#numbers.of(this.#name, textOf(numbers)).toString('base64');
  }

  /** @throws WireFormatError for numbers that nobody sealed who has the secret */
  check(numbers: Numbers, seal: string): void {
    this.#numbers.open(this.#name, Buffer.concat([textOf(numbers), Buffer.from(seal, 'base64')]));
  }

  /** @throws WireFormatError for an entry that nobody sealed who has the secret */
  open(entry: Buffer): void {
    this.#entry.open(this.#name, entry);
  }

  /** What of an entry are its bytes. */
  bytesOf(entry: Buffer): Buffer {
    return entry.subarray(HEADER_BYTES, Math.max(HEADER_BYTES, entry.length - SEAL_BYTES));
  }
}

/** How many bytes follow those of a snapshot. */
export function tailBytes(sealing: Sealing | undefined): number {
  return sealing ? SEAL_BYTES : 0;
}

export function sealingOf(store: RedisCache, name: string): Sealing | undefined {
  const seal = sealIn(store);
  return seal && new Sealing(seal, name);
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Whether what is announced is sealed as it should be.
 *
 * @throws WireFormatError for numbers that aren't, and for sealed ones where there is no secret
 */
export function checkNumbers(sealing: Sealing | undefined, numbers: Numbers, seal: string): void {
  if (sealing) sealing.check(numbers, seal);
  else if (seal !== '') throw new WireFormatError('This snapshot is sealed, and this store has no `secret`');
}

function textOf({ epoch, version, writer, at, freshFor, length, codec, digest }: Numbers): Buffer {
  return Buffer.from(JSON.stringify([epoch, version, writer, at, freshFor === Infinity ? 'inf' : freshFor, length, codec, digest]));
}
