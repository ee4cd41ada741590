/** What can go wrong between a process and Redis, by kinds; and words for it that hold no key, value, address or credential. */
import { AdvancedCachingError, TimeoutError, WireFormatError } from '../../core/errors.js';
import { type OnError, report, toError } from '../../core/report.js';
import { kindOf, reasonOf } from '../../stores/redis/replies.js';

/**
 * `connection`: there is none, or it was lost. `timeout`: Redis didn't answer in time. `out-of-place`: the server that was asked can't
 * serve this now (a replica, still loading, a slot on the move), another one is looked for. `out-of-memory`: Redis has no room.
 * `denied`: the rights don't suffice. `refused`: any other answer of Redis that is an error. `bad-snapshot`: what is stored is corrupt,
 * too large, or nothing of ours. `regressed`: Redis has less than it had (restarted empty, failed over to an old replica).
 * `foreign`: somebody overwrote the value without being its writer. `no-writer`: nobody holds the lease. `lost`: this process's lease is over.
 */
export type RedisFailureKind =
  | 'connection'
  | 'timeout'
  | 'out-of-place'
  | 'out-of-memory'
  | 'denied'
  | 'refused'
  | 'bad-snapshot'
  | 'regressed'
  | 'foreign'
  | 'no-writer'
  | 'lost';

const KINDS: Readonly<Record<string, RedisFailureKind>> = {
  READONLY: 'out-of-place',
  LOADING: 'out-of-place',
  MASTERDOWN: 'out-of-place',
  CLUSTERDOWN: 'out-of-place',
  TRYAGAIN: 'out-of-place',
  NOREPLICAS: 'out-of-place',
  OOM: 'out-of-memory',
  NOPERM: 'denied',
  NOAUTH: 'denied',
  WRONGPASS: 'denied',
};

/** Inside of a script Redis has other words for what isn't allowed, in each version. */
const DENIED_IN_SCRIPT = /ACL failure in script|The user executing the script can't/;

// Redis 6 and older hide the kind of what failed inside of a script behind words of their own.
const INSIDE_SCRIPT = new RegExp(`^ERR Error running script.*-(${Object.keys(KINDS).join('|')}) `);

export function kindOfFailure(error: Error): RedisFailureKind {
  if (error instanceof TimeoutError) return 'timeout';
  const code = AdvancedCachingError.is(error) ? error.code : undefined;
  if (error instanceof WireFormatError || code === 'ERR_SNAPSHOT_TOO_LARGE') return 'bad-snapshot';
  const reply = error.cause instanceof Error ? error.cause : error;
  const kind = kindOf(reply);
  if (kind === '') return 'connection';
  if (DENIED_IN_SCRIPT.test(reply.message)) return 'denied';
  return KINDS[kind] ?? KINDS[INSIDE_SCRIPT.exec(reply.message)?.[1] ?? ''] ?? 'refused';
}

/** Why a transaction was given up: EXECABORT only says that one of its commands had been refused, and ioredis keeps with what words. */
export function causeOfAbort(thrown: unknown): Error {
  const error = toError(thrown) as Error & { readonly previousErrors?: readonly unknown[] };
  const [cause] = error.previousErrors ?? [];
  return kindOf(error) === 'EXECABORT' && cause instanceof Error ? cause : error;
}

/** Why a command failed. ioredis also hangs commands, with all that was in them, on its errors: they go. */
export function reason(error: Error): string {
  Reflect.deleteProperty(error, 'previousErrors');
  return reasonOf(error);
}

/** Of what clears only when announcements are heard again, too. */
const OF_CONNECTIONS: readonly RedisFailureKind[] = ['connection', 'timeout', 'denied'];

/** Tells failures, each kind once until it is over. */
export class Failures {
  /** The last one, told or not. */
  last: { readonly error: Error; readonly kind: RedisFailureKind } | undefined;
  readonly #onError: OnError | undefined;
  readonly #told = new Set<RedisFailureKind>();

  constructor(onError: OnError | undefined) {
    this.#onError = onError;
  }

  tell(thrown: unknown, kind: RedisFailureKind = kindOfFailure(toError(thrown))): void {
    const error = toError(thrown);
    this.last = { error, kind };
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    report(error, this.#onError, 'Redis link');
  }

  /** Something worked: failures are news again. */
  over(isSubscribed: boolean): void {
    for (const kind of this.#told) if (isSubscribed || !OF_CONNECTIONS.includes(kind)) this.#told.delete(kind);
  }
}
