import test from 'ava';
import { InMemCache, InMemoryMetrics, InstrumentedStorage } from '../../dist/index.js';
import { fakeClock, storeContract } from '../../dist/testing/index.js';

for (const { name, run } of storeContract(() => new InMemCache())) {
  test(`InMemCache, real time: ${name}`, async (t) => {
    await t.notThrowsAsync(run);
  });
}

for (const bounds of [{}, { maxEntries: 1000 }, { maxBytes: 10_000_000 }]) {
  const clock = fakeClock();
  const rules = storeContract(() => new InMemCache({ ...bounds, clock }), {
    now: () => clock.wall() / 1000,
    advance: (seconds) => clock.advance(seconds * 1000),
  });
  for (const { name, run } of rules) {
    // One clock for all of these: they may not run at the same time.
    test.serial(`InMemCache ${JSON.stringify(bounds)}, fake time: ${name}`, async (t) => {
      await t.notThrowsAsync(run);
    });
  }
}

for (const { name, run } of storeContract(() => new InstrumentedStorage(new InMemCache(), new InMemoryMetrics(), 'L1'))) {
  test(`InstrumentedStorage: ${name}`, async (t) => {
    await t.notThrowsAsync(run);
  });
}
