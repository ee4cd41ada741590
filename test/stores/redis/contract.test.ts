import test from 'ava';
import protobuf from 'protobufjs';
import { InMemoryMetrics, InstrumentedStorage, RedisCache, type SerializerOption, serializers } from '../../../dist/index.js';
import { storeContract } from '../../../dist/testing/index.js';
import { fileScope, once } from '../../support/file-scope.js';
import { noRedis, startCluster, startRedis } from '../../support/redis.js';

const scope = fileScope();
const server = once(async () => (await startRedis(scope)).client());
const cluster = once(async () => (await startCluster(scope)).client());
/** Seconds that also a busy machine can tell from none: all of these rules run at one time. */
const shortest = 1;

const redisTest = noRedis ? test.skip : test;
const hint = noRedis ? ` (${noRedis})` : '';

let stores = 0;
const prefix = (): string => `app[${stores++}]*?:`;

/** The rules use any JSON value, so the message that carries them has one field, of text. */
const { Any } = protobuf.parse('syntax = "proto3"; message Any { string json = 1; }').root as unknown as { Any: protobuf.Type };
const any = serializers.protobuf(Any);

const kinds: Record<string, SerializerOption> = {
  json: 'json',
  v8: 'v8',
  msgpack: serializers.msgpack,
  protobuf: {
    dumps: (value) => any.dumps({ json: JSON.stringify(value) }),
    loads: (bytes) => JSON.parse((any.loads(bytes) as { json: string }).json),
  },
};

const secret = 'a secret of more than 16 bytes';

for (const [kind, serializer] of Object.entries(kinds)) {
  for (const options of [{}, { dedupeWrites: true }, ...(kind === 'json' ? [{ secret }, { secret, dedupeWrites: true }] : [])]) {
    for (const [where, connect] of Object.entries({ Redis: server, Cluster: cluster })) {
      const rules = storeContract(async () => new RedisCache(await connect(), { prefix: prefix(), serializer, timeout: 20, ...options }), {
        shortest,
      });
      for (const { name, run } of rules) {
        redisTest(`RedisCache, ${where}, ${[kind, ...Object.keys(options)].join(', ')}: ${name}${hint}`, async (t) => {
          await t.notThrowsAsync(run);
        });
      }
    }
  }
}

const instrumented = async (): Promise<InstrumentedStorage> =>
  new InstrumentedStorage(new RedisCache(await server(), { prefix: prefix(), timeout: 20 }), new InMemoryMetrics(), 'L2');
for (const { name, run } of storeContract(instrumented, { shortest })) {
  redisTest(`InstrumentedStorage over RedisCache: ${name}${hint}`, async (t) => {
    await t.notThrowsAsync(run);
  });
}
