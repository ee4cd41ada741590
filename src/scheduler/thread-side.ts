import { parentPort } from 'node:worker_threads';
import { ProtocolError } from '../core/errors.js';
import { report } from '../core/report.js';

/** The message with which `SupervisedThread#stop` asks its thread to end. */
export const STOP_MESSAGE = 'advanced-caching:stop';

export interface ThreadHandlers {
  /** Gets what the owner posted. What it throws or rejects with becomes a process warning: it doesn't end the thread. */
  readonly onMessage: (message: unknown) => void | Promise<void>;
  /** Called once when the owner stops the thread, which ends when this is done. */
  readonly onStop?: () => void | Promise<void>;
}

/**
 * The thread's side of a `SupervisedThread`: call it at the top of the thread's module. It keeps the thread running until it is
 * stopped. At a stop the thread exits outright: connections that the user's module left open would hold it otherwise.
 *
 * @throws ProtocolError in a main thread
 */
export function serveThread({ onMessage, onStop }: ThreadHandlers): void {
  const port = parentPort;
  if (!port) throw new ProtocolError('Expected to run in a worker thread');
  let stopping = false;
  const stop = async (): Promise<void> => {
    try {
      await onStop?.();
    } catch (thrown) {
      report(thrown, undefined, 'the end of a thread');
    }
    process.exit(0);
  };
  const handle = async (message: unknown): Promise<void> => {
    try {
      await onMessage(message);
    } catch (thrown) {
      report(thrown, undefined, 'a message to a thread');
    }
  };
  port.on('message', (message: unknown) => {
    if (stopping) return;
    stopping = message === STOP_MESSAGE;
    void (stopping ? stop() : handle(message));
  });
}
