import test from 'ava';
import { InMemCache, InMemoryMetrics, InstrumentedStorage } from '../../dist/index.js';
import type { CacheStorage, Clock } from '../../dist/index.js';
import { ChainCache } from '../../dist/stores/chain.js';
import { HybridCache } from '../../dist/stores/hybrid.js';
import { fakeClock, storeContract } from '../../dist/testing/index.js';
import { Driven } from './support/driven.js';

const broken = (mode: Driven['mode']): Driven => Object.assign(new Driven(new InMemCache()), { mode });
const quiet = { onError: () => {} };

const COMPOSITIONS: Readonly<Record<string, (clock: Clock) => CacheStorage>> = {
  'one tier': (clock) => ChainCache.build(new InMemCache({ clock }), { clock }),
  'all synchronous': (clock) => ChainCache.build(new InMemCache({ clock }), new InMemCache({ clock }), { clock }),
  'memory, asynchronous': (clock) => ChainCache.build(new InMemCache({ clock }), new Driven(new InMemCache({ clock })), { clock }),
  'all asynchronous': (clock) =>
    ChainCache.build(...([1, 2, 3].map(() => new Driven(new InMemCache({ clock }))) as [Driven, Driven, Driven]), { clock }),
  'asynchronous, memory': (clock) => ChainCache.build(new Driven(new InMemCache({ clock })), new InMemCache({ clock }), { clock }),
  'an instrumented one': (clock) => {
    const instrumented = (name: string) => new InstrumentedStorage(new InMemCache({ clock }), new InMemoryMetrics(), name);
    return ChainCache.build(instrumented('L1'), instrumented('L2'), { clock });
  },
  'with limits': (clock) =>
    ChainCache.build(new InMemCache({ clock }), new Driven(new InMemCache({ clock })), { clock, ttls: [Infinity, '200d'] }),
  'a chain in a chain': (clock) =>
    ChainCache.build(
      new InMemCache({ clock }),
      ChainCache.build(new Driven(new InMemCache({ clock })), new InMemCache({ clock }), { clock }),
      {
        clock,
      },
    ),
  'a first tier that throws': (clock) => ChainCache.build(broken('throws'), new InMemCache({ clock }), { clock, ...quiet }),
  'a middle tier that rejects': (clock) =>
    ChainCache.build(new InMemCache({ clock }), broken('rejects'), new InMemCache({ clock }), { clock, ...quiet }),
  HybridCache: (clock) =>
    new HybridCache({
      l1Ttl: Infinity,
      l1Cache: new InMemCache({ clock }),
      l2Cache: new Driven(new InMemCache({ clock })),
      clock,
    }),
};

for (const [composition, make] of Object.entries(COMPOSITIONS)) {
  const clock = fakeClock();
  const rules = storeContract(() => make(clock), {
    now: () => clock.wall() / 1000,
    advance: (seconds) => clock.advance(seconds * 1000),
  });
  for (const { name, run } of rules) {
    // One clock for all of these: they may not run at the same time.
    test.serial(`ChainCache, ${composition}: ${name}`, async (t) => {
      await t.notThrowsAsync(run);
    });
  }
}
