import { crc32 } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { type Clock, systemClock } from '../../../dist/core/clock.js';
import { CONFIRM, PUBLISH, RENEW } from '../../../dist/link/redis/scripts.js';
import { encodeEntry } from '../../../dist/wire/entry.js';
import { type Child, spawnNode, until } from '../../support/process.js';
import { noRedis, type RedisServer, startRedis } from '../../support/redis.js';
import { bytesOf, faultOf, follow, granted, leader, stand } from './support.js';

// One after the other: leases of less than a second are lost in a process that does three things at a time.
const redisTest = noRedis ? test.skip : test.serial;
const hint = noRedis ? ` (${noRedis})` : '';
const MEMBER = new URL('./fixtures/member.js', import.meta.url);
const NAMES = ['app:flags', '{app:flags}:m', '{app:flags}:l'];

/** A clock that can be stopped: the process that has it doesn't notice that time passes, as one that is paused. */
function stoppable(): Clock & { stop(): void; go(): void } {
  let stopped: number | undefined;
  const waiting: (() => void)[] = [];
  return {
    wall: () => Date.now(),
    monotonic: () => stopped ?? systemClock.monotonic(),
    setTimer: (callback, delay) => systemClock.setTimer(() => void (stopped === undefined ? callback() : waiting.push(callback)), delay),
    stop: () => {
      stopped = systemClock.monotonic();
    },
    go: () => {
      stopped = undefined;
      for (const callback of waiting.splice(0)) callback();
    },
  };
}

redisTest(`a writer that was paused wakes in the middle of its work: it is refused, stops, and stands by${hint}`, async (t) => {
  const server = await startRedis(t);
  const clock = stoppable();
  const zombie = await leader(t, server.client(), { clock, leaseMs: 2000 });
  await zombie.next();
  const reader = follow(t, server.client());
  clock.stop();
  const heir = await leader(t, server.client(), { leaseMs: 2000 });
  await heir.next();
  // By its own clock its lease is good still, so it asks; its time may pass for it only then.
  await t.throwsAsync(zombie.next(), { message: /^FENCED: the lease was lost, since another writer has epoch \d+$/ });
  t.is(zombie.lost.length, 1);
  await t.throwsAsync(zombie.next(), { message: /not the key's writer/ });
  clock.go();
  await until(() => zombie.followings > 0 && zombie.version === 2, { what: 'it follows' });
  await heir.next();
  await until(() => reader.version === 3 && zombie.version === 3, { what: 'all have the next' });
  t.is(faultOf(reader.snapshots), undefined);
  t.is(zombie.grants.length, 1, 'it does not fight');
  t.deepEqual(heir.lost, []);
});

redisTest(`a thousand publishes under an old epoch, between those of the new writer: all refused${hint}`, async (t) => {
  const server = await startRedis(t);
  const client = server.client();
  const old = await leader(t, client, { id: 'old' });
  await old.next();
  const { epoch } = old;
  await old.candidate.close();
  const writer = await leader(t, server.client(), { id: 'new' });
  const reader = follow(t, server.client());
  const zombie = (e: number, id: string, version: number, bytes: Uint8Array) =>
    client.eval(
      PUBLISH.text,
      3,
      ...NAMES,
      ...[e, id, version, crc32(bytes), bytes.length, 'json', 'inf', 0, '{app:flags}:n'],
      encodeEntry(bytes, Infinity, 1),
      ...['', ''],
    ) as Promise<string[]>;
  const words = new Map<string, number>();
  const attempts: Promise<unknown>[] = [];
  for (let i = 0; i < 1000; i++) {
    const [e, id] = i % 3 === 0 ? [epoch, 'old'] : i % 3 === 1 ? [writer.epoch, 'old'] : [epoch, 'new'];
    attempts.push(zombie(e, id, 1 + i, bytesOf(e, 1 + i)).then(([word = '']) => words.set(word, (words.get(word) ?? 0) + 1)));
    if (i % 10 === 0) await writer.next();
  }
  await Promise.all(attempts);
  t.deepEqual([...words], [['FENCED', 1000]]);
  await until(() => reader.version === 101, { what: 'the newest' });
  t.is(faultOf(reader.snapshots), undefined);
  t.true(reader.snapshots.every((snapshot) => snapshot.epoch === writer.epoch || snapshot.version === 1));
  t.deepEqual(reader.errors, []);

  // The writer's own, again: the same is welcome, other content under the same numbers is not.
  const mine = bytesOf(writer.epoch, 101);
  t.is((await zombie(writer.epoch, 'new', 101, mine))[0], 'OK');
  t.is((await zombie(writer.epoch, 'new', 101, Buffer.from('"other"')))[0], 'REPLAY');
  t.is((await zombie(writer.epoch, 'new', 100, bytesOf(writer.epoch, 100)))[0], 'REPLAY');
  const confirm = (e: number, id: string, version: number) =>
    client.eval(CONFIRM.text, 3, ...NAMES, e, id, version, 0, '{app:flags}:n', '', '') as Promise<string[]>;
  t.is((await confirm(epoch, 'old', 1))[0], 'FENCED');
  t.is((await confirm(writer.epoch, 'new', 100))[0], 'MISSING');
  // Nor can it take the lease back.
  t.is(((await client.eval(RENEW.text, 3, ...NAMES, epoch, 'old', 1000, 1)) as string[])[0], 'FENCED');
  await client.del('{app:flags}:l');
  t.is(((await client.eval(RENEW.text, 3, ...NAMES, epoch, 'old', 1000, 1)) as string[])[0], 'FENCED');
});

redisTest(`two candidates started at once, two hundred times: one at a time, and never two epochs out of order${hint}`, async (t) => {
  const server = await startRedis(t);
  const clients = [server.client(), server.client(), server.client()] as const;
  const round = async (i: number): Promise<void> => {
    const options = { key: `round:${i}`, pollInterval: 300 };
    const clocks = [stoppable(), stoppable()];
    const reader = follow(t, clients[2], options);
    const pair = clocks.map((clock, c) => stand(t, clients[c] as (typeof clients)[0], { ...options, clock }));
    const first = await until(() => pair.find(({ grants }) => grants.length > 0), { what: 'one was granted', deadline: 30_000 });
    const second = pair.find((one) => one !== first) as typeof first;
    t.is(second.grants.length, 0);
    await first.next();
    // Half of them are paused until their lease has run out, the others give up.
    if (i % 2 === 0) {
      clocks[pair.indexOf(first)]?.stop();
      // Until it has worked: a renewal that was on its way has the lease again, for its whole life.
      await until(
        async () => {
          if (second.grants.length > 0) return true;
          await clients[2].del(`{app:round:${i}}:l`);
          return false;
        },
        { what: 'the other one was granted', deadline: 30_000 },
      );
    } else {
      void first.candidate.release();
      await granted(second);
    }
    const late =
      i % 2 === 0
        ? first.next().then(
            () => 'stored',
            () => 'refused',
          )
        : 'refused';
    await second.next();
    await second.next();
    t.is(await late, 'refused');
    t.true(second.epoch > first.epoch);
    await until(() => reader.version === 3, { what: 'the reader has the newest' });
    t.is(faultOf(reader.snapshots), undefined);
    clocks[pair.indexOf(first)]?.go();
    await Promise.all([reader.follower.close(), ...pair.map(({ candidate }) => candidate.close())]);
  };
  for (let i = 0; i < 200; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => round(i + k)));
});

interface Told {
  readonly event: string;
  readonly epoch?: number;
  readonly version?: number;
  readonly at: number;
  readonly message?: string;
}

/** A candidate in a child process, and all that it told. */
class Member {
  readonly child: Child;

  constructor(t: ExecutionContext, server: RedisServer, options: object) {
    this.child = spawnNode(t, MEMBER, { args: [JSON.stringify({ address: server.address, ...options })] });
  }

  of(event: string): Told[] {
    return this.child.lines.map((line) => JSON.parse(line.slice(1)) as Told).filter((told) => told.event === event);
  }

  /** The `n`th time that it told of this. */
  told(event: string, n = 1): Promise<Told> {
    return until(() => this.of(event)[n - 1], { what: `${event} for the ${n}th time` });
  }
}

/** Which of them is granted the role next. */
function nextOf(members: readonly Member[]): Promise<Member> {
  const before = new Map(members.map((one) => [one, one.of('granted').length]));
  return until(() => members.find((one) => one.of('granted').length > (before.get(one) ?? 0)), { what: 'another one is granted' });
}

redisTest(`killed, stopped, blocked: another process takes over within the lease, and what wakes is refused${hint}`, async (t) => {
  const server = await startRedis(t);
  const leaseMs = 1500;
  const reader = follow(t, server.client());
  const start = (id: string): Member => new Member(t, server, { id, leaseMs, pollInterval: 60_000 });
  const writer = start('a');
  await writer.told('granted');
  writer.child.send({ publish: true });
  await writer.told('published');
  const others = [start('b'), start('c')];
  await Promise.all(others.map((one) => one.told('following')));
  const heirOf = async (what: string, fault: () => void, members: Member[]): Promise<Member> => {
    const began = systemClock.monotonic();
    const next = nextOf(members);
    fault();
    const heir = await next;
    const took = systemClock.monotonic() - began;
    t.true(took < leaseMs + 1000, `${what}: ${took} ms`);
    t.log(`${what}: taken over after ${took.toFixed()} ms of a lease of ${leaseMs}`);
    heir.child.send({ publish: true });
    await heir.told('published', heir.of('granted').length);
    return heir;
  };

  const heir = await heirOf('killed', () => writer.child.kill('SIGKILL'), others);
  const other = others.find((one) => one !== heir) as Member;

  t.is(await heirOf('stopped', () => heir.child.kill('SIGSTOP'), [other]), other);
  heir.child.kill('SIGCONT');
  await heir.told('lost');
  heir.child.send({ publish: true });
  t.regex((await heir.told('refused')).message ?? '', /not the key's writer/);
  await heir.told('following');

  // A blocked loop: its next step is a publish, before any timer had its turn.
  t.is(await heirOf('blocked', () => other.child.send({ block: leaseMs * 2, then: 'publish' }), [heir]), heir);
  t.regex((await other.told('refused')).message ?? '', /^FENCED|not the key's writer/);
  await until(() => reader.version === 4, { what: 'the reader has all' });
  t.true(reader.snapshots.every(({ epoch, version }, i) => version === i + 1 && epoch > (reader.snapshots[i - 1]?.epoch ?? 0)));
});

redisTest(`writers killed at random moments of their publishes: nothing goes back, and somebody always goes on${hint}`, async (t) => {
  const server = await startRedis(t);
  const start = (): Member => new Member(t, server, { leaseMs: 500, pollInterval: 100, every: 3 });
  const readers = [follow(t, server.client()), follow(t, server.client())];
  let members = [start(), start(), start()];
  for (let i = 0; i < 10; i++) {
    const writer = await until(
      () => members.find((one) => one.of('published').length > 0 && one.of('granted').length > one.of('lost').length),
      {
        what: 'one of them publishes',
      },
    );
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    writer.child.kill('SIGKILL');
    members = [...members.filter((one) => one !== writer), start()];
  }
  for (const { child } of members) child.send({ close: true });
  await Promise.all(members.map(({ child }) => child.exited));
  const newest = Number(await server.client().hget('{app:flags}:m', 'v'));
  await until(() => readers.every((reader) => reader.version === newest), { what: 'readers have the newest' });
  for (const { snapshots } of readers) {
    const wrong = snapshots.findIndex(({ epoch, version }, i) => {
      const before = snapshots[i - 1];
      return before && (epoch < before.epoch || (epoch === before.epoch && version <= before.version));
    });
    t.is(wrong, -1);
    t.log(`${snapshots.length} snapshots of ${new Set(snapshots.map(({ epoch }) => epoch)).size} epochs seen`);
  }
});
