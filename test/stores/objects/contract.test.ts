import test from 'ava';
import { fakeClock, storeContract } from '../../../dist/testing/index.js';
import type { Scope } from '../../support/process.js';
import { KINDS } from './kinds.js';

/** What ends with this test file rather than with one test. */
const ends: (() => unknown)[] = [];
const scope: Scope = { teardown: (undo) => void ends.push(undo) };
test.after.always(async () => {
  for (const end of ends.reverse()) await end();
});

const secret = 'a secret of more than 16 bytes';

for (const { name, server, store } of KINDS) {
  for (const options of [{}, { dedupeWrites: true }, { secret }, { secret, dedupeWrites: true }]) {
    const title = [name, ...Object.keys(options)].join(', ');
    const clock = fakeClock();
    const rules = storeContract(async () => store(scope, await server(scope), { ...options, clock }), {
      now: () => clock.wall() / 1000,
      advance: (seconds) => clock.advance(seconds * 1000),
    });
    for (const rule of rules) {
      // One clock for all of these: they may not run at the same time.
      test.serial(`${title}: ${rule.name}`, async (t) => {
        await t.notThrowsAsync(rule.run);
      });
    }
  }
}
