import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { EntryCodec } from '../../dist/stores/remote/entry-codec.js';
import { remoteSettings } from '../../dist/stores/remote/options.js';
import { encodeEntry } from '../../dist/wire/entry.js';
import { subjects, value } from './values.js';

const fixture = fileURLToPath(new URL('./fixtures/mutations.js', import.meta.url));
const MUTATIONS = 100_000;

/** Megabytes. V8 itself believes lengths up to 32 million elements, one reason why its format is for bytes of one's own only. */
const LIMITS: Readonly<Record<string, { readonly heap: number; readonly growth: number }>> = { v8: { heap: 1024, growth: 600 } };
const LIMIT = { heap: 96, growth: 150 };

interface Outcome {
  readonly misses: number;
  readonly faults: number;
  readonly kinds: string[];
  readonly rejections: number;
  readonly polluted: unknown;
  readonly prototype: number;
  readonly grownMegabytes: number;
}

function mutate(name: string, entry: Buffer): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const args = [`--max-old-space-size=${(LIMITS[name] ?? LIMIT).heap}`, fixture, name, String(MUTATIONS)];
    const child = execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error) reject(new Error(`${name}: it ended with ${error.signal ?? error.code}: ${stderr.slice(-500)}`));
      else resolve(JSON.parse(stdout) as Outcome);
    });
    child.stdin?.end(entry);
  });
}

/** With the words that reach for a prototype. */
const hostile = (name: string, subject: object): object =>
  name === 'protobuf'
    ? subject
    : { ...subject, nested: JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as object };

for (const [name, { serializer, value: subject }] of Object.entries(subjects)) {
  test(`${name}: ${MUTATIONS} mutated entries hurt nobody`, async (t) => {
    const entry = encodeEntry(serializer.dumps(hostile(name, subject)), Infinity, 1);
    const outcome = await mutate(name, entry);
    t.is(outcome.rejections, 0);
    t.is(outcome.polluted, null);
    t.is(outcome.prototype, 0);
    t.is(outcome.misses, outcome.faults, 'every miss is told of');
    t.deepEqual(outcome.kinds, ['WireFormatError']);
    t.true(outcome.misses > 1000);
    t.true(outcome.grownMegabytes < (LIMITS[name] ?? LIMIT).growth, `${outcome.grownMegabytes} MB`);
    t.log(`${outcome.misses} misses, ${outcome.grownMegabytes} MB`);
  });
}

test('the planted words come back as data', (t) => {
  for (const name of ['json', 'v8', 'msgpack'] as const) {
    const { serializer } = subjects[name] as (typeof subjects)[string];
    const loaded = serializer.loads(serializer.dumps(hostile(name, value))) as Record<string, object>;
    t.is((loaded as { polluted?: unknown }).polluted, undefined);
    t.is(Object.getPrototypeOf(loaded['nested']), Object.prototype, name);
  }
});

const DEPTH = 1_000_000;
const bombs: Readonly<Record<string, Buffer>> = {
  json: Buffer.from('['.repeat(DEPTH) + ']'.repeat(DEPTH)),
  'json, cut off': Buffer.from('{"a":'.repeat(DEPTH)),
  // Dense arrays of one element, each in the next, in V8's format 15.
  v8: Buffer.concat([Buffer.from([0xff, 0x0f]), Buffer.from('4101'.repeat(DEPTH), 'hex')]),
  msgpack: Buffer.alloc(DEPTH, 0x91),
};

for (const [kind, payload] of Object.entries(bombs)) {
  test(`${kind}: a million levels are a miss, or a value: no crash`, (t) => {
    const faults: Error[] = [];
    const serializer = kind.split(',')[0] as 'json' | 'v8' | 'msgpack';
    const settings = remoteSettings('Test', { serializer, onError: (error) => void faults.push(error) });
    const entry = new EntryCodec('Test', settings).decode('key', encodeEntry(payload, Infinity, 1));
    if (!entry)
      t.deepEqual(
        faults.map(({ name }) => name),
        ['WireFormatError'],
      );
    t.is(faults.length, entry ? 0 : 1);
    // `JSON.parse` does without the stack.
    if (kind !== 'json') t.is(entry, undefined);
  });
}
