/**
 * Tells every thread of the process when a thread has ended. Its `exit` event is the only proof of that, and only its maker
 * gets it: so each thread that has loaded this library looks after the threads it makes, and tells all others. Where the
 * maker hasn't, or ended together with the threads that it had made, silence has to do instead.
 */
import { BroadcastChannel } from 'node:worker_threads';

const CHANNEL = 'advanced-caching/1/deaths';

const listeners = new Set<(thread: number) => void>();
let channel: BroadcastChannel | undefined;

/** Calls `listener` with the id of each thread that is provably dead. Keeps no thread alive. Answers its off. */
export function onThreadDeath(listener: (thread: number) => void): () => void {
  listeners.add(listener);
  if (!channel) {
    channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = (event) => {
      const { data } = event as { data: unknown };
      // What another copy of the package, or a stranger, says isn't trusted to be a thread's id.
      if (Number.isSafeInteger(data)) tell(data as number);
    };
    channel.unref();
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    channel?.close();
    channel = undefined;
  };
}

function tell(thread: number): void {
  for (const listener of [...listeners]) listener(thread);
}

// From the first import on: which thread will own something isn't known when it is made.
process.on('worker', (worker) => {
  const { threadId } = worker;
  worker.once('exit', () => {
    // A channel doesn't hear itself.
    tell(threadId);
    const out = channel ?? new BroadcastChannel(CHANNEL);
    out.postMessage(threadId);
    if (out !== channel) out.close();
  });
});
