/** One turn of the event loop, the immediates included. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}

/** Waits until `isSo` answers true, and throws when that takes too long to be a matter of time. */
export async function until(isSo: () => boolean, patienceMs = 10_000): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('It did not come to be');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
