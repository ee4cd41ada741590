import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { LocalFileCache } from '../../dist/stores/local-file.js';
import { decodeFile } from '../../dist/stores/file/layout.js';
import { type Scope, spawnNode, tempDir, until } from '../support/process.js';
import { filesIn } from '../support/sources.js';

const FIXTURE = new URL('./fixtures/file-writer.js', import.meta.url);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const pathOf = (directory: string, key: string): string => join(directory, sha256(key).slice(0, 2), sha256(key));

interface Text {
  readonly length: number;
  readonly text: string;
}

function make(scope: Scope): { directory: string; store: LocalFileCache; errors: Error[] } {
  const directory = join(tempDir(scope), 'cache');
  const errors: Error[] = [];
  return { directory, errors, store: new LocalFileCache(directory, { onError: (error) => errors.push(error) }) };
}

const isWhole = ({ length, text }: Text): boolean => text.length === length && text === (text[0] as string).repeat(length);

test('two processes that write one key 10,000 times never leave a torn or a temporary file', async (t) => {
  t.timeout(120_000);
  const { directory, store, errors } = make(t);
  const writers = [1, 2].map(() => spawnNode(t, FIXTURE, { args: ['writes', directory, '10000'] }));
  let isDone = false;
  const done = Promise.all(writers.map((writer) => writer.message((message: { done?: true }) => message.done === true, 110_000))).finally(
    () => (isDone = true),
  );
  let reads = 0;
  const seen = new Set<string>();
  while (!isDone) {
    const value = (await store.get('key')) as Text | undefined;
    if (!value) continue;
    reads += 1;
    seen.add(value.text);
    if (!isWhole(value)) t.fail(`torn: ${value.length} became ${value.text.length}`);
    // The bytes as they are, past everything that could hide a fault.
    decodeFile(readFileSync(pathOf(directory, 'key')));
  }
  await done;
  t.log(`${reads} reads, ${seen.size} different values`);
  t.true(reads > 100 && seen.size > 10);
  t.deepEqual(errors, []);
  t.deepEqual(readdirSync(dirname(pathOf(directory, 'key'))), [sha256('key')]);
});

test('kill -9 in the middle of a write loses that write, and nothing else', async (t) => {
  const { directory, store, errors } = make(t);
  let interrupted = 0;
  for (let round = 0; round < 12; round++) {
    const writer = spawnNode(t, FIXTURE, { args: ['big', directory, ''] });
    await writer.message((message: { ready?: true }) => message.ready === true);
    const shard = dirname(pathOf(directory, 'key'));
    const temporary = (): string[] => filesIn(directory, /\.tmp$/);
    // In the middle of a write: its temporary file is there.
    await until(() => temporary().some((name) => name.includes(`.${writer.pid}.`)), { what: 'a write' });
    writer.kill('SIGKILL');
    await writer.exited;
    const left = temporary().filter((name) => name.includes(`.${writer.pid}.`));
    interrupted += left.length;
    const value = (await store.get('key')) as Text | undefined;
    if (value) t.true(isWhole(value));
    for (const name of left) utimesSync(join(directory, name), Date.now() / 1000 - 100, Date.now() / 1000 - 100);
    await store.sweep();
    t.deepEqual(temporary(), [], 'the janitor takes it away');
    await store.set('other', round, 60);
    t.is(await store.get('other'), round);
    t.true(readdirSync(shard).every((name) => name === sha256('key')));
  }
  t.log(`${interrupted} of 12 kills left a temporary file`);
  t.true(interrupted > 0);
  t.deepEqual(errors, []);
});

test('of many processes one gets each lock, also where an expired entry is in the way', async (t) => {
  t.timeout(60_000);
  const { directory, store } = make(t);
  const LOCKS = 300;
  const past = Date.now() / 1000 - 100;
  for (let i = 0; i < LOCKS; i++) {
    // A third each: absent, about to be over, over but held for its stale window.
    if (i % 3 === 1) await store.setEntry(`lock ${i}`, { value: 0, freshUntil: past, createdAt: past }, 101 + i / 100);
    if (i % 3 === 2) await store.setEntry(`lock ${i}`, { value: 0, freshUntil: past, createdAt: past }, 600);
  }
  const contenders = [1, 2, 3, 4].map(() => spawnNode(t, FIXTURE, { args: ['locks', directory, String(LOCKS)] }));
  await Promise.all(contenders.map((one) => one.message((message: { ready?: true }) => message.ready === true)));
  for (const one of contenders) one.send('go');
  const won = await Promise.all(
    contenders.map((one) => one.message<{ won: number }>((message) => message.won !== undefined, 50_000).then((message) => message.won)),
  );
  t.log(`won: ${won.join(', ')}`);
  t.is(
    won.reduce((a, b) => a + b, 0),
    LOCKS,
  );
  const holders = await Promise.all(Array.from({ length: LOCKS }, (_, i) => store.get(`lock ${i}`)));
  for (const [i, one] of contenders.entries()) t.is(holders.filter((pid) => pid === one.pid).length, won[i] as number);
  t.deepEqual(filesIn(directory, /\.(tmp|claim)$/), []);
});

if (process.platform === 'linux') {
  test('a disk without space is an error that says so, and leaves the old value and no temporary file', async (t) => {
    const { directory, store } = make(t);
    await store.set('key', 'old', 60);
    const file = fileURLToPath(FIXTURE);
    // A limit on the size of files is what a full disk looks like to one write; its signal has to be ignored for that.
    const script = `ulimit -f 64; trap '' XFSZ; exec "$0" "$1" once "$2" 3000000`;
    const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath, file, directory]);
    t.like(JSON.parse(stdout), { outcome: 'refused', name: 'StoreError', code: 'ERR_STORE' });
    t.regex(stdout, /Can't write .*: EFBIG/);
    t.is(await store.get('key'), 'old');
    t.deepEqual(filesIn(directory, /\.tmp$/), []);
  });
}
