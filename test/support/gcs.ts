/**
 * The part of the JSON API of Google Cloud Storage that `GCSCache` and the SDK's simple uploads and downloads use, as its reference has it:
 * generations, metagenerations, preconditions, ranges, pages of at most 1,000 names.
 */
import { CRC32C, Storage, type StorageOptions } from '@google-cloud/storage';
import { type Answer, type Asked, type ObjectServer, type StoredObject, objectServer, ranged } from './object-server.js';
import type { Scope } from './process.js';

export const GCS_BUCKET = 'cache-bucket';

export async function gcsServer(scope: Scope): Promise<ObjectServer> {
  let generation = 1_700_000_000_000_000;
  return objectServer(scope, (asked, objects) => answer(asked, objects, () => String(++generation)));
}

/** The real client, on the server: nothing is authenticated, as with any other emulator. */
export function gcsClient(server: Pick<ObjectServer, 'url'>, options: StorageOptions = {}): Storage {
  return new Storage({ apiEndpoint: server.url, projectId: 'test', retryOptions: { autoRetry: false }, ...options });
}

export function gcsError(status: number, reason: string, message: string = reason): Answer {
  return json(status, { error: { code: status, message, errors: [{ domain: 'global', reason, message }] } });
}

function json(status: number, body: unknown): Answer {
  return { status, headers: { 'content-type': 'application/json; charset=UTF-8' }, body: JSON.stringify(body) };
}

function answer(asked: Asked, objects: Map<string, StoredObject>, nextGeneration: () => string): Answer {
  const { method, path, query, headers, body } = asked;
  const match = /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/([^/]+))?$/.exec(path);
  if (!match) return gcsError(404, 'notFound', 'Not Found');
  const [, upload, bucket = '', encoded] = match;
  if (decodeURIComponent(bucket) !== GCS_BUCKET) return gcsError(404, 'notFound', 'The specified bucket does not exist.');
  if (upload !== undefined) return put(asked, objects, nextGeneration);
  if (encoded === undefined) return list(query, objects);
  const name = decodeURIComponent(encoded);
  const object = objects.get(name);
  if (!object) return { status: 404, headers: { 'content-type': 'text/html' }, body: `No such object: ${GCS_BUCKET}/${name}` };
  if (!isMet(query, object)) return gcsError(412, 'conditionNotMet');
  switch (method) {
    case 'GET': {
      if (query.get('alt') !== 'media') return json(200, described(name, object));
      const part = ranged(object.bytes, headers.range);
      // Custom metadata do not come along: https://pkg.go.dev/cloud.google.com/go/storage#Reader.Metadata
      const about = {
        'content-type': object.contentType,
        'x-goog-generation': object.tag,
        'x-goog-metageneration': String(object.metageneration),
        'x-goog-stored-content-length': String(object.bytes.length),
        'x-goog-stored-content-encoding': 'identity',
        'x-goog-hash': `crc32c=${checksumOf(object.bytes)}`,
      };
      return { status: part.status, headers: { ...about, ...part.headers }, body: part.bytes };
    }
    case 'PATCH': {
      const { metadata = {} } = JSON.parse(body.toString()) as { metadata?: Record<string, string> };
      Object.assign(object.metadata, metadata);
      object.metageneration++;
      return json(200, described(name, object));
    }
    case 'DELETE':
      objects.delete(name);
      return { status: 204 };
    default:
      return gcsError(405, 'methodNotAllowed');
  }
}

function put({ query, headers, body }: Asked, objects: Map<string, StoredObject>, nextGeneration: () => string): Answer {
  const name = query.get('name') ?? '';
  if (name === '' || Buffer.byteLength(name) > 1024) return gcsError(400, 'invalid');
  if (!isMet(query, objects.get(name))) return gcsError(412, 'conditionNotMet');
  const contentType = headers['content-type'] ?? 'application/octet-stream';
  let bytes = body;
  if (query.get('uploadType') === 'multipart') {
    const boundary = /boundary=([^;]+)/.exec(contentType)?.[1];
    // The second part, without the headers before it and the end of line behind it.
    const part = body.subarray(body.indexOf(`--${boundary}`, 1));
    bytes = part.subarray(part.indexOf('\r\n\r\n') + 4, part.lastIndexOf(`\r\n--${boundary}--`));
  } else if (query.get('uploadType') !== 'media') return gcsError(501, 'notImplemented');
  const object = { bytes, tag: nextGeneration(), contentType, metadata: {}, metageneration: 1 };
  objects.set(name, object);
  return json(200, described(name, object));
}

function isMet(query: URLSearchParams, object: StoredObject | undefined): boolean {
  const wanted = query.get('ifGenerationMatch');
  return wanted === null || wanted === (object?.tag ?? '0');
}

function described(name: string, { tag, bytes, metadata, metageneration, contentType }: StoredObject): object {
  return {
    name,
    bucket: GCS_BUCKET,
    generation: tag,
    metageneration: String(metageneration),
    size: String(bytes.length),
    contentType,
    metadata,
  };
}

function list(query: URLSearchParams, objects: Map<string, StoredObject>): Answer {
  const from = query.get('pageToken') ?? '';
  const names = [...objects.keys()].filter((name) => name.startsWith(query.get('prefix') ?? '') && name > from).sort();
  const page = names.slice(0, Math.min(Number(query.get('maxResults') ?? 1000), 1000));
  const next = page.length < names.length ? { nextPageToken: page.at(-1) } : {};
  return json(200, { ...(page.length > 0 ? { items: page.map((name) => ({ name })) } : {}), ...next });
}

const checksums = new WeakMap<Buffer, string>();

function checksumOf(bytes: Buffer): string {
  let checksum = checksums.get(bytes);
  if (checksum === undefined) {
    const crc = new CRC32C();
    crc.update(bytes);
    checksums.set(bytes, (checksum = crc.toString()));
  }
  return checksum;
}
