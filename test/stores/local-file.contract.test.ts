import test from 'ava';
import { ChainCache } from '../../dist/stores/chain.js';
import { InMemCache } from '../../dist/index.js';
import { LocalFileCache } from '../../dist/stores/local-file.js';
import { fakeClock, storeContract } from '../../dist/testing/index.js';
import { tempDir } from '../support/process.js';

const ends: (() => unknown)[] = [];
const scope = { teardown: (undo: () => unknown) => void ends.push(undo) };
test.after.always(async () => {
  for (const end of ends) await end();
});

const secret = 'a secret of more than 16 bytes';

// In real time two seconds are the shortest life: all of these run at once, on a disk that others use as well.
for (const { name, run } of storeContract(() => new LocalFileCache(tempDir(scope)), { shortest: 2 })) {
  test(`LocalFileCache, real time: ${name}`, async (t) => {
    await t.notThrowsAsync(run);
  });
}

for (const options of [
  { compress: 'none' },
  { compress: 'brotli' },
  { dedupeWrites: true },
  { serializer: 'v8' },
  { secret },
  { secret, dedupeWrites: true },
] as const) {
  const clock = fakeClock();
  const rules = storeContract(() => new LocalFileCache(tempDir(scope), { ...options, clock }), {
    now: () => clock.wall() / 1000,
    advance: (seconds) => clock.advance(seconds * 1000),
  });
  for (const { name, run } of rules) {
    // One clock for all of these: they may not run at the same time.
    test.serial(`LocalFileCache ${JSON.stringify(options)}: ${name}`, async (t) => {
      await t.notThrowsAsync(run);
    });
  }
}

for (const { name, run } of storeContract(() => ChainCache.build(new InMemCache(), new LocalFileCache(tempDir(scope))), { shortest: 2 })) {
  test(`ChainCache, memory and files: ${name}`, async (t) => {
    await t.notThrowsAsync(run);
  });
}

for (const { name, run } of storeContract(
  () => ChainCache.build(new LocalFileCache(tempDir(scope)), new LocalFileCache(tempDir(scope), { compress: 'none' })),
  { shortest: 2 },
)) {
  test(`ChainCache, files and files: ${name}`, async (t) => {
    await t.notThrowsAsync(run);
  });
}
