import { createRequire } from 'node:module';
import { MetricServiceClient } from '@google-cloud/monitoring';
import type { Scope } from '../support/process.js';

// The very copies that the client uses: it brings a gRPC server along.
const load = createRequire(import.meta.url);
const loadOfClient = createRequire(load.resolve('@google-cloud/monitoring'));
const loadOfGax = createRequire(loadOfClient.resolve('google-gax'));
const { Server, ServerCredentials, credentials } = (loadOfClient('google-gax') as { grpc: Grpc }).grpc;
const { fromJSON } = loadOfGax('@grpc/proto-loader') as { fromJSON(json: object, options: object): Record<string, object> };
const { PassThroughClient } = loadOfGax('google-auth-library') as { PassThroughClient: new () => never };

type Answer = (error: { code: number; message: string } | null, value?: object) => void;

interface Grpc {
  readonly Server: new () => {
    addService(definition: object, methods: Record<string, (call: { request: WireRequest }, answer: Answer) => void>): void;
    bindAsync(address: string, secured: object, done: (error: Error | null, port: number) => void): void;
    forceShutdown(): void;
  };
  readonly ServerCredentials: { createInsecure(): object };
  readonly credentials: { createInsecure(): never };
}

interface Timestamp {
  readonly seconds: string;
  readonly nanos: number;
}

/** As protobuf has them on the wire; 64-bit numbers are strings. */
export interface WireSeries {
  readonly metric: { readonly type: string; readonly labels: Readonly<Record<string, string>> };
  readonly resource: { readonly type: string; readonly labels: Readonly<Record<string, string>> };
  readonly metricKind: string;
  readonly valueType: string;
  readonly unit: string;
  readonly points: readonly {
    readonly interval: { readonly startTime: Timestamp | null; readonly endTime: Timestamp };
    readonly value: {
      readonly int64Value?: string;
      readonly distributionValue?: {
        readonly count: string;
        readonly mean: number;
        readonly sumOfSquaredDeviation: number;
        readonly bucketOptions: { readonly explicitBuckets: { readonly bounds: number[] } };
        readonly bucketCounts: string[];
      };
    };
  }[];
}

export interface WireRequest {
  readonly name: string;
  readonly timeSeries: readonly WireSeries[];
}

export interface Monitoring {
  readonly requests: WireRequest[];
  /** What the next requests get: a gRPC status, or `undefined` for success. */
  status: number | undefined;
  readonly client: MetricServiceClient;
}

/** Cloud Monitoring's gRPC service on localhost, with the real protobuf definitions, and a real client of it. */
export async function startMonitoring(scope: Scope): Promise<Monitoring> {
  const protos = load('@google-cloud/monitoring/build/protos/protos.json') as object;
  const definition = fromJSON(protos, { longs: String, enums: String, defaults: true, oneofs: true });
  const server = new Server();
  const monitoring: { requests: WireRequest[]; status: number | undefined } = { requests: [], status: undefined };
  server.addService(definition['google.monitoring.v3.MetricService'] as object, {
    CreateTimeSeries({ request }, answer) {
      monitoring.requests.push(request);
      if (monitoring.status === undefined) answer(null, {});
      else answer({ code: monitoring.status, message: 'refused by the test' });
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  scope.teardown(() => server.forceShutdown());
  const client = new MetricServiceClient({
    apiEndpoint: '127.0.0.1',
    port,
    sslCreds: credentials.createInsecure(),
    projectId: 'test-project',
    // Without it the SDK would look for the metadata server of a machine of Google's.
    authClient: new PassThroughClient(),
  });
  scope.teardown(() => client.close());
  return Object.assign(monitoring, { client });
}
