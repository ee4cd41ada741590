// @ts-check
/** A host: a writer and two web workers, each a process, with a network to Redis that can be cut. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openNetwork } from './network.js';

/** @typedef {Awaited<ReturnType<typeof startHost>>} Host */

/**
 * @param {string} name
 * @param {string} redis its address
 * @param {number} lease
 * @param {import('./story.js').Story} story
 */
export async function startHost(name, redis, lease, story) {
  const directory = mkdtempSync(join(tmpdir(), `fleet-example-${name}-`));
  const network = await openNetwork(redis);
  const env = {
    ...process.env,
    HOST: name,
    REDIS_PORT: String(network.port),
    LEASE: String(lease),
    ADVANCED_CACHING_DIRECTORY: directory,
    ADVANCED_CACHING_NAMESPACE: 'fleet-example',
  };
  const start = (/** @type {string} */ file, /** @type {string[]} */ ...args) =>
    fork(fileURLToPath(new URL(file, import.meta.url)), args, { env });
  /** @type {import('node:child_process').ChildProcess[]} */
  const web = ['1', '2'].map((number) => {
    const worker = start('./web.js', number);
    worker.on('message', (message) => story.heard(`${name}${number}`, /** @type {import('./web.js').Message} */ (message)));
    return worker;
  });
  let writer = start('./writer.js');
  for (const worker of web) story.expect(`${name}${web.indexOf(worker) + 1}`);
  process.once('exit', () => {
    for (const child of [...web, writer]) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  return {
    name,
    network,
    async killWriter() {
      writer.kill('SIGKILL');
      await once(writer, 'exit');
    },
    async startWriter() {
      writer = start('./writer.js');
      await once(writer, 'spawn');
    },
    /** Asks all to end. */
    async stop() {
      await Promise.all(
        [writer, ...web].map(async (child) => {
          const ended = once(child, 'exit');
          child.send('stop');
          await ended;
        }),
      );
      network.close();
    },
  };
}
