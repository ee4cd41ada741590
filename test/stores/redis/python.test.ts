/** The Python library's way with entries, in the same Redis: `struct '>dd'` before the payload. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { RedisCache } from '../../../dist/index.js';
import { value } from '../../serializers/values.js';
import { noRedis, startRedis } from '../../support/redis.js';

const PYTHON = '/usr/bin/python3';
const hasPython = spawnSync(PYTHON, ['-c', 'import redis, msgpack']).status === 0;
const noPython = hasPython
  ? undefined
  : `skipped: no ${PYTHON} with redis and msgpack here (apt-get install python3-redis python3-msgpack)`;
const why = noRedis ?? noPython;
const pythonTest = why ? test.skip : test;
const hint = why ? ` (${why})` : '';

const COMMON = `
import json, msgpack, redis, struct, sys, time
address, kind, value = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
r = redis.Redis(unix_socket_path=address, decode_responses=False)
dumps = {'json': lambda v: json.dumps(v, separators=(',', ':'), ensure_ascii=False).encode(), 'msgpack': msgpack.packb}[kind]
loads = {'json': json.loads, 'msgpack': msgpack.unpackb}[kind]
`;
const WRITE = `${COMMON}
now = time.time()
r.set('app:python', struct.pack('>dd', now + 60, now) + dumps(value), px=60000)
r.set('app:forever', struct.pack('>dd', float('inf'), now) + dumps(value))
r.set('app:large', struct.pack('>dd', now + 60, now) + dumps({'id': 2 ** 40}))
`;
const READ = `${COMMON}
raw = r.get('app:node')
fresh_until, created_at = struct.unpack('>dd', raw[:16])
print(json.dumps({'same': loads(raw[16:]) == value, 'bytes': raw[16:] == dumps(value), 'fresh': fresh_until - time.time(), 'age': time.time() - created_at, 'pttl': r.pttl('app:node')}))
`;

const python = (script: string, ...args: string[]): Promise<{ stdout: string }> => promisify(execFile)(PYTHON, ['-c', script, ...args]);

for (const kind of ['json', 'msgpack'] as const) {
  pythonTest(`${kind}: Python writes, Node reads${hint}`, async (t) => {
    const server = await startRedis(t);
    const store = new RedisCache(server.client(), { prefix: 'app:', serializer: kind, timeout: 20 });
    await python(WRITE, server.address, kind, JSON.stringify(value));
    t.deepEqual(await store.get('python'), value);
    t.deepEqual(await store.get('forever'), value);
    t.is((await store.getEntry('forever'))?.freshUntil, Infinity);
    t.deepEqual(await store.get('large'), { id: 2 ** 40 });
    const entry = await store.getEntry('python');
    t.true(Math.abs((entry?.freshUntil as number) - (entry?.createdAt as number) - 60) < 0.001);
    t.is(await store.setIfNotExists('python', 1, 60), false);
  });

  pythonTest(`${kind}: Node writes, Python reads, the same bytes${hint}`, async (t) => {
    const server = await startRedis(t);
    const store = new RedisCache(server.client(), { prefix: 'app:', serializer: kind, timeout: 20 });
    await store.set('node', value, 60);
    const { stdout } = await python(READ, server.address, kind, JSON.stringify(value));
    const answer = JSON.parse(stdout) as { same: boolean; bytes: boolean; fresh: number; age: number; pttl: number };
    t.true(answer.same);
    t.true(answer.bytes);
    t.true(answer.fresh > 0 && answer.fresh <= 60);
    t.true(answer.age >= -0.001);
    t.true(answer.pttl > 0 && answer.pttl <= 60_000);
  });
}
