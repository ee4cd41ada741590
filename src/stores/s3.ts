import { randomUUID } from 'node:crypto';
import { refuse } from '../core/options.js';
import { loadPeer } from '../core/peer.js';
import { HEADER_BYTES } from '../wire/entry.js';
import { BucketError, type Condition, type FoundObject, type ObjectBucket, collect } from './objects/bucket.js';
import { LIFE } from './objects/life.js';
import { ObjectStore, type ObjectStoreOptions } from './objects/store.js';

/** What is called of an `S3Client` of `@aws-sdk/client-s3`. */
export interface S3ClientLike {
  // The SDK's commands have a type each, which this one must not know: `never` takes any of them.
  send(command: never, options?: { abortSignal?: AbortSignal }): Promise<unknown>;
}

export interface S3CacheOptions extends ObjectStoreOptions {
  /** An `S3Client`. Default: a new one, which finds its region and credentials in the environment, as the SDK does. */
  readonly client?: S3ClientLike;
}

/**
 * A store in a bucket of Amazon S3, or of what speaks its protocol: for large values, and for those that must outlive everything else.
 *
 * Costs: a request takes 10-100 ms and money. `get`, `set`, `exists` and `getEntry` are one each, `delete` two (a delete alone doesn't tell
 * whether there was an object), `setIfNotExists` one where it wins and two where it doesn't. Expired objects stay until the bucket's
 * lifecycle rule takes them. Needs the permission `s3:ListBucket`: without it S3 answers 403 for an absent key, which is a failure and no miss.
 *
 * @example
 * const store = new S3Cache({ bucket: 'my-cache', prefix: 'v1/', timeout: { read: '2s', write: '5s' } });
 */
export class S3Cache extends ObjectStore {
  /** @throws TypeError or RangeError for wrong options, MissingDependencyError where `@aws-sdk/client-s3` isn't installed */
  constructor(options: S3CacheOptions) {
    super('S3Cache', options, () => {
      const { client, bucket } = options;
      if (client !== undefined && typeof client?.send !== 'function') refuse('client', 'an S3Client', client);
      const sdk = loadPeer<Sdk>('@aws-sdk/client-s3', 'S3Cache');
      return new S3Bucket(sdk, client ?? new sdk.S3Client({}), bucket);
    });
  }
}

type Command = new (input: Readonly<Record<string, unknown>>) => never;

interface Sdk {
  readonly S3Client: new (config: object) => S3ClientLike;
  readonly GetObjectCommand: Command;
  readonly PutObjectCommand: Command;
  readonly CopyObjectCommand: Command;
  readonly HeadObjectCommand: Command;
  readonly DeleteObjectCommand: Command;
  readonly DeleteObjectsCommand: Command;
  readonly ListObjectsV2Command: Command;
}

interface Got {
  readonly Body: AsyncIterable<Uint8Array> & { destroy?(): void };
  readonly ETag?: string;
  readonly ContentLength?: number;
  readonly ContentRange?: string;
  readonly Metadata?: Readonly<Record<string, string>>;
}

/** What an error of the SDK says beside its message. */
interface Refusal {
  readonly name?: string;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string; readonly attempts?: number };
}

const CONTENT_TYPE = 'application/octet-stream';

/** Names one conditional write, so that it can be told from another's. */
const WRITER = 'advanced-caching-writer';

class S3Bucket implements ObjectBucket {
  readonly batch = 1000;
  readonly #sdk: Sdk;
  readonly #client: S3ClientLike;
  readonly #bucket: string;

  constructor(sdk: Sdk, client: S3ClientLike, bucket: string) {
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
  }

  async read(name: string, part: 'all' | 'header', maxBytes: number, signal: AbortSignal): Promise<FoundObject | undefined> {
    const range = part === 'header' ? { Range: `bytes=0-${HEADER_BYTES - 1}` } : {};
    let isEmpty = false;
    const got = await this.#sendUnless<Got>(this.#sdk.GetObjectCommand, { Key: name, ...range }, signal, (refusal) => {
      // An object without a single byte has no range.
      isEmpty = part === 'header' && status(refusal) === 416;
      return isEmpty || isAbsent(refusal);
    });
    // Asked for whole, so that the tag is that of the same bytes: it may have been replaced by now.
    if (!got) return isEmpty ? this.read(name, 'all', maxBytes, signal) : undefined;
    const { Body, ETag = '', ContentRange, Metadata } = got;
    const size = Number(ContentRange?.split('/')[1] ?? got.ContentLength);
    const found = { size, tag: ETag, life: Metadata?.[LIFE] };
    if (size > maxBytes) {
      Body.destroy?.();
      return found;
    }
    try {
      return { ...found, bytes: await collect(Body, part, maxBytes) };
    } catch (error) {
      throw plain(error as Refusal);
    }
  }

  async write(name: string, bytes: Uint8Array, condition: Condition | undefined, signal: AbortSignal): Promise<string | undefined> {
    const input = { Key: name, Body: bytes, ContentType: CONTENT_TYPE };
    if (condition === undefined) return (await this.#send<{ ETag?: string }>(this.#sdk.PutObjectCommand, input, signal)).ETag ?? '';

    const writer = randomUUID();
    let attempts = 1;
    const where = condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.tag };
    const put = await this.#sendUnless<{ ETag?: string }>(
      this.#sdk.PutObjectCommand,
      { ...input, ...where, Metadata: { [WRITER]: writer } },
      signal,
      (refusal) => {
        attempts = refusal.$metadata?.attempts ?? 1;
        return isUnmet(refusal) || (condition !== 'absent' && isAbsent(refusal));
      },
    );
    if (put) return put.ETag ?? '';
    // The SDK tried again after an answer that was lost: the object in its way may be what it wrote itself.
    if (attempts === 1) return undefined;
    const head = await this.#head(name, signal);
    return head?.Metadata?.[WRITER] === writer ? head.ETag : undefined;
  }

  async prolong(name: string, tag: string, life: string, signal: AbortSignal): Promise<string | undefined> {
    const copied = await this.#sendUnless<{ CopyObjectResult?: { ETag?: string } }>(
      this.#sdk.CopyObjectCommand,
      {
        Key: name,
        CopySource: `${this.#bucket}/${name.split('/').map(encodeURIComponent).join('/')}`,
        CopySourceIfMatch: tag,
        MetadataDirective: 'REPLACE',
        Metadata: { [LIFE]: life },
        ContentType: CONTENT_TYPE,
      },
      signal,
      (refusal) => isUnmet(refusal) || isAbsent(refusal),
    );
    return copied && (copied.CopyObjectResult?.ETag ?? '');
  }

  async remove(name: string, signal: AbortSignal): Promise<boolean> {
    if (!(await this.#head(name, signal))) return false;
    await this.#send(this.#sdk.DeleteObjectCommand, { Key: name }, signal);
    return true;
  }

  async removeMany(names: readonly string[], signal: AbortSignal): Promise<void> {
    const [first] = names;
    if (names.length === 1) {
      await this.#send(this.#sdk.DeleteObjectCommand, { Key: first }, signal);
      return;
    }
    const Delete = { Objects: names.map((Key) => ({ Key })), Quiet: true };
    const { Errors = [] } = await this.#send<{ Errors?: { Code?: string }[] }>(this.#sdk.DeleteObjectsCommand, { Delete }, signal);
    if (Errors.length > 0) throw new BucketError(Errors[0]?.Code ?? 'Unknown');
  }

  async list(prefix: string, from: string | undefined, signal: AbortSignal): Promise<{ names: string[]; next?: string }> {
    const input = { Prefix: prefix, ...(from === undefined ? {} : { ContinuationToken: from }) };
    const page = await this.#send<{ Contents?: { Key: string }[]; NextContinuationToken?: string }>(
      this.#sdk.ListObjectsV2Command,
      input,
      signal,
    );
    const names = (page.Contents ?? []).map(({ Key }) => Key);
    return page.NextContinuationToken === undefined ? { names } : { names, next: page.NextContinuationToken };
  }

  #head(name: string, signal: AbortSignal): Promise<Pick<Got, 'ETag' | 'Metadata'> | undefined> {
    return this.#sendUnless(this.#sdk.HeadObjectCommand, { Key: name }, signal, isAbsent);
  }

  async #send<T>(command: Command, input: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<T> {
    return (await this.#sendUnless<T>(command, input, signal, () => false)) as T;
  }

  /** `undefined` for a refusal that is an answer. */
  async #sendUnless<T>(
    command: Command,
    input: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
    isAnswer: (refusal: Refusal) => boolean,
  ): Promise<T | undefined> {
    try {
      return (await this.#client.send(new command({ Bucket: this.#bucket, ...input }), { abortSignal: signal })) as T;
    } catch (error) {
      if (isAnswer(error as Refusal)) return undefined;
      throw plain(error as Refusal);
    }
  }
}

function status(refusal: Refusal): number | undefined {
  return refusal.$metadata?.httpStatusCode;
}

/** A bucket that isn't there answers 404 as well: that is no miss. */
function isAbsent(refusal: Refusal): boolean {
  return status(refusal) === 404 && refusal.name !== 'NoSuchBucket';
}

/** 409: another conditional write of the object is under way. */
function isUnmet(refusal: Refusal): boolean {
  return status(refusal) === 412 || (status(refusal) === 409 && refusal.name === 'ConditionalRequestConflict');
}

function plain(refusal: Refusal): BucketError {
  if (refusal instanceof BucketError) return refusal;
  const code = typeof refusal.code === 'string' ? refusal.code : (refusal.name ?? 'Error');
  return new BucketError(code, status(refusal), refusal.$metadata?.requestId);
}
