/**
 * Four ways to turn the same values into bytes: how large they get, and how long it takes. What a store would keep is 16 bytes more.
 *
 *     npx tsx examples/serializers.ts
 */
import { type Serializer, serializers } from 'advanced-caching';
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
