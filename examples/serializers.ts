/**
 * Four ways to turn the same values into bytes: how large they get and how long it takes, alone and in files, where the disk is the same for all. What a
 * store keeps is 16 bytes more.
 *
 *     node --import=tsx examples/serializers.ts
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalFileCache, type Serializer, serializers } from 'advanced-caching';
import protobuf from 'protobufjs';

interface User {
  id: number;
  name: string;
  email: string;
  active: boolean;
  score: number;
  tags: string[];
}

const users: User[] = Array.from({ length: 1000 }, (_, id) => ({
  id,
  name: `User ${id}`,
  email: `user${id}@example.com`,
  active: id % 3 !== 0,
  score: id * 1.5,
  tags: ['alpha', 'beta', 'gamma'].slice(id % 3),
}));

const schema = `
  syntax = "proto3";
  message User { int32 id = 1; string name = 2; string email = 3; bool active = 4; double score = 5; repeated string tags = 6; }
  message Users { repeated User users = 1; }
`;
const Users = protobuf.parse(schema).root.lookupType('Users');

const strategies: [name: string, serializer: Serializer, value: object][] = [
  ['json', serializers.json, { users }],
  ['v8', serializers.v8, { users }],
  ['msgpack', serializers.msgpack, { users }],
  ['protobuf', serializers.protobuf(Users), { users }],
];

/** Microseconds, the fastest of several runs. */
function time(run: () => unknown): number {
  let best = Infinity;
  for (let i = 0; i < 20; i++) {
    const started = performance.now();
    run();
    best = Math.min(best, performance.now() - started);
  }
  return best * 1000;
}

console.log(`${users.length} users\n`);
console.log('serializer      bytes   of json    dumps µs    loads µs');
const jsonSize = serializers.json.dumps({ users }).byteLength;
for (const [name, serializer, value] of strategies) {
  const bytes = serializer.dumps(value);
  const columns = [
    name.padEnd(10),
    String(bytes.byteLength).padStart(10),
    `${Math.round((bytes.byteLength / jsonSize) * 100)} %`.padStart(9),
    time(() => serializer.dumps(value))
      .toFixed(0)
      .padStart(11),
    time(() => serializer.loads(bytes))
      .toFixed(0)
      .padStart(11),
  ];
  console.log(columns.join(' '));
}

/** Microseconds, the median of several runs one after the other. */
async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 30; i++) {
    const started = performance.now();
    await run();
    times.push(performance.now() - started);
  }
  return (times.sort((a, b) => a - b)[15] as number) * 1000;
}

console.log('\nin a LocalFileCache, compressed or not\n');
console.log('serializer  compress  file bytes     set µs     get µs');
const directory = mkdtempSync(join(tmpdir(), 'advanced-caching-serializers-'));
try {
  for (const [name, serializer, value] of strategies) {
    for (const compress of ['none', 'gzip'] as const) {
      const folder = join(directory, `${name}-${compress}`);
      const store = new LocalFileCache(folder, { serializer, compress });
      const set = await timeOf(() => store.set('users', value, 3600));
      const get = await timeOf(() => store.get('users'));
      const [shard = ''] = readdirSync(folder);
      const [file = ''] = readdirSync(join(folder, shard));
      const { size } = statSync(join(folder, shard, file));
      const columns = [
        name.padEnd(11),
        compress.padEnd(8),
        String(size).padStart(11),
        set.toFixed(0).padStart(10),
        get.toFixed(0).padStart(10),
      ];
      console.log(columns.join(' '));
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
