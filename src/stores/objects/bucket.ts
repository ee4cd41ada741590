import { HEADER_BYTES } from '../../wire/entry.js';

/**
 * What a store asks of a bucket: the port that each provider fills. Every method is told a signal, and rejects once it is aborted;
 * "there is none" and "the condition does not hold" are answers, and never rejections.
 */
export interface ObjectBucket {
  /**
   * The object, or its first bytes. Where it is larger than `maxBytes` nothing is downloaded: `bytes` is absent.
   *
   * @param part `'header'` for the first 16 bytes (or fewer, where there aren't as many)
   */
  read(name: string, part: 'all' | 'header', maxBytes: number, signal: AbortSignal): Promise<FoundObject | undefined>;
  /** Writes the object whole. Answers its new tag, or `undefined` where the condition does not hold. */
  write(name: string, bytes: Uint8Array, condition: Condition | undefined, signal: AbortSignal): Promise<string | undefined>;
  /**
   * Writes `life` beside the object's bytes, if these are still what `tag` names; nothing is uploaded. Answers the tag, or `undefined`
   * where they are not.
   */
  prolong(name: string, tag: string, life: string, signal: AbortSignal): Promise<string | undefined>;
  /** Answers whether there was one. */
  remove(name: string, signal: AbortSignal): Promise<boolean>;
  /** How many names `removeMany` takes, so that it keeps a deadline. */
  readonly batch: number;
  /** Rejects where any one of them stays. */
  removeMany(names: readonly string[], signal: AbortSignal): Promise<void>;
  /** One page of the names that begin with `prefix`; `next` where there are more. */
  list(prefix: string, from: string | undefined, signal: AbortSignal): Promise<{ readonly names: string[]; readonly next?: string }>;
}

export interface FoundObject {
  /** How many bytes the whole object has. */
  readonly size: number;
  /** Changes whenever the bytes do: an ETag, a generation. */
  readonly tag: string;
  readonly bytes?: Buffer | undefined;
  /** What `prolong` wrote. */
  readonly life?: string | undefined;
}

/** Write only where there is no object, or only over the bytes that `tag` names. */
export type Condition = 'absent' | { readonly tag: string };

/**
 * A provider's refusal, without its message: that one may quote the name of an object, which is a key. The request's id is what its
 * support asks for.
 */
export class BucketError extends Error {
  readonly code: string;

  constructor(code: string, status?: number, requestId?: string) {
    super(`${code}${status === undefined ? '' : ` (HTTP ${status})`}${requestId === undefined ? '' : `, request ${requestId}`}`);
    this.name = 'BucketError';
    this.code = code;
  }
}

/**
 * The first bytes of a stream, at most `limit`; `undefined` where there are more and all were asked for. What isn't wanted is not waited
 * for, whatever length the server named.
 */
export async function collect(stream: AsyncIterable<Uint8Array>, part: 'all' | 'header', limit: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (part === 'header' && size >= HEADER_BYTES) return Buffer.concat(chunks, HEADER_BYTES);
    if (size > limit) return undefined;
  }
  return Buffer.concat(chunks, size);
}
