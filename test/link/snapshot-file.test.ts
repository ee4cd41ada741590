import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  chownSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import test from 'ava';
import { SnapshotTooLargeError, StoreError, WireFormatError } from '../../dist/core/errors.js';
import { systemClock } from '../../dist/core/clock.js';
import { EpochFile } from '../../dist/link/host/epoch-file.js';
import { sweep } from '../../dist/link/host/janitor.js';
import { hostPlace } from '../../dist/link/host/place.js';
import { SnapshotFile } from '../../dist/link/host/snapshot-file.js';
import { decodeSnapshot, encodeHeader } from '../../dist/link/host/snapshot-format.js';
import { scratch, scratchPlace, snapshotOf, until } from './support.js';

test('what was written is read, by both ways of reading', async (t) => {
  const file = new SnapshotFile(scratchPlace(t), 'käse/../:"\u{1F9C0}');
  t.is(await file.read(), undefined);
  t.is(file.readSync(), undefined);
  for (const size of [0, 1, 7, 8, 9, 100_000]) {
    const snapshot = snapshotOf(3, size + 1, Buffer.alloc(size, 7));
    await file.write(snapshot);
    const read = await file.read();
    t.deepEqual({ ...read, bytes: Buffer.from(read!.bytes) }, { ...snapshot, bytes: Buffer.alloc(size, 7) });
    t.deepEqual(file.readSync(), read);
  }
});

test('a change is seen by one stat', async (t) => {
  const file = new SnapshotFile(scratchPlace(t), 'k');
  t.false(await file.changedSince(undefined));
  const first = await file.put(snapshotOf(1, 1));
  t.true(await file.changedSince(undefined));
  t.false(await file.changedSince(first));
  t.is((await file.load())!.identity, first);
  await file.write(snapshotOf(1, 2));
  t.true(await file.changedSince(first));
});

test('the age of a snapshot of another boot comes from the wall clock', (t) => {
  const snapshot = snapshotOf(1, 1);
  const bytes = Buffer.concat([encodeHeader('k', snapshot), snapshot.bytes]);
  const clock = { ...systemClock, wall: () => snapshot.createdAt + 5000, monotonic: () => 99_000 };
  t.is(
    decodeSnapshot(Buffer.from(bytes), 'k', 100, clock).createdAtMonotonic,
    existsSync('/proc/sys/kernel/random/boot_id') ? 1234.5 : 94_000,
  );
  const other = Buffer.from(encodeHeader('k', snapshot));
  other.fill(0xab, 64, 80);
  t.is(decodeSnapshot(resum(Buffer.concat([other, snapshot.bytes])), 'k', 100, clock).createdAtMonotonic, 94_000);
});

/** The file as a writer with other ideas would have made it. */
function resum(file: Buffer): Buffer {
  file.writeUInt32LE(crc32(file.subarray(88), crc32(file.subarray(0, 84))), 84);
  return file;
}

test('of random changes of a file, none is accepted', (t) => {
  const snapshot = snapshotOf(5, 9, Buffer.from(JSON.stringify({ some: 'value', n: [1, 2, 3] })));
  const good = Buffer.concat([encodeHeader('key', snapshot), snapshot.bytes]);
  t.is(decodeSnapshot(Buffer.from(good), 'key', 1000, systemClock).version, 9);
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  let accepted = 0;
  for (let round = 0; round < 100_000; round += 1) {
    const bad = Buffer.from(good);
    const flips = 1 + random(4);
    for (let flip = 0; flip < flips; flip += 1) bad[random(bad.length)]! ^= 1 + random(255);
    if (bad.equals(good)) continue;
    try {
      decodeSnapshot(bad, 'key', 1000, systemClock);
      accepted += 1;
    } catch (error) {
      if (!(error instanceof WireFormatError)) throw error;
    }
  }
  t.is(accepted, 0);
  for (let length = 0; length < good.length; length += 1)
    t.throws(() => decodeSnapshot(Buffer.from(good.subarray(0, length)), 'key', 1000, systemClock), { instanceOf: WireFormatError });
  t.throws(() => decodeSnapshot(Buffer.concat([good, Buffer.alloc(1)]), 'key', 1000, systemClock), { instanceOf: WireFormatError });
});

test('foreign, newer and too large files are refused, each with its reason', async (t) => {
  const place = scratchPlace(t);
  const file = new SnapshotFile(place, 'k', { maxBytes: 1000 });
  const put = (bytes: Uint8Array): void => writeFileSync(file.path, bytes, { mode: 0o600 });
  const whole = Buffer.concat([encodeHeader('k', snapshotOf(1, 1)), snapshotOf(1, 1).bytes]);
  const cases: [Uint8Array, RegExp][] = [
    [Buffer.from('x'.repeat(200)), /first bytes differ/],
    [Buffer.alloc(0), /88 bytes or more/],
    [resum(edited(whole, (bytes) => bytes.writeUInt16LE(2, 8))), /newer release/],
    [resum(edited(whole, (bytes) => bytes.writeUInt32LE(1, 12))), /flags 1/],
    [Buffer.concat([encodeHeader('other', snapshotOf(1, 1)), snapshotOf(1, 1).bytes]), /another key/],
    [Buffer.concat([encodeHeader('k', snapshotOf(1, 1, Buffer.alloc(1001))), Buffer.alloc(1001)]), /more than `maxBytes`/],
    [Buffer.alloc(100_000), /100000 bytes, more than/],
  ];
  for (const [bytes, message] of cases) {
    put(bytes);
    await t.throwsAsync(file.read(), { instanceOf: WireFormatError, message });
    t.throws(() => file.readSync(), { instanceOf: WireFormatError, message });
  }
  await t.throwsAsync(file.write(snapshotOf(1, 1, Buffer.alloc(1001))), { instanceOf: SnapshotTooLargeError });
  await file.write(snapshotOf(1, 1));
  t.is((await file.read())?.version, 1);
});

function edited(bytes: Buffer, edit: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  edit(copy);
  return copy;
}

const posix = process.platform === 'win32' ? test.skip : test;
const posixSerial = process.platform === 'win32' ? test.serial.skip : test.serial;

posix('links, other modes and what is no file are refused, not followed', async (t) => {
  const place = scratchPlace(t);
  const file = new SnapshotFile(place, 'k');
  const elsewhere = join(place.directory, 'elsewhere');
  await file.write(snapshotOf(1, 1));
  const good = readFileSync(file.path);
  const refused = async (message: RegExp): Promise<void> => {
    await t.throwsAsync(file.read(), { instanceOf: StoreError, message });
    t.throws(() => file.readSync(), { instanceOf: StoreError, message });
    rmSync(file.path, { recursive: true });
  };
  rmSync(file.path);

  writeFileSync(elsewhere, good, { mode: 0o600 });
  symlinkSync(elsewhere, file.path);
  await refused(/symbolic link/);
  linkSync(elsewhere, file.path);
  await refused(/hard link/);
  writeFileSync(file.path, good);
  chmodSync(file.path, 0o644);
  await refused(/mode 644/);
  mkdirSync(file.path);
  await refused(/not a regular file/);
  execFileSync('mkfifo', ['-m', '600', file.path]);
  await refused(/not a regular file/);
  const server = createServer().listen(join(place.directory, 's'));
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  renameSync(join(place.directory, 's'), file.path);
  await refused(/not a regular file/);
  if (process.geteuid!() === 0) {
    writeFileSync(file.path, good, { mode: 0o600 });
    chownSync(file.path, 12_345, 12_345);
    await refused(/belongs to the user 12345/);
  }

  // A write replaces the link, and not what it points to.
  symlinkSync(elsewhere, file.path);
  await file.write(snapshotOf(1, 2));
  t.true(lstatSync(file.path).isFile());
  t.deepEqual(readFileSync(elsewhere), good);
});

posixSerial('modes are 0600 and 0700 whatever the umask', async (t) => {
  for (const mask of [0, 0o277]) {
    const before = process.umask(mask);
    const directory = join(dirname(scratch(t)), `acl-umask-${process.pid}-${mask}`);
    t.teardown(() => rmSync(directory, { recursive: true, force: true }));
    mkdirSync(directory);
    chmodSync(directory, 0o700);
    const place = hostPlace({ namespace: 'n', directory });
    place.token();
    await new SnapshotFile(place, 'k').write(snapshotOf(1, 1));
    await new EpochFile(place, 'k').write(1);
    process.umask(before);
    t.is(statSync(place.directory).mode & 0o777, 0o700);
    t.is(statSync(dirname(place.directory)).mode & 0o777, 0o700);
    t.is(readdirSync(place.directory).length, 3);
    for (const name of readdirSync(place.directory)) t.is(statSync(join(place.directory, name)).mode & 0o777, 0o600, name);
  }
});

posix('a write that finds no space leaves the old snapshot, and no temporary file', (t) => {
  const directory = scratch(t);
  const fixture = fileURLToPath(new URL('fixtures/full.js', import.meta.url));
  // A limit for file sizes gives the same failure in the middle of a write as a full disk, without being root.
  const output = execFileSync('sh', ['-c', 'trap "" XFSZ; ulimit -f 64; exec "$0" "$@"', process.execPath, fixture, directory], {
    encoding: 'utf8',
  });
  const { error, code, version, names } = JSON.parse(output);
  t.is(code, 'ERR_STORE');
  t.regex(error, /Can't write .*EFBIG/);
  t.is(version, 1);
  t.is(names.filter((name: string) => name.endsWith('.tmp')).length, 0);
});

test('a directory that was deleted is made anew by the next write', async (t) => {
  const place = scratchPlace(t);
  const file = new SnapshotFile(place, 'k');
  await file.write(snapshotOf(1, 1));
  rmSync(place.directory, { recursive: true });
  t.is(await file.read(), undefined);
  await file.write(snapshotOf(1, 2));
  t.is((await file.read())?.version, 2);
});

test('the janitor takes what the dead left of this key, and nothing else', async (t) => {
  const place = scratchPlace(t);
  const dead = execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).trim();
  const alive = process.ppid;
  const make = (name: string): string => {
    writeFileSync(join(place.directory, name), 'x');
    return name;
  };
  const own = place.path('k').slice(place.directory.length + 1);
  const other = place.path('other').slice(place.directory.length + 1);
  const gone = [
    make(`${own}.${dead}.0123456789ab.tmp`),
    make(`${own}.epoch.${dead}.0123456789ab.tmp`),
    make(`token.${dead}.0123456789ab.tmp`),
  ];
  gone.push(make(`${own}.${process.pid}.0123456789ab.tmp`), make(`${own}.${alive}.00000000000a.tmp`));
  utimesSync(join(place.directory, gone[4]!), 0, 0);
  const kept = [
    make(`${own}.${alive}.0123456789ab.tmp`),
    make(`${other}.${dead}.0123456789ab.tmp`),
    make(`${own}.${dead}.tmp`),
    make('mine.tmp'),
  ];
  t.is(await sweep(place, 'k', systemClock), gone.length);
  t.deepEqual(readdirSync(place.directory).sort(), kept.sort());
});

const linux = process.platform === 'linux' ? test : test.skip;

linux('the janitor counts a process as dead whose parent has not asked for it yet', async (t) => {
  const place = scratchPlace(t);
  // A shell that starts a process and becomes one that never waits for it.
  const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => parent.kill('SIGKILL'));
  const pid = Number(String((await once(parent.stdout, 'data'))[0]).trim());
  await until(() => readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '), 'a zombie');
  writeFileSync(`${place.path('k')}.${pid}.0123456789ab.tmp`, 'x');
  t.is(await sweep(place, 'k', systemClock), 1);
});

test('the epoch is kept, and a corrupt one is told', async (t) => {
  const epochs = new EpochFile(scratchPlace(t), 'k');
  t.is(await epochs.read(), 0);
  await epochs.write(41);
  t.is(await epochs.read(), 41);
  writeFileSync(epochs.path, '42 00000000\n');
  await t.throwsAsync(epochs.read(), { instanceOf: WireFormatError });
});
