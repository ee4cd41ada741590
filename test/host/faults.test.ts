import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { tempDir } from '../support/process.js';
import { type Agent, type Host, makeHost, sees, until } from './agents.js';

async function start(host: Host, write: boolean, size = 1000): Promise<Agent> {
  const agent = await host.start();
  await agent.run(
    ({ write: begin, follow }, asWriter, bytes) => {
      if (asWriter) begin('k', { size: bytes });
      follow('k');
    },
    write,
    size,
  );
  return agent;
}

const state = (agent: Agent): Promise<string | undefined> => agent.run(({ followed }) => followed.get('k')?.mirror.status().state);
const version = (agent: Agent): Promise<number> => agent.run(({ followed }) => followed.get('k')?.seen.version ?? 0);

/** Waits until the agent has a later version than now. */
async function goesOn(agent: Agent): Promise<void> {
  const from = await version(agent);
  await until(async () => (await version(agent)) > from, { what: `a version after ${from}` });
}

const neverWrong = async (t: ExecutionContext, ...agents: Agent[]): Promise<void> => {
  for (const agent of agents) {
    t.like(await agent.run(({ followed }) => followed.get('k')?.seen), { backward: 0, torn: 0, foreign: 0, threw: 0 });
    t.deepEqual(await agent.run(({ faults }) => faults), []);
  }
};

/** The directory in which the snapshots are. */
function place(host: Host): string {
  const [user] = readdirSync(host.directory).filter((name) => name.startsWith('advanced-caching-'));
  const folder = join(host.directory, user ?? '');
  return join(folder, readdirSync(folder)[0] ?? '');
}

/** All that is in it goes at once: file after file, new ones would appear meanwhile. */
function empty(directory: string): void {
  for (const name of readdirSync(directory)) {
    const gone = join(tmpdir(), `${basename(directory)}-gone`);
    renameSync(join(directory, name), gone);
    rmSync(gone, { recursive: true });
  }
}

const snapshotFile = (host: Host): string =>
  join(place(host), readdirSync(place(host)).find((name) => /^[0-9a-f]{64}$/.test(name)) ?? 'none');

test('a writer that is frozen keeps its role; readers say so, and go on when it does', async (t) => {
  const host = makeHost(t);
  const writer = await start(host, true);
  const reader = await start(host, false);
  const standby = await host.start();
  await sees(reader, 'k', writer.pid);
  await standby.run(({ write }) => void write('k'));
  await standby.until('standing by', ({ bg }) => bg.status().threads.link);
  writer.child.kill('SIGSTOP');
  const at = performance.now();
  await until(async () => (await state(reader)) === 'interrupted', { what: 'that the silence is noticed' });
  t.log(`noticed after ${(performance.now() - at).toFixed(0)} ms`);
  const status = await reader.run(({ followed }) => followed.get('k')?.mirror.status());
  t.is(await reader.run(({ followed }) => followed.get('k')?.mirror()?.pid), writer.pid, 'the value stays');
  await reader.until('that it ages', ({ followed }, age) => (followed.get('k')?.mirror.age ?? 0) > age + 1, status?.age ?? 0);
  t.is(await standby.run(({ writers }) => writers.get('k').status().state), 'standby', 'nothing proves that it is dead');
  writer.child.kill('SIGCONT');
  await sees(reader, 'k', writer.pid);
  await goesOn(reader);
  t.is(await standby.run(({ writers }) => writers.get('k').status().state), 'standby');
  await neverWrong(t, reader);
});

const damages: readonly (readonly [string, (file: string) => void, RegExp])[] = [
  ['corrupt', (file) => flip(file, -10), /corrupt: its checksum differs/],
  ['truncated', (file) => truncateSync(file, 500), /was cut or is corrupt/],
  ['empty', (file) => truncateSync(file, 0), /Expected a snapshot of/],
  ['of a newer layout', (file) => flip(file, 8), /layout \d+, of a newer release/],
  ['foreign', (file) => writeFileSync(file, 'x'.repeat(1000), { mode: 0o600 }), /got something else/],
  ['larger than it may be', (file) => writeFileSync(file, Buffer.alloc(200_000), { mode: 0o600 }), /more than/],
];

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  const index = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8((bytes[index] ?? 0) ^ 0x7f, index);
  writeFileSync(file, bytes);
}

for (const [name, damage, message] of damages) {
  test(`a snapshot that is ${name} is refused once, and the next one is served`, async (t) => {
    const host = makeHost(t);
    const writer = await start(host, true);
    await goesOn(writer);
    await until(() => snapshotFile(host).endsWith('none') === false, { what: 'the file' });
    await writer.kill();
    damage(snapshotFile(host));
    const reader = await host.start();
    const first = await reader.run(({ follow }) => follow('k', { maxBytes: 100_000, interval: 0.05 }).mirror() ?? null);
    t.is(first, null, 'bg.read and the read do not throw, and nothing is served');
    await reader.until('that the link looked too', ({ bg }) => bg.status().threads.link?.state === 'up');
    // Some polls later.
    await reader.run(() => new Promise((resolve) => setTimeout(resolve, 1500)));
    const { errors, status } = await reader.run((scope) => ({ errors: scope.errors, status: scope.followed.get('k')?.mirror.status() }));
    t.is(errors.length, 1, JSON.stringify(errors));
    t.is(errors[0]?.code, 'ERR_WIRE_FORMAT');
    t.regex(errors[0]?.message ?? '', message);
    t.like(status, { refused: 1, version: 0, lastError: { code: 'ERR_WIRE_FORMAT' } });
    const next = await start(host, true);
    await sees(reader, 'k', next.pid);
    await goesOn(reader);
    t.is(await reader.run((scope) => scope.errors.length), 1);
    await neverWrong(t, reader);
  });
}

test('a bad snapshot that appears while a value is there leaves the value', async (t) => {
  const host = makeHost(t);
  const writer = await start(host, true);
  const reader = await start(host, false);
  await sees(reader, 'k', writer.pid);
  await writer.kill();
  await until(async () => (await state(reader)) === 'interrupted', { what: 'that it notices' });
  const before = await version(reader);
  flip(snapshotFile(host), -10);
  await reader.until('that it is refused', ({ followed }) => followed.get('k')?.mirror.status().refused);
  t.is(await version(reader), before);
  t.is(await reader.run(({ followed }) => followed.get('k')?.mirror()?.pid), writer.pid);
  const next = await start(host, true);
  await sees(reader, 'k', next.pid);
  t.true((await version(reader)) > before, 'the successor goes on after what its readers had');
  await neverWrong(t, reader);
});

test('the directory is deleted while it is used', async (t) => {
  const host = makeHost(t);
  const writer = await start(host, true);
  const reader = await start(host, false);
  await sees(reader, 'k', writer.pid);
  for (let round = 0; round < 3; round++) {
    empty(host.directory);
    await goesOn(reader);
  }
  empty(host.directory);
  await goesOn(reader);
  const late = await start(host, false);
  await sees(late, 'k', writer.pid);
  const standby = await start(host, true);
  await sees(standby, 'k', writer.pid);
  await writer.kill();
  await sees(reader, 'k', standby.pid);
  await sees(late, 'k', standby.pid);
  await neverWrong(t, reader, late);
});

test('the disk is full: reported once, readers keep the value, and it goes on when there is room', async (t) => {
  const directory = tempDir(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', directory], { stdio: 'ignore' });
  } catch {
    t.log('skipped: mounting a small file system takes root');
    t.pass();
    return;
  }
  t.teardown(() => execFileSync('umount', ['-l', directory]));
  const host = makeHost(t, directory);
  const writer = await start(host, true, 50_000);
  const reader = await start(host, false);
  await sees(reader, 'k', writer.pid);
  const filler = join(directory, 'filler');
  const fill = (): void => {
    for (let size = 1_000_000; size >= 1000; size /= 2) {
      try {
        writeFileSync(filler, Buffer.alloc(size), { flag: 'a' });
      } catch {
        // Full at this size; the rest is filled with less.
      }
    }
  };
  // Again and again: what the writer was replacing just then gives its room back, which may do for all that follow.
  await until(
    () => {
      fill();
      return writer.run(({ errors }) => errors.some(({ message }) => message.includes('no space left')));
    },
    { what: 'the error', deadline: 60_000 },
  );
  await writer.run(() => new Promise((resolve) => setTimeout(resolve, 1000)));
  const full = (await writer.run(({ errors }) => errors)).filter(({ message }) => message.includes('no space left'));
  t.is(full.length, 2, 'once for the writer, once for the mirror in its process');
  t.is(full[0]?.code, 'ERR_STORE');
  const own = await writer.run(({ writers }) => writers.get('k')()?.count);
  t.true(own > (await reader.run(({ followed }) => followed.get('k')?.last()?.count)), 'its own process has the newest');
  t.true(readdirSync(place(host)).filter((name) => name.endsWith('.tmp')).length <= 1, 'none but that of a try under way');
  unlinkSync(filler);
  await goesOn(reader);
  await neverWrong(t, reader, writer);
});

test("a follower's main thread is blocked: its other threads get new versions", async (t) => {
  const host = makeHost(t);
  const writer = await start(host, true);
  const reader = await start(host, false);
  // A thread that another one speaks for: the main thread, which would, is about to be blocked.
  const thread = await reader.start('thread', 'a');
  await thread.run(({ follow }) => void follow('k'));
  await sees(thread, 'k', writer.pid);
  const before = await thread.run(({ followed, box }) => {
    const { seen } = followed.get('k') ?? {};
    setTimeout(() => Object.assign(box, { during: seen?.version ?? 0, state: followed.get('k')?.mirror.status().state }), 2500);
    return seen?.version ?? 0;
  });
  await reader.run(() => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000));
  const { during, state: then } = (await thread.until('what it noted', ({ box }) => 'during' in box && box)) as {
    during: number;
    state: string;
  };
  t.true(during > before + 10, `from ${before} to ${during} while it was blocked`);
  t.is(then, 'live');
  await goesOn(reader);
  await neverWrong(t, reader, thread);
});

test("a loader that blocks the dedicated thread stops neither its process's readers nor its lease", async (t) => {
  const host = makeHost(t);
  const both = await host.start();
  await both.run(({ write, follow }) => {
    write('k', { module: true });
    follow('k');
    follow('other');
  });
  const other = await host.start();
  await other.run(({ write, follow }) => {
    write('other');
    write('k');
    follow('k');
  });
  await sees(both, 'other', other.pid);
  await sees(other, 'k', both.pid);
  writeFileSync(join(host.directory, 'block-k'), '');
  const otherGoesOn = async (): Promise<void> => {
    const from = await both.run(({ followed }) => followed.get('other')?.seen.version ?? 0);
    await both.until('versions of the other key', ({ followed }, than) => (followed.get('other')?.seen.version ?? 0) > than + 10, from);
  };
  await otherGoesOn();
  const before = await version(other);
  await otherGoesOn();
  t.is(await version(other), before, 'the loader is blocked');
  t.is(await other.run(({ writers }) => writers.get('k').status().state), 'standby');
  unlinkSync(join(host.directory, 'block-k'));
  await goesOn(other);
  await neverWrong(t, both, other);
});

test('a directory that others may write is refused where it is used, and nothing throws', async (t) => {
  const directory = join(tempDir(t), 'open');
  mkdirSync(directory, { mode: 0o777 });
  execFileSync('chmod', ['777', directory]);
  const reader = await start(makeHost(t, directory), false);
  await reader.until('the error', ({ errors }) => errors.length);
  await reader.run(() => new Promise((resolve) => setTimeout(resolve, 2500)));
  const errors = await reader.run((scope) => scope.errors);
  t.is(errors.length, 1);
  t.regex(errors[0]?.message ?? '', /every user may rename/);
  await neverWrong(t, reader);
});
