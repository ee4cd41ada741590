/** The kinds of errors that Redis answers with, by the first word: the rest may quote a key or a value. */

const KIND = /^[A-Z]{2,}/;

/** `'WRONGTYPE'`, `'MOVED'`, `'OOM'`, …; `''` for an error that didn't come from Redis. */
export function kindOf(error: Error): string {
  return error.name === 'ReplyError' ? (KIND.exec(error.message)?.[0] ?? 'ERR') : '';
}

/** The key holds a list, a hash, …: somebody else's. */
export function isForeign(error: Error): boolean {
  return kindOf(error) === 'WRONGTYPE';
}

/** The key's slot is moving between the nodes of a Cluster, or has moved: asked alone, the client follows it. */
export function isElsewhere(error: Error): boolean {
  return ['MOVED', 'ASK', 'TRYAGAIN'].includes(kindOf(error));
}

/** Why a command failed, in words without key or value; ioredis also hangs the whole command on the error, which goes. */
export function reasonOf(error: Error): string {
  Reflect.deleteProperty(error, 'command');
  const kind = kindOf(error);
  if (kind !== '') return `Redis answered ${kind}`;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
