import { report } from '../core/report.js';
import { AFTER, CONFIRMED, type Ring, VERSION } from './layout.js';

/**
 * Calls `onWake` after publishes and confirmations, coalesced: at least once after the last one. At most one waiter is outstanding; neither
 * it nor a pending wake-up keeps the process alive. Only a hint: nothing may depend on it but promptness.
 *
 * @returns its off
 */
export function watch(ring: Ring, onWake: () => void): () => void {
  const { words } = ring;
  let on = true;
  let seen = Atomics.load(words, VERSION);
  let confirmed = confirmation(words);

  function arm(): void {
    // The comparison with `seen` is inside waitAsync: a publish between two waits is not missed.
    const wait = Atomics.waitAsync(words, VERSION, seen);
    if (wait.async) void wait.value.then(wake);
    else queueMicrotask(wake);
  }
  function wake(): void {
    if (!on) return;
    const version = Atomics.load(words, VERSION);
    const confirmedNow = confirmation(words);
    const changed = version !== seen || confirmedNow !== confirmed;
    seen = version;
    confirmed = confirmedNow;
    // Before `onWake`: after it a faster writer would make each wait a microtask, and the event loop would never go on.
    arm();
    if (!changed) return;
    try {
      onWake();
    } catch (error) {
      report(error, undefined, 'a listener of the mirror');
    }
  }
  arm();
  return () => {
    if (!on) return;
    on = false;
    // Wakes the waiter of this thread, so that none is left behind; all others look, see nothing new, and wait again.
    Atomics.notify(words, VERSION);
  };
}

/** Another number after each confirmation, but for those within one millisecond. */
function confirmation(words: Int32Array): number {
  return Atomics.load(words, CONFIRMED) + Atomics.load(words, AFTER) / 2 ** 31;
}
