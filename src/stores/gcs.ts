import { refuse } from '../core/options.js';
import { loadPeer } from '../core/peer.js';
import { HEADER_BYTES } from '../wire/entry.js';
import { BucketError, type Condition, type FoundObject, type ObjectBucket, collect } from './objects/bucket.js';
import { each } from './objects/each.js';
import { LIFE } from './objects/life.js';
import { ObjectStore, type ObjectStoreOptions } from './objects/store.js';

/** What is used of a `Storage` of `@google-cloud/storage`: where the service is, and the right to use it. */
export interface GCSClientLike {
  readonly baseUrl: string;
  readonly apiEndpoint: string;
  /** Set for an emulator: nothing is authenticated then, as in the SDK. */
  readonly customEndpoint?: boolean;
  readonly useAuthWithCustomEndpoint?: boolean | undefined;
  readonly authClient: { getRequestHeaders(url?: string): Promise<Headers | object> };
}

export interface GCSCacheOptions extends ObjectStoreOptions {
  /** A `Storage`. Default: a new one, which finds its credentials in the environment, as the SDK does. */
  readonly client?: GCSClientLike;
}

/**
 * A store in a bucket of Google Cloud Storage: for large values, and for those that must outlive everything else.
 *
 * The SDK's `Storage` gives the endpoint and the credentials. The requests are the store's own, by `fetch`: those of the SDK can be neither
 * aborted nor given a deadline, so that a server that hangs would hold on to them.
 *
 * Costs: a request takes 10-100 ms and money. `get`, `set`, `delete`, `exists` and `getEntry` are one each, `setIfNotExists` one where it
 * wins and two where it doesn't. An entry whose life `dedupeWrites` prolonged takes two to read, since a download doesn't bring the metadata
 * along. Expired objects stay until the bucket's lifecycle rule takes them.
 *
 * @example
 * const store = new GCSCache({ bucket: 'my-cache', prefix: 'v1/', timeout: { read: '2s', write: '5s' } });
 */
export class GCSCache extends ObjectStore {
  /** @throws TypeError or RangeError for wrong options, MissingDependencyError where `@google-cloud/storage` isn't installed and no `client` is given */
  constructor(options: GCSCacheOptions) {
    super('GCSCache', options, () => {
      const { client, bucket } = options;
      if (client !== undefined && !isClient(client)) refuse('client', 'a Storage', client);
      return new GCSBucket(client ?? connect(), bucket);
    });
  }
}

function connect(): GCSClientLike {
  const sdk = loadPeer<{ readonly Storage: new () => GCSClientLike }>('@google-cloud/storage', 'GCSCache');
  return new sdk.Storage();
}

function isClient(client: GCSClientLike | null): boolean {
  return (
    typeof client?.baseUrl === 'string' &&
    typeof client.apiEndpoint === 'string' &&
    typeof client.authClient?.getRequestHeaders === 'function'
  );
}

/** What is asked of the JSON API: https://cloud.google.com/storage/docs/json_api/v1 */
interface Ask {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** The statuses that are answers besides 2xx. 404 is one only where it speaks of the object, not of the bucket. */
  readonly answers?: readonly number[];
}

const WIDTH = 32;
const NO_BUCKET = /bucket does not exist/i;

class GCSBucket implements ObjectBucket {
  readonly batch = 100;
  readonly #client: GCSClientLike;
  readonly #objects: string;
  readonly #uploads: string;

  constructor(client: GCSClientLike, bucket: string) {
    this.#client = client;
    const path = `b/${encodeURIComponent(bucket)}/o`;
    this.#objects = `${client.baseUrl.replace(/\/$/, '')}/${path}`;
    this.#uploads = `${client.apiEndpoint.replace(/\/$/, '')}/upload/storage/v1/${path}`;
  }

  async read(name: string, part: 'all' | 'header', maxBytes: number, signal: AbortSignal): Promise<FoundObject | undefined> {
    const response = await this.#ask(this.#url(name), signal, {
      query: { alt: 'media' },
      // What others stored compressed is inflated by the service, if at all, and counted as it comes.
      headers: { 'accept-encoding': 'identity', ...(part === 'header' ? { range: `bytes=0-${HEADER_BYTES - 1}` } : {}) },
      answers: part === 'header' ? [404, 416] : [404],
    });
    const { headers } = response;
    if (response.status === 404) return undefined;
    // An object without a single byte has no range. Asked for whole, so that the tag is that of the same bytes.
    if (response.status === 416) return this.read(name, 'all', maxBytes, signal);
    const tag = headers.get('x-goog-generation') ?? '';
    const size = Number(
      headers.get('content-range')?.split('/')[1] ?? headers.get('x-goog-stored-content-length') ?? headers.get('content-length'),
    );
    if (size > maxBytes) {
      await response.body?.cancel();
      return { size, tag };
    }
    let bytes: Buffer | undefined;
    try {
      bytes = await collect(response.body as unknown as AsyncIterable<Uint8Array>, part, maxBytes);
    } catch (error) {
      throw plain(error);
    }
    // The first metageneration has no metadata of ours: `write` sets none.
    const isProlonged = (headers.get('x-goog-metageneration') ?? '1') !== '1';
    if (!isProlonged) return { size, tag, bytes };
    const metadata = await this.#metadata(name, signal);
    return { size, tag, bytes, life: metadata.generation === tag ? metadata.metadata?.[LIFE] : undefined };
  }

  async write(name: string, bytes: Uint8Array, condition: Condition | undefined, signal: AbortSignal): Promise<string | undefined> {
    const match: Record<string, string> =
      condition === undefined ? {} : { ifGenerationMatch: condition === 'absent' ? '0' : condition.tag };
    const response = await this.#ask(this.#uploads, signal, {
      method: 'POST',
      query: { uploadType: 'media', name, fields: 'generation', ...match },
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
      answers: condition === undefined ? [] : [404, 412],
    });
    if (!response.ok) return undefined;
    return ((await response.json()) as { generation: string }).generation;
  }

  async prolong(name: string, tag: string, life: string, signal: AbortSignal): Promise<string | undefined> {
    const response = await this.#ask(this.#url(name), signal, {
      method: 'PATCH',
      query: { ifGenerationMatch: tag, fields: 'generation' },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ metadata: { [LIFE]: life } }),
      answers: [404, 412],
    });
    if (!response.ok) return undefined;
    await response.arrayBuffer();
    return tag;
  }

  async remove(name: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#ask(this.#url(name), signal, { method: 'DELETE', answers: [404] })).ok;
  }

  async removeMany(names: readonly string[], signal: AbortSignal): Promise<void> {
    await each(names, WIDTH, async (name) => {
      await this.remove(name, signal);
    });
  }

  async list(prefix: string, from: string | undefined, signal: AbortSignal): Promise<{ names: string[]; next?: string }> {
    const query = { prefix, fields: 'items(name),nextPageToken', ...(from === undefined ? {} : { pageToken: from }) };
    const response = await this.#ask(this.#objects, signal, { query });
    const page = (await response.json()) as { items?: { name: string }[]; nextPageToken?: string };
    const names = (page.items ?? []).map((item) => item.name);
    return page.nextPageToken === undefined ? { names } : { names, next: page.nextPageToken };
  }

  #url(name: string): string {
    return `${this.#objects}/${encodeURIComponent(name)}`;
  }

  /** Nothing but empty words where the object went in between. */
  async #metadata(name: string, signal: AbortSignal): Promise<{ generation: string; metadata?: Readonly<Record<string, string>> }> {
    const response = await this.#ask(this.#url(name), signal, { query: { fields: 'generation,metadata' }, answers: [404] });
    return response.ok ? ((await response.json()) as { generation: string }) : { generation: '' };
  }

  async #credentials(url: string): Promise<Record<string, string>> {
    try {
      // A plain object in older versions of the SDK; `Headers` takes both.
      return (await this.#client.authClient.getRequestHeaders(url)) as Record<string, string>;
    } catch (error) {
      throw new BucketError(`no credentials: ${plain(error).code}`);
    }
  }

  /** The bodies of refusals that are answers have been read. */
  async #ask(url: string, signal: AbortSignal, { method = 'GET', query = {}, headers = {}, body, answers = [] }: Ask): Promise<Response> {
    const { customEndpoint, useAuthWithCustomEndpoint } = this.#client;
    const isOpen = customEndpoint === true && useAuthWithCustomEndpoint !== true;
    const target = `${url}?${new URLSearchParams(query).toString()}`;
    const all = new Headers(isOpen ? {} : await this.#credentials(url));
    for (const [header, value] of Object.entries(headers)) all.set(header, value);
    let response: Response;
    try {
      response = await fetch(target, { method, headers: all, signal, ...(body === undefined ? {} : { body }) });
    } catch (error) {
      throw plain(error);
    }
    if (response.ok) return response;
    const text = await response.text();
    if (answers.includes(response.status) && !(response.status === 404 && NO_BUCKET.test(text))) return response;
    throw new BucketError(reasonIn(text) ?? 'Refused', response.status, response.headers.get('x-guploader-uploadid') ?? undefined);
  }
}

/** The word that Google's JSON errors give as a reason. */
function reasonIn(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { errors?: { reason?: unknown }[] } };
    const reason = error?.errors?.[0]?.reason;
    return typeof reason === 'string' && /^\w{1,60}$/.test(reason) ? reason : undefined;
  } catch {
    return undefined;
  }
}

function plain(thrown: unknown): BucketError {
  if (thrown instanceof BucketError) return thrown;
  const { name, code, cause } = thrown as { name?: string; code?: unknown; cause?: { code?: unknown } };
  // `fetch` fails with a TypeError, and says why in its cause.
  const why = [cause?.code, code].find((word) => typeof word === 'string');
  return new BucketError((why as string | undefined) ?? name ?? 'Error');
}
