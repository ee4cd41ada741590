/**
 * The seal of what a store with a `secret` keeps: its last 32 bytes, an HMAC-SHA256 of
 *
 *     'advanced-caching.' and the kind ('entry', 'file', 'snapshot') and '.1', a zero byte
 *     the length of the name in bytes, uint32 big-endian
 *     the name that it is kept under, in UTF-8: key and prefix
 *     every byte before the seal
 *
 * So bytes that somebody changed, made up, or moved to another name don't fit it. What was sealed for this name and put back later does: an old
 * entry, as long as its own sealed times say.
 */
import { type KeyObject, createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { WireFormatError } from '../../core/errors.js';

export const SEAL_BYTES = 32;

const MIN_SECRET_BYTES = 16;

/** A text, which counts in UTF-8, or bytes: 16 or more. */
export type Secret = string | Uint8Array;

/** What an option called `secret` takes: of several the first one seals, and all are accepted. */
export type SecretOption = Secret | readonly Secret[];

/** So that a seal of one is none of another. `snapshot`: the numbers and times of what is announced (`link/redis/sealing.ts`). */
type Kind = 'entry' | 'file' | 'snapshot';

export class Seal {
  readonly #prefix: Buffer;
  readonly #keys: readonly [KeyObject, ...KeyObject[]];

  constructor(kind: Kind, keys: readonly [KeyObject, ...KeyObject[]]) {
    this.#prefix = Buffer.from(`advanced-caching.${kind}.1\0`);
    this.#keys = keys;
  }

  /** The same secrets, for something else. */
  as(kind: Kind): Seal {
    return new Seal(kind, this.#keys);
  }

  /** The seal of `parts`, one after the other, under this name. */
  of(name: string, ...parts: readonly Uint8Array[]): Buffer {
    return this.#by(this.#keys[0], name, parts);
  }

  /**
   * The bytes before the seal.
   *
   * @throws WireFormatError for bytes that none of the secrets sealed under this name
   */
  open<T extends Uint8Array>(name: string, bytes: T): T {
    const end = bytes.byteLength - SEAL_BYTES;
    if (end >= 0) {
      // Of a Buffer it is a Buffer.
      const sealed = bytes.subarray(0, end) as T;
      const seal = bytes.subarray(end);
      for (const key of this.#keys) if (timingSafeEqual(this.#by(key, name, [sealed]), seal)) return sealed;
    }
    throw new WireFormatError(
      `These ${bytes.byteLength} bytes are not sealed with the secret of this store, for the key they were found under`,
    );
  }

  #by(key: KeyObject, name: string, parts: readonly Uint8Array[]): Buffer {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(name));
    const hmac = createHmac('sha256', key).update(this.#prefix).update(length).update(name);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  }
}

/**
 * An `undefined` that was given is no secret, and not the same as none: it is an environment variable that isn't set.
 *
 * @throws TypeError for what is no secret, RangeError for one that is too short or for none; no message holds any of it
 */
export function sealOf(kind: 'entry' | 'file', options: { readonly secret?: SecretOption }): Seal | undefined {
  if (!('secret' in options)) return undefined;
  const { secret } = options;
  const [first, ...others] = Array.isArray(secret) ? (secret as readonly Secret[]).map(keyOf) : [keyOf(secret as Secret)];
  if (!first) throw new RangeError('Expected `secret` to be one secret or more, got an empty array');
  return new Seal(kind, [first, ...others]);
}

function keyOf(secret: unknown): KeyObject {
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
    throw new TypeError(`Expected \`secret\` to be a string, a Uint8Array, or an array of them, got a value of type ${typeof secret}`);
  }
  const bytes = Buffer.from(secret);
  if (bytes.length < MIN_SECRET_BYTES) {
    throw new RangeError(`Expected \`secret\` to have ${MIN_SECRET_BYTES} bytes or more, got ${bytes.length}`);
  }
  return createSecretKey(bytes);
}
