import test from 'ava';
import { checkHistory, KINDS, Member, scratch, until, type MemberEvent } from './support.js';

const all = (members: readonly Member[], event: string): MemberEvent[] => members.flatMap((member) => member.of(event));

for (const sockets of KINDS) {
  test.serial(`${sockets}: of eight processes one is granted; killed, another one is, under a higher epoch`, async (t) => {
    const options = { role: 'lead', namespace: t.title, directory: scratch(t), sockets };
    const members = Array.from({ length: 8 }, () => new Member(t, options));
    const times: number[] = [];
    for (let round = 1; round <= 6; round += 1) {
      const granted = await until(() => all(members, 'granted').find(({ epoch }) => epoch === round), `grant ${round}`);
      const writer = members.find(({ pid }) => pid === granted.pid)!;
      const others = members.filter((member) => member !== writer && member.child.signalCode === null);
      await until(
        () =>
          others.every((member) => member.events.findLast(({ event }) => event === 'live' || event === 'interrupted')?.event === 'live'),
        'all stand by',
      );
      t.is(all(members, 'granted').length, round, 'nobody else was granted');
      await writer.ask({ do: 'publish' });
      await until(() => others.every((member) => member.of('snapshot').at(-1)?.epoch === round), 'all have it');

      if (round === 6) break;
      const killed = process.hrtime();
      await writer.kill();
      const next = await until(() => all(members, 'granted').find(({ epoch }) => epoch === round + 1), 'a successor', 10_000);
      times.push(next.at! - (killed[0] * 1000 + killed[1] / 1e6));
      t.is(next.last, round, 'the successor goes on from the last version');
    }
    t.log(`taken over after ${times.map((time) => time.toFixed(1)).join(', ')} ms`);
    for (const member of members) checkHistory(t, member);
  });

  test.serial(`${sockets}: a frozen writer keeps its role and is reported; it wakes, and is live again`, async (t) => {
    const options = { namespace: t.title, directory: scratch(t), sockets };
    const writer = new Member(t, { ...options, role: 'lead' });
    await until(() => writer.of('granted').length === 1, 'granted');
    const standby = new Member(t, { ...options, role: 'lead' });
    const follower = new Member(t, { ...options, role: 'follow' });
    const others = [standby, follower];
    await until(() => others.every((member) => member.of('live').length === 1), 'both live');
    const before = others.map((member) => member.of('interrupted').length);

    writer.signal('SIGSTOP');
    await until(() => others.every((member, index) => member.of('interrupted').length > before[index]!), 'both interrupted');
    // A process that comes now finds the role taken, too.
    const late = new Member(t, { ...options, role: 'lead' });
    await until(() => late.of('interrupted').length > 0, 'the late one is interrupted');
    t.is(standby.of('granted').length + late.of('granted').length, 0);

    writer.signal('SIGCONT');
    await until(() => others.every((member) => member.of('live').length === 2) && late.of('live').length > 0, 'live again');
    t.is(standby.of('granted').length + late.of('granted').length, 0);
    await writer.ask({ do: 'publish' });
    await until(() => [...others, late].every((member) => member.of('snapshot').at(-1)?.version === 1), 'and told');
  });

  test.serial(`${sockets}: a role that is given up goes to another one at once, without a lost publish`, async (t) => {
    const options = { namespace: t.title, directory: scratch(t), sockets, role: 'lead' };
    const members = [new Member(t, options), new Member(t, options)];
    const first = await until(() => members.find((member) => member.of('granted').length === 1), 'granted');
    const second = members.find((member) => member !== first)!;
    await until(() => second.of('live').length > 0, 'standing by');
    first.child.send({ do: 'publish', times: 1, size: 5_000_000 });
    await first.ask({ do: 'release' });
    const granted = await until(() => second.of('granted')[0], 'the other one');
    t.is(granted.last, 1, 'the publish that ran was finished first');
    await until(() => first.of('live').length > 0, 'the first one follows');
    await second.ask({ do: 'close' });
    await until(() => first.of('granted').length === 2, 'and comes back when nobody else is there');
  });

  test.serial(`${sockets}: the workers of a cluster elect exactly one`, async (t) => {
    const primary = new Member(t, { namespace: t.title, directory: scratch(t), sockets, role: 'lead', workers: 4 });
    await until(() => new Set(primary.of('live').map(({ pid }) => pid)).size === 3, 'three stand by');
    const granted = primary.of('granted');
    t.is(granted.length, 1);
    process.kill(granted[0]!.pid, 'SIGKILL');
    const next = await until(() => primary.of('granted')[1], 'the next one');
    t.is(next.epoch, 2);
  });
}

test.serial('a hundred writers killed at random moments of their publishes: nothing torn, nothing backward, nothing left', async (t) => {
  t.timeout(240_000);
  const options = { namespace: t.title, directory: scratch(t), size: 1_000_000 };
  const followers = [new Member(t, { ...options, role: 'follow' }), new Member(t, { ...options, role: 'follow' })];
  const candidates: Member[] = [];
  const enlist = (): number => candidates.push(new Member(t, { ...options, role: 'lead', loop: true }));
  for (let count = 0; count < 3; count += 1) enlist();
  const times: number[] = [];
  let killedAt = 0;
  for (let round = 1; round <= 100; round += 1) {
    const granted = await until(() => all(candidates, 'granted').find(({ epoch }) => epoch === round), `grant ${round}`);
    t.true(granted.whole, 'what the last writer left is whole');
    t.deepEqual(
      granted.files!.filter((name) => name.endsWith('.tmp')),
      [],
    );
    if (killedAt > 0) times.push(granted.at! - killedAt);
    enlist();
    const writer = candidates.find(({ pid }) => pid === granted.pid)!;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
    const [seconds, nanoseconds] = process.hrtime();
    killedAt = seconds * 1000 + nanoseconds / 1e6;
    await writer.kill();
  }
  const last = await until(() => all(candidates, 'granted').find(({ epoch }) => epoch === 101), 'the last one');
  for (const follower of followers) {
    await until(() => follower.of('snapshot').at(-1)?.epoch === last.epoch, 'the followers have the last one');
    t.log(`${checkHistory(t, follower)} snapshots seen over ${new Set(follower.of('snapshot').map(({ epoch }) => epoch)).size} epochs`);
  }
  times.sort((a, b) => a - b);
  t.log(`taken over after ${times[49]!.toFixed(1)} ms (p50), ${times[97]!.toFixed(1)} ms (p99)`);
});
