import test from 'ava';
import { SingleFlight } from '../../dist/concurrency/single-flight.js';

test('calls of one key share one load; other keys do not', async (t) => {
  const flights = new SingleFlight<string, number>();
  let runs = 0;
  const load = async (): Promise<number> => ++runs;
  const [a, b, c] = await Promise.all([flights.run('a', load), flights.run('a', load), flights.run('b', load)]);
  t.deepEqual([a, b, c], [1, 1, 2]);
  t.is(flights.size, 0);
});

test('a rejection goes to all who joined and is not kept', async (t) => {
  const flights = new SingleFlight<string, number>();
  const fail = async (): Promise<number> => {
    throw new Error('down');
  };
  const all = await Promise.allSettled([flights.run('a', fail), flights.run('a', fail)]);
  t.true(all.every((one) => one.status === 'rejected'));
  t.is(flights.size, 0);
  t.is(await flights.run('a', async () => 5), 5);
});

test('a value and a throw land at once', (t) => {
  const flights = new SingleFlight<string, number>();
  t.is(
    flights.run('a', () => 1),
    1,
  );
  t.throws(
    () =>
      flights.run('a', () => {
        throw new Error('down');
      }),
    { message: 'down' },
  );
  t.is(flights.size, 0);
});

test('a forgotten flight takes nothing that is not its own with it', async (t) => {
  const flights = new SingleFlight<string, number>();
  let end = (_value: number): void => {};
  let wasCurrent: boolean | undefined;
  const old = flights.run('a', async (flight) => {
    const value = await new Promise<number>((resolve) => (end = resolve));
    wasCurrent = flight.current;
    return value;
  });
  flights.forget('a');
  t.is(flights.joinable('a'), undefined);
  let endNew = (_value: number): void => {};
  const fresh = flights.run('a', () => new Promise<number>((resolve) => (endNew = resolve)));
  end(1);
  t.is(await old, 1);
  t.false(wasCurrent);
  t.is(flights.size, 1, 'the landing of the old one left the new one in the air');
  endNew(2);
  t.is(await fresh, 2);
  t.is(flights.size, 0);
});

test('a thenable that is no Promise is one to join', async (t) => {
  const flights = new SingleFlight<string, number>();
  const thenable = { then: (resolve: (value: number) => void) => void setImmediate(resolve, 7) } as unknown as PromiseLike<number>;
  const first = flights.run('a', () => thenable);
  t.is(
    flights.run('a', () => 8),
    first,
  );
  t.is(await first, 7);
});
