import { type Ring, VERSION } from './layout.js';

/**
 * Calls `onWake` after publishes, coalesced: at least once after the last one. At most one waiter is outstanding; neither
 * it nor a pending wake-up keeps the process alive. Only a hint: nothing may depend on it but promptness.
 *
 * @returns its off
 */
export function watch(ring: Ring, onWake: () => void): () => void {
  const { words } = ring;
  let on = true;
  let seen = Atomics.load(words, VERSION);

  function arm(): void {
    // The comparison with `seen` is inside waitAsync: a publish between two waits is not missed.
    const wait = Atomics.waitAsync(words, VERSION, seen);
    if (wait.async) void wait.value.then(wake);
    else queueMicrotask(wake);
  }
  function wake(): void {
    if (!on) return;
    const version = Atomics.load(words, VERSION);
    const changed = version !== seen;
    seen = version;
    arm();
    if (changed) onWake();
  }
  arm();
  return () => {
    if (!on) return;
    on = false;
    // Wakes the waiter of this thread, so that none is left behind; all others look, see nothing new, and wait again.
    Atomics.notify(words, VERSION);
  };
}
