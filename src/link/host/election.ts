/** The lease of a key on this host is a bound local socket: the kernel gives it to one process, and takes it back at its death. */
import type { Server } from 'node:net';
import type { Lease } from '../ports.js';
import { codeOf } from '../../files/owned.js';
import type { HostPlace } from './place.js';
import { closeServer, listen, socketName, type OnConnection } from './socket.js';
import { latestSocketFile, takeSocketFile } from './socket-file.js';

/** A lease whose socket readers connect to. */
export interface SocketLease extends Lease {
  readonly server: Server;
  readonly token: string;
}

/** Where the writer of `key` listens, if there is one; `undefined` where no name was ever taken. */
export async function writerAddress(place: HostPlace, token: string, key: string): Promise<string | undefined> {
  return place.sockets === 'file' ? latestSocketFile(place, key) : socketName(place, token, key);
}

/** The lease of `key`; `undefined` while another one has it. */
export async function takeLease(place: HostPlace, key: string, ref: boolean, onConnection: OnConnection): Promise<SocketLease | undefined> {
  const token = place.token();
  if (place.sockets === 'file') {
    const taken = await takeSocketFile(place, key, ref, onConnection);
    return taken && lease(taken.server, token, taken.held);
  }
  try {
    const server = await listen(socketName(place, token, key), ref, onConnection);
    // The name follows from the token. If somebody deleted that file, newcomers would make another one, and elect a
    // second writer under another name: so it is put back, and where it was too late for that, the newcomer has won.
    return lease(server, token, () => place.keepToken(token));
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
}

function lease(server: Server, token: string, stillNamed: () => boolean): SocketLease {
  return {
    server,
    token,
    held: () => server.listening && stillNamed(),
    release: () => closeServer(server),
  };
}
