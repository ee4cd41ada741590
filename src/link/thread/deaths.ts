import { BroadcastChannel } from 'node:worker_threads';
import { type Death, LINK_CHANNEL } from './messages.js';

/**
 * Tells every thread of the process when a thread that this one made has ended. An `exit` event is the only proof of that,
 * and only its maker gets it: so each thread that has loaded this library looks after its own. Where the maker hasn't, or
 * ended together with the threads it had made, silence has to do instead.
 */
process.on('worker', (worker) => {
  const { threadId: thread } = worker;
  worker.once('exit', () => {
    const channel = new BroadcastChannel(LINK_CHANNEL);
    channel.postMessage({ type: 'dead', thread } satisfies Death);
    channel.close();
  });
});
