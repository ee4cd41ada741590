/**
 * The bytes that others have stored, checked in: what this version writes is what the first one wrote, and what Python writes.
 * `golden/*.bin` are never written again; a format that has to change gets files of its own beside them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { decodeEntry, encodeEntry } from '../../dist/wire/entry.js';
import { plain, subjects, value } from '../serializers/values.js';

const FRESH_UNTIL = 1_767_225_600.5;
const CREATED_AT = 1_767_225_000.25;

const golden = (name: string): Buffer => readFileSync(new URL(`./golden/${name}.bin`, import.meta.url));

for (const [name, { serializer, value: subject }] of Object.entries(subjects)) {
  test(`${name}: the checked-in bytes are read`, (t) => {
    const { freshUntil, createdAt, payload } = decodeEntry(golden(name));
    t.is(freshUntil, FRESH_UNTIL);
    t.is(createdAt, CREATED_AT);
    t.deepEqual(plain(serializer.loads(new Uint8Array(payload))), subject);
  });

  // A newer V8 writes a newer version of its format, and reads the older ones.
  if (name === 'v8') continue;
  test(`${name}: the checked-in bytes are what is written`, (t) => {
    t.deepEqual(encodeEntry(serializer.dumps(subject), FRESH_UNTIL, CREATED_AT), golden(name));
  });
}

test('an entry without an end, and one of 1970', (t) => {
  t.is(golden('forever').toString('hex'), '7ff0000000000000' + '0000000000000000' + '6e756c6c');
  t.deepEqual(encodeEntry(Buffer.from('null'), Infinity, 0), golden('forever'));
  const { freshUntil, createdAt } = decodeEntry(golden('forever'));
  t.deepEqual([freshUntil, createdAt], [Infinity, 0]);
});

const PYTHON = '/usr/bin/python3';
const WRITE = `
import json, struct, sys
value = json.loads(sys.argv[2])
if sys.argv[1] == 'json':
    payload = json.dumps(value, separators=(',', ':'), ensure_ascii=False).encode()
else:
    import msgpack
    payload = msgpack.packb(value)
sys.stdout.buffer.write(struct.pack('>dd', ${FRESH_UNTIL}, ${CREATED_AT}) + payload)
`;
const hasPython = spawnSync(PYTHON, ['-c', 'import msgpack']).status === 0;
const pythonTest = hasPython ? test : test.skip;
const hint = hasPython ? '' : ` (skipped: no ${PYTHON} with msgpack here: apt-get install python3-msgpack)`;

for (const name of ['json', 'msgpack']) {
  pythonTest(`${name}: Python writes the same bytes${hint}`, (t) => {
    t.deepEqual(execFileSync(PYTHON, ['-c', WRITE, name, JSON.stringify(value)]), golden(name));
  });
}
