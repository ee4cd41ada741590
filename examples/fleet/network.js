// @ts-check
/** The network between a host and Redis: a TCP port that leads to it, until the path is cut. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** @param {string} address of the Redis */
export async function openNetwork(address) {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  let isCut = false;
  const server = createServer((here) => {
    if (isCut) {
      here.destroy();
      return;
    }
    const there = connect(address);
    for (const [from, to] of /** @type {const} */ ([
      [here, there],
      [there, here],
    ])) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: /** @type {import('node:net').AddressInfo} */ (server.address()).port,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    heal() {
      isCut = false;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
