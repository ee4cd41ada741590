/** Local sockets: how they are called on this platform, and how one is bound or tried. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { codeOf } from '../../files/owned.js';
import { socketTag, type HostPlace } from './place.js';

/**
 * `sun_path` has 108 bytes, the leading NUL among them. Node 20 binds all of them whatever the name's length (zeros at its end
 * are part of an abstract name), Node 22 and later only those of the name: so two processes of different versions would
 * elect a writer each. A name that fills it is the same for both.
 */
const ABSTRACT_NAME_BYTES = 108;

/** The name of a socket that is no file, and that goes with its process. */
export function socketName(place: HostPlace, token: string, key: string): string {
  const name = `advanced-caching/${place.id}/${socketTag(token, key)}`;
  return place.sockets === 'pipe' ? `\\\\.\\pipe\\${name.replaceAll('/', '-')}` : `\0${name}`.padEnd(ABSTRACT_NAME_BYTES, '.');
}

/** What a server does with a connection, from its first moment on: one that nobody took would wait for its greeting for ever. */
export type OnConnection = (socket: Socket) => void;

/** A server that listens on `path`. Rejects with EADDRINUSE where another one does. */
export function listen(path: string, ref: boolean, onConnection: OnConnection): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(onConnection);
    if (!ref) server.unref();
    server.once('error', reject);
    // `exclusive`: in a cluster worker the primary would otherwise bind for all workers, and each of them would succeed.
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

/** Connections that a closed server still had are not waited for: their owners end them. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // A server without connections closes at once; one with some has stopped listening by now, which is what counts.
    setImmediate(resolve);
  });
}

/** Whether somebody listens at the socket file `path`, as the kernel knows it: a frozen process does, a dead one doesn't. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.unref();
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // ENOENT: the file went while we looked, so an election is going on; EAGAIN: its queue is full, so it lives.
    socket.once('error', (error) => resolve(codeOf(error) !== 'ECONNREFUSED'));
  });
}
