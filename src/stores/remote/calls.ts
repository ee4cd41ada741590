import { AdvancedCachingError, StoreError, TimeoutError, WireFormatError } from '../../core/errors.js';
import { toError } from '../../core/report.js';
import { Breaker } from './breaker.js';
import { type Call, Deadlines } from './deadlines.js';
import type { RemoteSettings } from './options.js';

export interface RemoteCallsOptions {
  /** What the store is called in messages: `'RedisCache'`. */
  readonly store: string;
  /** Whether an error is the server's word on what the key holds, and no failure: it comes as a `WireFormatError`. Default: none is. */
  readonly isForeign?: (error: Error) => boolean;
  /** Why a call failed, in words that hold no key, value or credential. Default: the error's `code`, or its name. */
  readonly reason?: (error: Error) => string;
}

/**
 * The way of every operation to a server: each has a deadline, and none is tried while the breaker is open. All errors are `StoreError`s
 * with the client's as `cause`, or `TimeoutError`s. What comes after the deadline is dropped.
 */
export class RemoteCalls {
  readonly #store: string;
  readonly #isForeign: (error: Error) => boolean;
  readonly #reason: (error: Error) => string;
  readonly #settings: Pick<RemoteSettings, 'readMs' | 'writeMs'>;
  readonly #reads: Deadlines;
  readonly #writes: Deadlines;
  readonly #breaker: Breaker | undefined;

  constructor({ store, isForeign = () => false, reason = reasonOf }: RemoteCallsOptions, settings: RemoteSettings) {
    const { readMs, writeMs, breaker, clock } = settings;
    this.#store = store;
    this.#isForeign = isForeign;
    this.#reason = reason;
    this.#settings = settings;
    this.#reads = new Deadlines(readMs, clock);
    this.#writes = new Deadlines(writeMs, clock);
    this.#breaker = breaker && new Breaker({ store, ...breaker, clock });
  }

  /**
   * @param operation for messages: `'get'`, `'clear'`
   * @param start asks the server. Its rejection is the server's failure: an answer such as "not found" must be resolved with.
   * @param finish what becomes of the answer; what it throws is the caller's and no failure of the server
   * @param rescue what is answered where the key holds something foreign, instead of rejecting
   */
  read<A, T = A>(
    operation: string,
    start: (call: Call) => PromiseLike<A>,
    finish?: (answer: A) => T,
    rescue?: (error: WireFormatError) => T,
  ): Promise<T> {
    return this.#run(this.#reads, this.#settings.readMs, operation, start, finish, rescue);
  }

  /** As `read`, with the longer deadline of writes. */
  write<A, T = A>(
    operation: string,
    start: (call: Call) => PromiseLike<A>,
    finish?: (answer: A) => T,
    rescue?: (error: WireFormatError) => T,
  ): Promise<T> {
    return this.#run(this.#writes, this.#settings.writeMs, operation, start, finish, rescue);
  }

  #run<A, T>(
    deadlines: Deadlines,
    ms: number,
    operation: string,
    start: (call: Call) => PromiseLike<A>,
    finish: ((answer: A) => T) | undefined,
    rescue: ((error: WireFormatError) => T) | undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const pass = this.#breaker?.enter() ?? 'call';
      if (pass instanceof StoreError) {
        reject(pass);
        return;
      }
      const fail = (error: Error): void => {
        this.#breaker?.failed(pass, error);
        reject(error);
      };
      const settle = <X>(act: (input: X) => T, input: X): void => {
        this.#breaker?.succeeded();
        try {
          resolve(act(input));
        } catch (error) {
          reject(error);
        }
      };
      const call = deadlines.start((expired) => {
        const error = new TimeoutError(`${this.#store} didn't answer \`${operation}\` within ${ms / 1000} s`);
        fail(error);
        expired.abort(error);
      });
      const refused = (thrown: unknown): void => {
        if (!deadlines.end(call)) return;
        const error = toError(thrown);
        if (this.#isForeign(error)) settle(rescue ?? raise, new WireFormatError(`${this.#store} found what is no entry`));
        else fail(this.#wrap(operation, error));
      };
      try {
        start(call).then((answer) => {
          if (deadlines.end(call)) settle(finish ?? (same as (answer: A) => T), answer);
        }, refused);
      } catch (error) {
        refused(error);
      }
    });
  }

  #wrap(operation: string, error: Error): Error {
    if (AdvancedCachingError.is(error)) return error;
    return new StoreError(`${this.#store} failed to ${operation}: ${this.#reason(error)}`, { cause: error });
  }
}

function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

function same<A>(answer: A): A {
  return answer;
}

function raise(error: WireFormatError): never {
  throw error;
}
