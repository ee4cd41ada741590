import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { Snapshot } from '../../dist/core/snapshot.js';
import { followHost } from '../../dist/link/host/follow.js';
import { leadHost } from '../../dist/link/host/lead.js';
import { proof, receive, send, type ReaderMessage } from '../../dist/link/host/messages.js';
import { hostPlace, type HostPlace } from '../../dist/link/host/place.js';
import { systemClock } from '../../dist/core/clock.js';
import { WriterConnection } from '../../dist/link/host/connection.js';
import { writerAddress } from '../../dist/link/host/election.js';
import { SnapshotFile } from '../../dist/link/host/snapshot-file.js';
import { socketName } from '../../dist/link/host/socket.js';
import type { Follower, Grant } from '../../dist/link/ports.js';
import { checkHistory, KINDS, Member, scratch, scratchPlace, snapshotOf, until } from './support.js';

const linux = process.platform === 'linux' ? test : test.skip;

interface Seen {
  readonly follower: Follower;
  readonly snapshots: Snapshot[];
  readonly states: string[];
  readonly errors: Error[];
}

function follow(t: ExecutionContext, place: HostPlace, pollInterval = 1000): Seen {
  const seen = { snapshots: [] as Snapshot[], states: [] as string[], errors: [] as Error[] };
  const follower = followHost({
    place,
    key: 'k',
    pollInterval,
    onSnapshot: (snapshot) => seen.snapshots.push(snapshot),
    onState: (state) => seen.states.push(state),
    onError: (error) => seen.errors.push(error),
  });
  t.teardown(() => follower.close());
  return { follower, ...seen };
}

/** A candidate of this process, granted. */
async function lead(t: ExecutionContext, place: HostPlace) {
  const grants: Grant[] = [];
  const lost: Error[] = [];
  const errors: Error[] = [];
  const candidate = leadHost({
    place,
    key: 'k',
    onSnapshot: () => undefined,
    onGranted: (grant) => grants.push(grant),
    onLost: (error) => lost.push(error),
    onError: (error) => errors.push(error),
  });
  t.teardown(() => candidate.close());
  await until(() => grants.length > 0, 'granted');
  return { candidate, grants, lost, errors };
}

/** A writer that speaks the protocol, and says what the test wants. */
async function fakeWriter(
  t: ExecutionContext,
  place: HostPlace,
  onMessage: (socket: Socket, message: ReaderMessage) => void,
  token = place.token(),
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
    receive<ReaderMessage>(socket, ['join', 'ack'], (message) => {
      if (message[0] === 'join') send(socket, ['welcome', proof(token, 'writer', 'aa', message[2], 'k')]);
      onMessage(socket, message);
    });
    send(socket, ['hello', 1, 'aa']);
  });
  server.listen({ path: socketName(place, place.token(), 'k'), exclusive: true });
  await once(server, 'listening');
  t.teardown(() => server.close());
  return server;
}

linux('lost, doubled and reordered announcements change nothing', async (t) => {
  const place = scratchPlace(t);
  const file = new SnapshotFile(place, 'k');
  const sockets: Socket[] = [];
  await fakeWriter(t, place, (socket, message) => message[0] === 'join' && sockets.push(socket));
  const seen = follow(t, place, 200);
  const socket = await until(() => sockets[0], 'joined');
  for (let version = 1; version <= 100; version += 1) {
    await file.write(snapshotOf(1, version));
    if (version % 2 === 0) continue;
    for (const told of [version, version, Math.max(1, version - 3), version + 1, 0]) send(socket, ['news', 1, 1, told, 0]);
  }
  // The last one was not announced: the poll finds it.
  await until(() => seen.snapshots.at(-1)?.version === 100, 'the newest');
  seen.snapshots.forEach((snapshot, index) => t.true(index === 0 || snapshot.version > seen.snapshots[index - 1]!.version));
  // An older snapshot in the file, and a doubled word about it, don't bring it back.
  await file.write(snapshotOf(1, 50));
  send(socket, ['news', 2, 1, 50, 0]);
  await file.write(snapshotOf(1, 101));
  await until(() => seen.snapshots.at(-1)?.version === 101, 'the next one');
  t.false(seen.snapshots.slice(0, -1).some(({ version }, index) => version === 50 && index > 50));
  t.deepEqual(seen.errors, []);
});

linux('a socket that another program holds is told, once, and polling goes on', async (t) => {
  const place = scratchPlace(t);
  await fakeWriter(t, place, () => undefined, 'another secret');
  const seen = follow(t, place, 50);
  await new SnapshotFile(place, 'k').write(snapshotOf(1, 1));
  await until(() => seen.snapshots.length === 1 && seen.errors.length > 0, 'both');
  await until(() => seen.follower.status().version === 1 && seen.states.includes('interrupted'), 'interrupted');
  t.regex(seen.errors[0]!.message, /Another program holds the writer's socket/);
  t.is(seen.errors.length, 1);
  t.false(seen.states.includes('live'));
});

linux('garbage closes the connection it came from, and no other', async (t) => {
  const place = scratchPlace(t);
  const { candidate, grants } = await lead(t, place);
  const seen = follow(t, place);
  await until(() => seen.states.at(-1) === 'live', 'live');
  const path = socketName(place, place.token(), 'k');
  const attacks = [
    '\n',
    'x'.repeat(100_000),
    '["join"]\n',
    '["ack",0]\n',
    '["ack",1]\n',
    `["join",1,"aa","${'0'.repeat(64)}",0,0]\n`,
    '["join",1,"aa","bb",1e999,0]\n',
    '{"__proto__":1}\n',
    '[[]]\n',
  ];
  for (const attack of attacks) {
    const socket = connect(path);
    socket.on('error', () => undefined);
    socket.resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(attack);
    await closed;
  }
  await candidate.publish(snapshotOf(grants[0]!.epoch, 1));
  await until(() => seen.snapshots.length === 1, 'told');
  t.is(candidate.status().readers, 1);
  t.is(seen.follower.status().connections, 1);
});

test('a bad file is told once and tried once; the next good one is taken', async (t) => {
  const place = scratchPlace(t);
  const file = new SnapshotFile(place, 'k');
  writeFileSync(file.path, 'x'.repeat(500), { mode: 0o600 });
  const seen = follow(t, place, 10);
  await until(() => seen.errors.length === 1, 'told');
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 20);
  await until(() => turns >= 10, 'some polls');
  clearInterval(timer);
  t.is(seen.follower.status().refused, 1);
  await file.write(snapshotOf(1, 1));
  await until(() => seen.snapshots.length === 1, 'taken');
  t.is(seen.errors.length, 1);
  writeFileSync(file.path, 'y'.repeat(500), { mode: 0o600 });
  await until(() => seen.follower.status().refused === 2, 'refused');
  t.is(seen.follower.status().version, 1);
});

test('publishes: only by the writer, only under its epoch, only newer; of those that wait only the newest is made', async (t) => {
  const place = scratchPlace(t);
  const { candidate, grants } = await lead(t, place);
  const second = leadHost({ place, key: 'k', onSnapshot: () => undefined, onGranted: () => undefined });
  t.teardown(() => second.close());
  await t.throwsAsync(second.publish(snapshotOf(1, 1)), { code: 'ERR_STORE', message: /not the key's writer/ });
  const { epoch } = grants[0]!;
  await t.throwsAsync(candidate.publish(snapshotOf(epoch + 1, 1)), { code: 'ERR_STORE', message: /was granted 1/ });
  await t.throwsAsync(candidate.publish(snapshotOf(epoch, 1, Buffer.alloc(65 * 1024 * 1024))), { code: 'ERR_SNAPSHOT_TOO_LARGE' });
  const seen = follow(t, place);
  await until(() => seen.states.at(-1) === 'live', 'live');
  await Promise.all(Array.from({ length: 50 }, (_, index) => candidate.publish(snapshotOf(epoch, index + 1))));
  await until(() => seen.snapshots.at(-1)?.version === 50, 'the newest');
  t.true(seen.snapshots.length <= 2, `only the first and the last were written, ${seen.snapshots.length} seen`);
  await t.throwsAsync(candidate.publish(snapshotOf(epoch, 50)), { code: 'ERR_STORE', message: /newer than epoch 1, version 50/ });
});

for (const sockets of KINDS) {
  test(`${sockets}: a directory deleted in use is made anew, and readers that were ahead are caught up with`, async (t) => {
    const place = scratchPlace(t, sockets);
    const { candidate, grants } = await lead(t, place);
    const seen = follow(t, place, 50);
    await candidate.publish(snapshotOf(1, 7));
    await until(() => seen.snapshots.length === 1 && seen.states.at(-1) === 'live', 'told');
    rmSync(place.directory, { recursive: true });
    // A socket file goes with its directory, and so does the lease: it is taken anew, under a higher epoch.
    const publish = async (): Promise<boolean> => {
      const epoch = grants.at(-1)!.epoch;
      return candidate.publish(snapshotOf(epoch, 8)).then(
        () => true,
        () => false,
      );
    };
    await until(publish, 'published again');
    await until(() => seen.snapshots.at(-1)?.version === 8, 'told again');
    t.true(existsSync(join(place.directory, 'token')));

    // All traces are deleted and the writer goes: who comes next knows of no epoch but what a reader tells.
    const before = seen.snapshots.at(-1)!;
    await candidate.close();
    rmSync(place.directory, { recursive: true });
    const next = await lead(t, place);
    await until(() => next.grants.at(-1)!.epoch > before.epoch, 'a higher epoch');
    await candidate.close();
    await next.candidate.publish(snapshotOf(next.grants.at(-1)!.epoch, 9));
    await until(() => seen.snapshots.at(-1)?.version === 9, 'the follower has it');
  });
}

test('a reader that is ahead in the same epoch makes the writer take a later one', async (t) => {
  const place = scratchPlace(t);
  const { grants, lost } = await lead(t, place);
  t.is(grants.at(-1)!.epoch, 1);
  // It has a version of another writer of epoch 1, whose traces were deleted when this one was granted the same epoch.
  const token = place.token();
  const ignore = (): void => undefined;
  const reader = new WriterConnection({
    path: (await writerAddress(place, token, 'k'))!,
    token,
    key: 'k',
    clock: systemClock,
    ref: false,
    have: () => ({ epoch: 1, version: 8 }),
    onJoined: ignore,
    onHeard: ignore,
    onNews: ignore,
    onSilence: ignore,
    onEnd: ignore,
  });
  t.teardown(() => reader.close());
  await until(() => grants.at(-1)!.epoch === 2, 'a later epoch');
  t.is(lost.length, 1);
});

linux('a token that was replaced ends the term of the writer that had the old one', async (t) => {
  const place = scratchPlace(t);
  const { candidate, grants, lost } = await lead(t, place);
  await candidate.publish(snapshotOf(1, 1));
  rmSync(join(place.directory, 'token'));
  place.token();
  await t.throwsAsync(candidate.publish(snapshotOf(1, 2)), { code: 'ERR_STORE', message: /lease was lost/ });
  await until(() => grants.length === 2, 'granted anew');
  t.is(lost.length, 1);
  t.is(grants[1]!.epoch, 2);
  t.is(grants[1]!.last!.version, 1);
});

test('one of two followers is blocked for 5 s: the writer and the other one go on, and it ends at the newest', async (t) => {
  const options = { namespace: t.title, directory: scratch(t), size: 100_000 };
  const writer = new Member(t, { ...options, role: 'lead' });
  await until(() => writer.of('granted').length === 1, 'granted');
  const blocked = new Member(t, { ...options, role: 'follow' });
  const free = new Member(t, { ...options, role: 'follow' });
  await until(() => [blocked, free].every((member) => member.of('live').length === 1), 'live');
  await writer.ask({ do: 'publish', times: 500 });
  const before = (await writer.ask({})).rss!;
  const answer = blocked.ask({ do: 'block', ms: 5000 });
  let rounds = 0;
  let awake = false;
  void answer.then(() => (awake = true));
  while (!awake) {
    await writer.ask({ do: 'publish', times: 500 });
    rounds += 1;
    await until(() => free.of('snapshot').at(-1)?.version === 500 + rounds * 500, 'the free one is up to date');
  }
  const last = 500 + rounds * 500;
  await until(() => blocked.of('snapshot').at(-1)?.version === last, 'the blocked one, too');
  t.true(rounds > 1);
  t.true(blocked.of('snapshot').length < free.of('snapshot').length);
  const grown = (await writer.ask({})).rss! - before;
  t.log(`${rounds * 500} publishes of 100 kB meanwhile; the writer's memory changed by ${(grown / 1e6).toFixed(1)} MB`);
  t.true(grown < 50e6, 'far less than what was published');
  checkHistory(t, blocked);
  checkHistory(t, free);
});

linux('file descriptors stay as many over 1,000 publishes and 200 connections', async (t) => {
  const options = { namespace: t.title, directory: scratch(t) };
  const writer = new Member(t, { ...options, role: 'lead' });
  const follower = new Member(t, { ...options, role: 'follow' });
  await until(() => writer.of('granted').length === 1 && follower.of('live').length === 1, 'live');
  const place = hostPlace({ namespace: t.title, directory: options.directory });
  await writer.ask({ do: 'publish', times: 10 });
  const before = (await writer.ask({})).fds!;
  const followerBefore = (await follower.ask({})).fds!;
  await writer.ask({ do: 'publish', times: 1000 });
  for (let round = 0; round < 200; round += 1) {
    const seen = followHost({ place, key: 'k', onSnapshot: () => undefined });
    await until(() => seen.status().connections === 1, 'connected');
    await seen.close();
  }
  await until(async () => (await writer.ask({})).status!.readers === 1, 'all gone');
  // A file that is just being written or read counts for a moment, then as now.
  await until(async () => (await writer.ask({})).fds! <= before, 'no more descriptors in the writer');
  await until(() => follower.of('snapshot').at(-1)?.version === 1010, 'up to date');
  await until(async () => (await follower.ask({})).fds! <= followerBefore, 'no more descriptors in the follower');
  t.is(readdirSync(place.directory).length, 3);
});

test('an open follower and an open candidate keep no process alive, and closing twice is well', async (t) => {
  const fixture = fileURLToPath(new URL('fixtures/idle.js', import.meta.url));
  const child = spawn(process.execPath, [fixture, scratch(t)], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'exit');
  t.is(code, 0);
  t.is(output, 'granted, published, seen\n');

  const place = scratchPlace(t);
  const { candidate } = await lead(t, place);
  await Promise.all([candidate.close(), candidate.close()]);
  await candidate.close();
  t.is(candidate.status().state, 'closed');
  await t.throwsAsync(candidate.publish(snapshotOf(1, 1)), { code: 'ERR_STORE' });
});

test('it works in worker threads', async (t) => {
  const { Worker } = await import('node:worker_threads');
  const directory = scratch(t);
  const worker = new Worker(new URL('fixtures/idle.js', import.meta.url), { argv: [directory], stdout: true });
  let output = '';
  worker.stdout.on('data', (chunk: Buffer) => (output += chunk));
  const [code] = await once(worker, 'exit');
  t.is(code, 0);
  t.is(output, 'granted, published, seen\n');
});
