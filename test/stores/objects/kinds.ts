/** The two providers, so that one set of tests runs against both. */
import { GCSCache, type ObjectStoreOptions, S3Cache } from '../../../dist/index.js';
import { GCS_BUCKET, gcsClient, gcsError, gcsServer } from '../../support/gcs.js';
import type { Answer, ObjectServer } from '../../support/object-server.js';
import type { Scope } from '../../support/process.js';
import { S3_BUCKET, s3Client, s3Error, s3Server } from '../../support/s3.js';

/** Both with a deadline that a busy machine keeps, unless a test gives another. */
export interface Kind {
  readonly name: string;
  readonly server: (scope: Scope) => Promise<ObjectServer>;
  readonly store: (scope: Scope, server: ObjectServer, options?: Partial<ObjectStoreOptions>) => S3Cache | GCSCache;
  readonly busy: Answer;
  /** Requests of one operation. */
  readonly costs: { readonly delete: number; readonly readProlonged: number; readonly uploads: RegExp };
}

export const KINDS: readonly Kind[] = [
  {
    name: 'S3Cache',
    server: s3Server,
    store: (scope, server, options) =>
      new S3Cache({ bucket: S3_BUCKET, prefix: 'v1/', client: s3Client(scope, server), timeout: 30, ...options }),
    busy: s3Error(503, 'SlowDown', 'canary-in-a-message'),
    costs: { delete: 2, readProlonged: 1, uploads: /^PUT/ },
  },
  {
    name: 'GCSCache',
    server: gcsServer,
    store: (_, server, options) => new GCSCache({ bucket: GCS_BUCKET, prefix: 'v1/', client: gcsClient(server), timeout: 30, ...options }),
    busy: gcsError(503, 'backendError', 'canary-in-a-message'),
    costs: { delete: 1, readProlonged: 2, uploads: /^POST/ },
  },
];
