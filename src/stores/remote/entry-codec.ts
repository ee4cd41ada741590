import type { CacheEntry } from '../../core/entry.js';
import { AdvancedCachingError, SerializationError, StoreError, WireFormatError } from '../../core/errors.js';
import { refuse } from '../../core/options.js';
import { report, toError } from '../../core/report.js';
import type { Serializer } from '../../core/serializer.js';
import type { OnFault } from '../../core/store.js';
import { json } from '../../serializers/json.js';
import { type EntryHeader, HEADER_BYTES, decodeEntry, decodeHeader, encodeEntry } from '../../wire/entry.js';
import type { RemoteSettings } from './options.js';
import { SEAL_BYTES, type Seal } from './seal.js';

type CodecSettings = Pick<RemoteSettings, 'serializer' | 'seal' | 'maxBytes' | 'onError'>;

/**
 * Entries as the bytes that a store keeps, and back, sealed where the store has a secret. Reading never throws: what is no entry is told as a
 * fault, and answered as absent. `name` is the whole one that the bytes are kept under.
 */
export class EntryCodec {
  /** How many bytes follow an entry: its seal, or none. */
  readonly sealBytes: number;
  readonly #store: string;
  readonly #serializer: Serializer;
  readonly #seal: Seal | undefined;
  readonly #maxBytes: number;
  readonly #onError: CodecSettings['onError'];
  readonly #mayAlias: boolean;

  constructor(store: string, { serializer, seal, maxBytes, onError }: CodecSettings) {
    this.#store = store;
    this.#serializer = serializer;
    this.#seal = seal;
    this.sealBytes = seal ? SEAL_BYTES : 0;
    this.#maxBytes = maxBytes;
    this.#onError = onError;
    this.#mayAlias = serializer !== json && serializer.name !== 'msgpack';
  }

  /** The serialized value alone: what `dedupeWrites` compares. @throws SerializationError, or what a serializer of the user's throws */
  payload(value: unknown): Uint8Array {
    const bytes: unknown = this.#serializer.dumps(value);
    if (!(bytes instanceof Uint8Array)) throw new SerializationError('Expected `dumps` of the serializer to answer a Uint8Array');
    return bytes;
  }

  /** @throws StoreError for an entry of more than `maxBytes`, TypeError for moments that aren't numbers */
  encode(name: string, payload: Uint8Array, freshUntil: number, createdAt: number): Buffer {
    if (typeof freshUntil !== 'number' || Number.isNaN(freshUntil)) refuse('entry.freshUntil', 'a Unix time in seconds', freshUntil);
    if (typeof createdAt !== 'number' || Number.isNaN(createdAt)) refuse('entry.createdAt', 'a Unix time in seconds', createdAt);
    const size = HEADER_BYTES + payload.byteLength + this.sealBytes;
    if (size > this.#maxBytes) throw new StoreError(`${this.#store} takes entries of at most ${this.#maxBytes} bytes, got one of ${size}`);
    const bytes = encodeEntry(payload, freshUntil, createdAt);
    return this.#seal ? Buffer.concat([bytes, this.#seal.of(name, bytes)], size) : bytes;
  }

  /** The entry in these bytes, or `undefined` where there is none (`null`, too). */
  decode(name: string, bytes: Uint8Array | null | undefined, onFault?: OnFault): CacheEntry | undefined {
    if (bytes === null || bytes === undefined) return undefined;
    try {
      const { freshUntil, createdAt, payload } = decodeEntry(this.#open(name, bytes));
      return { value: this.#load(payload), freshUntil, createdAt };
    } catch (error) {
      return this.fault(toError(error), onFault);
    }
  }

  /** The value in these bytes if it is fresh at `now` (seconds); what isn't is not decoded. */
  decodeFresh(name: string, bytes: Uint8Array | null | undefined, now: number, onFault?: OnFault): { readonly value: unknown } | undefined {
    if (bytes === null || bytes === undefined) return undefined;
    try {
      const entry = decodeEntry(this.#open(name, bytes));
      return now < entry.freshUntil ? { value: this.#load(entry.payload) } : undefined;
    } catch (error) {
      return this.fault(toError(error), onFault);
    }
  }

  /** The two moments: of the first 16 bytes, or of all of them where they are sealed. @throws WireFormatError */
  decodeHeader(name: string, bytes: Uint8Array): EntryHeader {
    return decodeHeader(this.#seal ? this.#open(name, bytes) : bytes);
  }

  /** For sizes that are known before the bytes are fetched or inflated. @throws WireFormatError */
  checkSize(size: number): void {
    if (size > this.#maxBytes)
      throw new WireFormatError(`${this.#store} found an entry of ${size} bytes; at most ${this.#maxBytes} are read`);
  }

  /** Tells whom it concerns, once, that what was found is no entry. Answers what an absent key would. */
  fault(error: Error, onFault: OnFault | undefined): undefined {
    const isReported = this.#onError !== undefined;
    if (isReported) report(error, this.#onError, this.#store);
    if (onFault) onFault(error, isReported);
    else if (!isReported) report(error, undefined, `advanced-caching: ${this.#store} found what is no entry`);
  }

  #open(name: string, bytes: Uint8Array): Uint8Array {
    this.checkSize(bytes.byteLength);
    return this.#seal ? this.#seal.open(name, bytes) : bytes;
  }

  #load(payload: Uint8Array): unknown {
    // A client's bytes are a part of what it reads into; typed arrays decoded in place would keep all of that, or change with it.
    const own = this.#mayAlias ? new Uint8Array(payload) : payload;
    try {
      return this.#serializer.loads(own);
    } catch (error) {
      // The message of a serializer that isn't ours may quote the value.
      const options = AdvancedCachingError.is(error) ? { cause: error } : undefined;
      const by = this.#serializer.name ?? 'the serializer';
      throw new WireFormatError(`${this.#store} found ${payload.byteLength} bytes that ${by} can't read`, options);
    }
  }
}
