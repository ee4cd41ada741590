/** Where the keys of a namespace live on this host: a directory that is this user's alone, and a secret in it. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { accessSync, chmodSync, constants, linkSync, mkdirSync, openSync, closeSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { StoreError } from '../../core/errors.js';
import { checkOptions, refuse } from '../../core/options.js';
import { checkBase, ownDirectory } from '../../files/directory.js';
import { codeOf, readOwnedSync, temporaryName, UID } from '../../files/owned.js';
import { defaultNamespace } from './namespace.js';

/** Which local socket elects the writer: a name of Linux's that is no file, a named pipe of Windows, a socket file elsewhere. */
export type SocketKind = 'abstract' | 'pipe' | 'file';

export interface HostPlaceOptions {
  /** Which application this is; default {@link defaultNamespace}. */
  readonly namespace?: string;
  /** Where the directory is made; default `/dev/shm` where that is memory, else the system's temporary directory. */
  readonly directory?: string;
  /** For tests: another kind of socket than this platform's. */
  readonly sockets?: SocketKind;
}

export interface HostPlace {
  readonly namespace: string;
  /** `<base>/advanced-caching-<uid>/<namespace's hash>`, 0700. */
  readonly directory: string;
  /** The first 16 hexadecimal digits of the namespace's SHA-256. */
  readonly id: string;
  readonly sockets: SocketKind;
  /** The path of a key's file. Any key is a valid one: its SHA-256 is the name, the key itself stands in the file. */
  path(key: string): string;
  /** Makes the directory where it is absent, and checks it: a StoreError where it can't be trusted. Microseconds. */
  ensure(): void;
  /** The secret that the processes of this place share, made by the first of them. */
  token(): string;
  /** Whether `token` is still the secret of this place; where the file is gone, it is put back. */
  keepToken(token: string): boolean;
}

const TMPFS = 0x01021994;
const TOKEN = /^[0-9a-f]{64}$/;

/** @throws StoreError for a directory that others could write: it says what to do */
export function hostPlace(options: HostPlaceOptions = {}): HostPlace {
  checkOptions('hostPlace', options, ['namespace', 'directory', 'sockets']);
  const namespace = options.namespace ?? defaultNamespace();
  if (typeof namespace !== 'string' || namespace === '') refuse('namespace', 'a non-empty string', namespace);
  if (options.directory !== undefined && (typeof options.directory !== 'string' || options.directory === '')) {
    refuse('directory', 'a path', options.directory);
  }
  const base = options.directory === undefined ? defaultBase() : resolve(options.directory);
  const id = sha256(namespace).slice(0, 16);
  const user = join(base, `advanced-caching-${UID ?? 'user'}`);
  const directory = join(user, id);
  const tokenPath = join(directory, 'token');

  const ensure = (): void => {
    try {
      mkdirSync(base, { recursive: true, mode: 0o700 });
      checkBase(base);
      ownDirectory(user);
      ownDirectory(directory);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError(`Can't use ${directory}: ${codeOf(error)}. Set \`directory\` to one that this user may write`, { cause: error });
    }
  };
  const token = (): string => {
    ensure();
    return readToken(tokenPath) ?? makeToken(tokenPath, randomBytes(32).toString('hex'));
  };
  ensure();
  return {
    namespace,
    directory,
    id,
    sockets: options.sockets ?? (process.platform === 'linux' ? 'abstract' : process.platform === 'win32' ? 'pipe' : 'file'),
    path: (key) => join(directory, sha256(key)),
    ensure,
    token,
    keepToken: (mine) => {
      const there = readToken(tokenPath);
      if (there !== undefined) return there === mine;
      ensure();
      return makeToken(tokenPath, mine) === mine;
    },
  };
}

/**
 * What a key's socket is called. Derived from the secret, since socket names can be listed by every user of the host, and
 * whoever knew one in advance could take it.
 */
export function socketTag(token: string, key: string): string {
  return createHmac('sha256', token).update(`name\0${key}`).digest('hex').slice(0, 32);
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function defaultBase(): string {
  try {
    if (process.platform === 'linux' && statfsSync('/dev/shm').type === TMPFS) {
      accessSync('/dev/shm', constants.W_OK | constants.X_OK);
      return '/dev/shm';
    }
  } catch {
    // Absent or closed to us: the temporary directory does, with a disk under it.
  }
  return tmpdir();
}

function readToken(path: string): string | undefined {
  // Two names: for a moment while it is made, and for good where its maker died in that moment.
  const text = readOwnedSync(path, 64, 2)?.bytes.toString('latin1');
  if (text === undefined || TOKEN.test(text)) return text;
  throw new StoreError(`${path} is not a token of this library. Delete it`);
}

/** Whoever links first wins, and the name appears with its content: nobody reads half a token, no crash leaves one. */
function makeToken(path: string, token: string): string {
  const temporary = temporaryName(path);
  try {
    const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      if (writeSync(fd, token) !== token.length) throw new StoreError(`Can't make ${path}: there is no space left`);
    } finally {
      closeSync(fd);
    }
    chmodSync(temporary, 0o600);
    linkSync(temporary, path);
    return token;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const winner = codeOf(error) === 'EEXIST' ? readToken(path) : undefined;
    if (winner !== undefined) return winner;
    throw new StoreError(`Can't make ${path}: ${codeOf(error)}`, { cause: error });
  } finally {
    try {
      unlinkSync(temporary);
    } catch {
      // It was never made.
    }
  }
}
