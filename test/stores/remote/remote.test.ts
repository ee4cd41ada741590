import test from 'ava';
import { StoreError, TimeoutError, WireFormatError } from '../../../dist/core/errors.js';
import { Written } from '../../../dist/stores/objects/written.js';
import { Breaker } from '../../../dist/stores/remote/breaker.js';
import { RemoteCalls } from '../../../dist/stores/remote/calls.js';
import { EntryCodec } from '../../../dist/stores/remote/entry-codec.js';
import { LastWritten } from '../../../dist/stores/remote/last-written.js';
import { type RemoteOptions, remoteSettings } from '../../../dist/stores/remote/options.js';
import { type FakeClock, fakeClock } from '../../../dist/testing/index.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function make(options: RemoteOptions = {}): { calls: RemoteCalls; clock: FakeClock } {
  const clock = fakeClock();
  return { calls: new RemoteCalls({ store: 'Test' }, remoteSettings('Test', { ...options, clock })), clock };
}

const never = (): Promise<never> => new Promise(() => undefined);

test('a read has a second and a write two, one turn of the event loop more, and its signal is aborted', async (t) => {
  const { calls, clock } = make();
  let signal: AbortSignal | undefined;
  const ended: string[] = [];
  const read = calls.read('get', (call) => {
    signal = call.signal;
    return never();
  });
  const write = calls.write('set', never);
  void read.catch(() => ended.push('read'));
  void write.catch(() => ended.push('write'));
  clock.advance(999);
  await turn();
  t.deepEqual(ended, []);
  clock.advance(1);
  await turn();
  t.deepEqual(ended, ['read']);
  const error = await t.throwsAsync(read, { instanceOf: TimeoutError, message: "Test didn't answer `get` within 1 s" });
  t.true(signal?.aborted);
  t.is(signal?.reason, error);
  clock.advance(1000);
  await turn();
  t.deepEqual(ended, ['read', 'write']);
  t.is(clock.timers, 0);
});

test('each of many operations has its own deadline, with one timer for all', async (t) => {
  const { calls, clock } = make({ breaker: false });
  const ended: number[] = [];
  for (let i = 0; i < 5; i++) {
    calls.read('get', never).catch(() => ended.push(i));
    clock.advance(100);
  }
  t.is(clock.timers, 1);
  for (let i = 0; i < 5; i++) {
    clock.advance(i === 0 ? 500 : 100);
    await turn();
    t.is(ended.length, i + 1);
  }
  t.is(clock.timers, 0);
});

test('an answer in the turn after the deadline counts; a later one is dropped', async (t) => {
  const { calls, clock } = make();
  let answer: (value: string) => void = () => undefined;
  const pending = calls.read('get', () => new Promise<string>((resolve) => (answer = resolve)));
  clock.advance(5000);
  answer('in time');
  t.is(await pending, 'in time');

  let late: (reason: Error) => void = () => undefined;
  const lost = calls.read('get', () => new Promise<string>((_, reject) => (late = reject)));
  clock.advance(5000);
  await t.throwsAsync(lost, { instanceOf: TimeoutError });
  late(new Error('too late'));
  await turn();
  t.pass();
});

test('the time in which this thread was busy is no part of a deadline', async (t) => {
  const clock = fakeClock();
  const busy = 400;
  const late = { ...clock, setTimer: (callback: () => void, delay: number) => clock.setTimer(callback, delay + busy) };
  const calls = new RemoteCalls({ store: 'Test' }, remoteSettings('Test', { clock: late }));
  let ended = false;
  const pending = calls.read('get', never);
  pending.catch(() => (ended = true));
  clock.advance(1000 + busy);
  await turn();
  t.false(ended, 'as long again as it was busy');
  clock.advance(2 * busy);
  await turn();
  t.true(ended, 'but once');
  await t.throwsAsync(pending, { instanceOf: TimeoutError });
});

test('a failure is a StoreError with its cause; what `finish` throws is no failure of the store', async (t) => {
  const { calls } = make({ breaker: { failures: 1 } });
  await t.throwsAsync(
    calls.read(
      'get',
      () => Promise.resolve(1),
      () => {
        throw new RangeError('mine');
      },
    ),
    { instanceOf: RangeError },
  );
  const cause = Object.assign(new Error('connect to secret'), { code: 'ECONNREFUSED' });
  const error = await t.throwsAsync(
    calls.read('get', () => Promise.reject(cause)),
    { instanceOf: StoreError },
  );
  t.is(error?.message, 'Test failed to get: ECONNREFUSED');
  t.is(error?.cause, cause);
  await t.throwsAsync(
    calls.read('get', () => Promise.resolve(1)),
    { message: /not asked for a while/ },
  );
});

test('a client that throws instead of rejecting fails alike', async (t) => {
  const { calls } = make();
  await t.throwsAsync(
    calls.read('get', () => {
      throw new Error('synchronously');
    }),
    { instanceOf: StoreError },
  );
});

const breaker = (): { breaker: Breaker; clock: FakeClock; fail: (times: number) => void } => {
  const clock = fakeClock();
  const made = new Breaker({ store: 'Test', failures: 3, cooldown: 1000, clock });
  const fail = (times: number): void => {
    for (let i = 0; i < times; i++) made.failed('call', new Error('down'));
  };
  return { breaker: made, clock, fail };
};

test('the breaker opens after failures in a row, and only then', (t) => {
  const { breaker: made, fail } = breaker();
  fail(2);
  made.succeeded();
  fail(2);
  t.is(made.enter(), 'call');
  fail(1);
  t.is(made.state, 'open');
  t.true(made.enter() instanceof StoreError);
  t.is(made.enter(), made.enter());
});

test('after the cooldown one call probes: its success closes, its failure opens for twice as long', (t) => {
  const { breaker: made, clock, fail } = breaker();
  fail(3);
  const refusal = made.enter();
  for (const wait of [1000, 2000, 4000, 8000, 8000]) {
    clock.advance(wait - 1);
    t.is(made.enter(), refusal);
    clock.advance(1);
    t.is(made.enter(), 'probe');
    t.is(made.state, 'probing');
    t.is(made.enter(), refusal, 'one at a time');
    fail(5);
    t.is(made.state, 'probing', 'calls from before change nothing');
    made.failed('probe', new Error('down'));
  }
  clock.advance(8000);
  t.is(made.enter(), 'probe');
  made.succeeded();
  t.is(made.state, 'closed');
  t.is(made.enter(), 'call');
  fail(3);
  clock.advance(1000);
  t.is(made.enter(), 'probe', 'the cooldown is short again');
});

test('a call that began before it opened, and succeeds, closes it', (t) => {
  const { breaker: made, fail } = breaker();
  fail(3);
  made.succeeded();
  t.is(made.enter(), 'call');
});

test('what is read is told of once: to onError and the listener, or to the listener, or as a warning', (t) => {
  const bytes = Buffer.from('no entry');
  const heard: [string, boolean | undefined][] = [];
  const onError = (error: Error): void => void heard.push([error.name, undefined]);
  const onFault = (error: Error, isReported: boolean): void => void heard.push([error.name, isReported]);
  new EntryCodec('Test', remoteSettings('Test', { onError })).decode('key', bytes, onFault);
  new EntryCodec('Test', remoteSettings('Test', {})).decode('key', bytes, onFault);
  t.deepEqual(heard, [
    ['WireFormatError', undefined],
    ['WireFormatError', true],
    ['WireFormatError', false],
  ]);
});

test.serial('without anyone to tell, it is a process warning', async (t) => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  new EntryCodec('Test', remoteSettings('Test', {})).decode('key', Buffer.from('no entry'));
  t.regex((await warned).message, /Test found what is no entry: WireFormatError/);
});

test('what a serializer of somebody else throws, or answers, stays out of messages', (t) => {
  const faults: Error[] = [];
  const settings = remoteSettings('Test', {
    serializer: {
      dumps: () => 'a string' as never,
      loads: (bytes) => {
        throw new Error(`canary ${Buffer.from(bytes).toString()}`);
      },
    },
    onError: (error) => void faults.push(error),
  });
  const codec = new EntryCodec('Test', settings);
  t.throws(() => codec.payload(1), { message: /Uint8Array/ });
  t.is(codec.decode('key', codec.encode('key', Buffer.from('canary'), Infinity, 1)), undefined);
  t.true(faults[0] instanceof WireFormatError);
  t.notRegex(`${faults[0]?.stack} ${String(faults[0]?.cause)}`, /canary/);
});

test('the digests that are remembered are bounded, the last written ones', (t) => {
  const last = new LastWritten();
  for (let i = 0; i < 10_001; i++) last.remember(`key ${i}`, 'digest');
  t.false(last.isLast('key 0', 'digest'));
  t.true(last.isLast('key 1', 'digest'));
  t.true(last.isLast('key 10000', 'digest'));
  t.false(last.isLast('key 1', 'other'));
  last.forget('key 1');
  t.false(last.isLast('key 1', 'digest'));
});

test('so are those of objects, with their tags', (t) => {
  const written = new Written();
  for (let i = 0; i < 10_001; i++) written.remember(`name ${i}`, 'digest', `tag ${i}`);
  t.is(written.tag('name 0', 'digest'), undefined);
  t.is(written.tag('name 1', 'digest'), 'tag 1');
  t.is(written.tag('name 10000', 'digest'), 'tag 10000');
  t.is(written.tag('name 1', 'other'), undefined);
});
