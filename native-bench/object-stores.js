// @ts-check
/**
 * Operations a second of S3Cache and GCSCache against their SDKs doing the same, by turns in one run, over HTTP on this machine.
 *
 *     npm run bench -- object-stores [--quick]
 *
 * The server answers at once from memory, in a process of its own: what is compared is the work on this side. A real bucket takes 10-100 ms,
 * beside which all of this disappears.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Storage } from '@google-cloud/storage';
import { GCSCache, S3Cache } from 'advanced-caching';
import { compareRates, isQuick } from './harness.js';

const ROUNDS = isQuick ? 1 : 9;
const CALLS = isQuick ? 20 : 300;
const WIDTH = 16;
const BUCKET = 'cache-bucket';

const bytes = Buffer.concat([Buffer.alloc(16), Buffer.from(JSON.stringify({ text: 'x'.repeat(1000) }))]);
bytes.writeDoubleBE(4e9, 0);
bytes.writeDoubleBE(1e9, 8);
const value = JSON.parse(bytes.subarray(16).toString());

/** @param {() => Promise<unknown>} run */
async function rate(run) {
  const started = performance.now();
  let left = CALLS;
  const work = async () => {
    while (left-- > 0) await run();
  };
  await Promise.all(Array.from({ length: WIDTH }, work));
  return (CALLS / (performance.now() - started)) * 1000;
}

/** @param {string} name @param {() => Promise<unknown>} ours @param {() => Promise<unknown>} sdk */
const compare = (name, ours, sdk) =>
  compareRates(
    name,
    ROUNDS,
    () => rate(ours),
    () => rate(sdk),
  );

const server = spawn(process.execPath, ['--import=tsx', fileURLToPath(new URL('support/object-server.js', import.meta.url))], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
try {
  const [line] = await once(createInterface({ input: server.stdout }), 'line');
  const { s3, gcs } = JSON.parse(line);

  const client = new S3Client({
    endpoint: s3,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
  const onS3 = new S3Cache({ bucket: BUCKET, prefix: 'v1/', client, timeout: 30 });
  const s3Key = { Bucket: BUCKET, Key: 'v1/bare' };
  await onS3.set('ours', value, 600);
  await client.send(new PutObjectCommand({ ...s3Key, Body: bytes }));
  await compare(
    'S3Cache get',
    () => onS3.get('ours'),
    async () => {
      const { Body } = await client.send(new GetObjectCommand(s3Key));
      return JSON.parse(Buffer.from(/** @type {Uint8Array} */ (await Body?.transformToByteArray())).toString('utf8', 16));
    },
  );
  await compare(
    'S3Cache set',
    () => onS3.set('ours', value, 600),
    () => client.send(new PutObjectCommand({ ...s3Key, Body: bytes })),
  );
  client.destroy();

  const storage = new Storage({ apiEndpoint: gcs, projectId: 'bench', retryOptions: { autoRetry: false } });
  const onGCS = new GCSCache({ bucket: BUCKET, prefix: 'v1/', client: storage, timeout: 30 });
  const file = storage.bucket(BUCKET).file('v1/bare');
  await onGCS.set('ours', value, 600);
  await file.save(bytes, { resumable: false, validation: false });
  await compare(
    'GCSCache get',
    () => onGCS.get('ours'),
    async () => JSON.parse((await file.download({ validation: false }))[0].toString('utf8', 16)),
  );
  await compare(
    'GCSCache set',
    () => onGCS.set('ours', value, 600),
    () => file.save(bytes, { resumable: false, validation: false }),
  );
} finally {
  server.kill();
}
