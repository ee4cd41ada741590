/**
 * The part of S3 that `S3Cache` uses, as the API's reference has it: objects with ETags and metadata, conditional writes, copies, ranges,
 * pages of at most 1,000 names, batch deletes. Addressed by path; signatures are not checked.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { type Answer, type Asked, type ObjectServer, type StoredObject, objectServer, ranged } from './object-server.js';
import type { Scope } from './process.js';

export const S3_BUCKET = 'cache-bucket';
export const S3_SECRET = 'canary-of-a-secret-key';

export async function s3Server(scope: Scope): Promise<ObjectServer> {
  return objectServer(scope, answer);
}

/** The real client, on the server. */
export function s3Client(scope: Scope, server: Pick<ObjectServer, 'url'>, config: S3ClientConfig = {}): S3Client {
  const client = new S3Client({
    endpoint: server.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: S3_SECRET },
    maxAttempts: 1,
    ...config,
  });
  scope.teardown(() => client.destroy());
  return client;
}

export function s3Error(status: number, code: string, message: string = code): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>R1</RequestId></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body };
}

function answer(asked: Asked, objects: Map<string, StoredObject>): Answer {
  const { method, path, query, headers, body } = asked;
  const [, bucket = '', ...segments] = path.split('/');
  if (decodeURIComponent(bucket) !== S3_BUCKET) return s3Error(404, 'NoSuchBucket');
  const key = decodeURIComponent(segments.join('/'));
  if (key === '') {
    if (method === 'GET' && query.get('list-type') === '2') return list(query, objects);
    if (method === 'POST' && query.has('delete')) return removeMany(body, objects);
    return s3Error(501, 'NotImplemented');
  }
  if (Buffer.byteLength(key) > 1024) return s3Error(400, 'KeyTooLongError');
  const object = objects.get(key);
  switch (method) {
    case 'PUT':
      return put(asked, key, objects);
    case 'GET':
    case 'HEAD': {
      if (!object) return s3Error(404, 'NoSuchKey');
      const part = ranged(object.bytes, headers.range);
      if (part.status === 416) return { ...s3Error(416, 'InvalidRange'), headers: part.headers };
      const meta = Object.fromEntries(Object.entries(object.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]));
      return {
        status: part.status,
        headers: { etag: object.tag, 'content-type': object.contentType, ...part.headers, ...meta },
        body: part.bytes,
      };
    }
    case 'DELETE':
      objects.delete(key);
      return { status: 204 };
    default:
      return s3Error(405, 'MethodNotAllowed');
  }
}

function put({ headers, body, query }: Asked, key: string, objects: Map<string, StoredObject>): Answer {
  const object = objects.get(key);
  const { 'if-none-match': noneMatch, 'if-match': match, 'x-amz-copy-source': source } = headers;
  if (noneMatch === '*' && object) return s3Error(412, 'PreconditionFailed');
  if (match !== undefined && !object) return s3Error(404, 'NoSuchKey');
  if (match !== undefined && match !== object?.tag) return s3Error(412, 'PreconditionFailed');
  const metadata = Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.startsWith('x-amz-meta-'))
      .map(([name, value]) => [name.slice('x-amz-meta-'.length), String(value)]),
  );
  const contentType = headers['content-type'] ?? 'binary/octet-stream';
  if (typeof source === 'string') {
    const from = objects.get(decodeURIComponent(source).slice(S3_BUCKET.length + 1));
    if (!from) return s3Error(404, 'NoSuchKey');
    const tag = headers['x-amz-copy-source-if-match'];
    if (tag !== undefined && tag !== from.tag) return s3Error(412, 'PreconditionFailed');
    // A copy of an object onto itself must change something.
    if (headers['x-amz-metadata-directive'] !== 'REPLACE') return s3Error(400, 'InvalidRequest');
    objects.set(key, { ...from, metadata, contentType });
    return { status: 200, body: `<CopyObjectResult><ETag>${from.tag}</ETag></CopyObjectResult>` };
  }
  if (query.get('x-id') !== 'PutObject' || headers['content-encoding'] !== undefined) return s3Error(501, 'NotImplemented');
  const checksum = headers['x-amz-checksum-crc32'];
  if (checksum !== undefined && checksum !== checksumOf(body)) return s3Error(400, 'BadDigest');
  const tag = `"${createHash('md5').update(body).digest('hex')}"`;
  objects.set(key, { bytes: body, tag, contentType, metadata, metageneration: 1 });
  return { status: 200, headers: { etag: tag } };
}

/** `zlib.crc32` came with Node 20.15. */
function checksumOf(bytes: Buffer): string {
  const word = Buffer.alloc(4);
  word.writeUInt32BE(crc32(bytes));
  return word.toString('base64');
}

function list(query: URLSearchParams, objects: Map<string, StoredObject>): Answer {
  const from = query.get('continuation-token') ?? '';
  const names = [...objects.keys()].filter((name) => name.startsWith(query.get('prefix') ?? '') && name > from).sort();
  const page = names.slice(0, Number(query.get('max-keys') ?? 1000));
  const isTruncated = page.length < names.length;
  const contents = page.map((name) => `<Contents><Key>${escaped(name)}</Key><Size>1</Size></Contents>`).join('');
  const next = isTruncated ? `<NextContinuationToken>${escaped(page.at(-1) as string)}</NextContinuationToken>` : '';
  return { status: 200, body: `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${next}${contents}</ListBucketResult>` };
}

function removeMany(body: Buffer, objects: Map<string, StoredObject>): Answer {
  const names = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => unescaped(match[1] as string));
  if (names.length > 1000) return s3Error(400, 'MalformedXML');
  for (const name of names) objects.delete(name);
  return { status: 200, body: '<DeleteResult></DeleteResult>' };
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] as string);
}

function unescaped(text: string): string {
  return Object.entries(ENTITIES).reduceRight((so, [char, entity]) => so.replaceAll(entity, char), text);
}
