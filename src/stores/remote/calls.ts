import { AdvancedCachingError, StoreError, TimeoutError, WireFormatError } from '../../core/errors.js';
import { toError } from '../../core/report.js';
import { Breaker, type Pass } from './breaker.js';
import { Call, Deadlines } from './deadlines.js';
import type { RemoteSettings } from './options.js';

export interface RemoteCallsOptions {
  /** What the store is called in messages: `'RedisCache'`. */
  readonly store: string;
  /** Whether an error is the server's word on what the key holds, and no failure: it comes as a `WireFormatError`. Default: none is. */
  readonly isForeign?: (error: Error) => boolean;
  /** Why a call failed, in words that hold no key, value or credential. Default: the error's `code`, or its name. */
  readonly reason?: (error: Error) => string;
}

type CallSettings = Pick<RemoteSettings, 'readMs' | 'writeMs' | 'breaker' | 'clock'>;

/** What `start` is given: a signal that is aborted at the deadline. */
export type RemoteCall = Pick<Call, 'signal'>;

/**
 * The way of every operation to a server: each has a deadline, and none is tried while the breaker is open. All errors are `StoreError`s
 * with the client's as `cause`, or `TimeoutError`s. What comes after the deadline is dropped.
 */
export class RemoteCalls {
  readonly #server: Server;
  readonly #reads: Deadlines;
  readonly #writes: Deadlines;

  constructor({ store, isForeign = () => false, reason = reasonOf }: RemoteCallsOptions, settings: CallSettings) {
    const { readMs, writeMs, breaker, clock } = settings;
    this.#server = { store, isForeign, reason, breaker: breaker && new Breaker({ store, ...breaker, clock }) };
    this.#reads = new Deadlines(readMs, clock);
    this.#writes = new Deadlines(writeMs, clock);
  }

  /**
   * @param operation for messages: `'get'`, `'clear'`
   * @param start asks the server. Its rejection is the server's failure: an answer such as "not found" must be resolved with.
   * @param finish what becomes of the answer; what it throws is the caller's and no failure of the server
   * @param rescue what is answered where the key holds something foreign, instead of rejecting
   */
  read<A, T = A>(operation: string, start: Start<A>, finish?: (answer: A) => T, rescue?: Rescue<T>): Promise<T> {
    return run(this.#server, this.#reads, operation, start, finish, rescue);
  }

  /** As `read`, with the longer deadline of writes. */
  write<A, T = A>(operation: string, start: Start<A>, finish?: (answer: A) => T, rescue?: Rescue<T>): Promise<T> {
    return run(this.#server, this.#writes, operation, start, finish, rescue);
  }
}

type Start<A> = (call: RemoteCall) => PromiseLike<A>;
type Rescue<T> = (error: WireFormatError) => T;

type Server = Readonly<Required<RemoteCallsOptions>> & { readonly breaker: Breaker | undefined };

function run<A, T>(
  server: Server,
  deadlines: Deadlines,
  operation: string,
  start: Start<A>,
  finish: ((answer: A) => T) | undefined,
  rescue: Rescue<T> | undefined,
): Promise<T> {
  const pass = server.breaker?.enter() ?? 'call';
  if (pass instanceof StoreError) return Promise.reject(pass);
  return new Promise<T>((resolve, reject) => {
    const call = new PendingCall<A, T>(server, deadlines, operation, pass, resolve, reject, finish, rescue);
    deadlines.start(call);
    try {
      start(call).then(
        (answer) => call.answered(answer),
        (thrown: unknown) => call.failed(thrown),
      );
    } catch (thrown) {
      call.failed(thrown);
    }
  });
}

class PendingCall<A, T> extends Call {
  readonly #server: Server;
  readonly #deadlines: Deadlines;
  readonly #operation: string;
  readonly #pass: Pass;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #finish: ((answer: A) => T) | undefined;
  readonly #rescue: Rescue<T> | undefined;

  constructor(
    server: Server,
    deadlines: Deadlines,
    operation: string,
    pass: Pass,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    finish: ((answer: A) => T) | undefined,
    rescue: Rescue<T> | undefined,
  ) {
    super();
    this.#server = server;
    this.#deadlines = deadlines;
    this.#operation = operation;
    this.#pass = pass;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#finish = finish;
    this.#rescue = rescue;
  }

  answered(answer: A): void {
    if (!this.#deadlines.end(this)) return;
    this.#server.breaker?.succeeded();
    try {
      this.#resolve(this.#finish ? this.#finish(answer) : (answer as unknown as T));
    } catch (error) {
      this.#reject(error);
    }
  }

  failed(thrown: unknown): void {
    if (!this.#deadlines.end(this)) return;
    const { store, isForeign, reason, breaker } = this.#server;
    const cause = toError(thrown);
    if (isForeign(cause)) {
      breaker?.succeeded();
      const error = new WireFormatError(`${store} found what is no entry`);
      if (this.#rescue) this.#resolve(this.#rescue(error));
      else this.#reject(error);
      return;
    }
    const error = AdvancedCachingError.is(cause)
      ? cause
      : new StoreError(`${store} failed to ${this.#operation}: ${reason(cause)}`, { cause });
    breaker?.failed(this.#pass, error);
    this.#reject(error);
  }

  expire(): void {
    const error = new TimeoutError(`${this.#server.store} didn't answer \`${this.#operation}\` within ${this.#deadlines.ms / 1000} s`);
    this.#server.breaker?.failed(this.#pass, error);
    this.#reject(error);
    this.abort(error);
  }
}

function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
