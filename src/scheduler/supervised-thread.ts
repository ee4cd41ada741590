import { Worker } from 'node:worker_threads';
import type { ResourceLimits, Transferable } from 'node:worker_threads';
import type { Clock, Timer } from '../core/clock.js';
import { report, toError } from '../core/report.js';
import type { OnError } from '../core/report.js';
import { backoffDelay } from './backoff.js';
import type { Backoff } from './backoff.js';
import { threadExecArgv } from './exec-argv.js';
import { STOP_MESSAGE } from './thread-side.js';

/** The states of a supervised thread. */
export type ThreadState =
  /** Not asked for yet: there is no thread. */
  | 'idle'
  /** A thread was made and doesn't run JavaScript yet; what is posted waits. */
  | 'starting'
  /** The thread runs. */
  | 'up'
  /** The last thread is gone, and the timer of the next one is set; what is posted waits. */
  | 'backing-off'
  /** `stop` was called, and the thread is still there. */
  | 'stopping'
  /** For good. */
  | 'stopped';

/** How a thread went that nobody had stopped. */
export interface ThreadDown {
  /** What ended it: an error that nothing caught, `ERR_WORKER_OUT_OF_MEMORY`, the reason given to `restart`. `undefined` after `process.exit()`. */
  readonly error: Error | undefined;
  /** `undefined` when the thread couldn't even be made. */
  readonly exitCode: number | undefined;
  readonly threadId: number | undefined;
  /** Milliseconds until the next thread is made. */
  readonly restartInMs: number;
}

export interface SupervisedThreadOptions {
  /** The module that the thread runs; it calls `serveThread`. */
  readonly url: URL;
  /** The thread's name, in debuggers and warnings. */
  readonly name: string;
  readonly clock: Clock;
  /** Whether a running thread keeps the process alive. */
  readonly ref: boolean;
  /** Asked anew for each thread. */
  readonly workerData?: () => unknown;
  readonly onMessage?: (message: unknown) => void;
  /**
   * Called for each thread once it runs, before anything that was posted reaches it. A thread starts from nothing: what the
   * one before was told and must still know (its state), the owner tells it again here, through `worker`.
   */
  readonly onUp?: (worker: Worker) => void;
  readonly onDown?: (down: ThreadDown) => void;
  /** Gets what the other callbacks throw, and messages that can't be read; default a process warning. */
  readonly onError?: OnError | undefined;
  /** Delays between restarts; default from 100 ms to 30 s. A thread that stayed up for `max` starts the count anew. */
  readonly backoff?: Backoff;
  readonly random?: () => number;
  /** Limits of the thread's heap; default Node's own. */
  readonly resourceLimits?: ResourceLimits;
}

const BACKOFF: Backoff = { base: 100, max: 30_000 };

/**
 * A worker thread that is restarted when it crashes: by an error that nothing caught (also while its module is loaded), an
 * unhandled rejection, `process.exit()` (which in a thread ends the thread alone), or a heap without room. It starts with the
 * first `post` or `start`, and shares the process's stdout and stderr. A thread that blocks for ever is no crash: it stays
 * `'up'` and silent, until `restart` or `stop` ends it. Nothing here throws in the background.
 */
export class SupervisedThread {
  readonly #options: SupervisedThreadOptions;
  readonly #backoff: Backoff;
  #state: ThreadState = 'idle';
  #keepAlive: boolean;
  #worker: Worker | undefined;
  #queue: { message: unknown; transfer: Transferable[] }[] = [];
  #timer: Timer | undefined;
  /** Crashes since a thread last stayed up long enough. */
  #crashes = 0;
  #restarts = 0;
  #upSince: number | undefined;
  #lastError: Error | undefined;
  /** Stands in for the error that a terminated thread doesn't have. */
  #restartReason: Error | undefined;
  #stopped: Promise<'ended' | 'terminated'> | undefined;

  constructor(options: SupervisedThreadOptions) {
    this.#options = options;
    this.#backoff = options.backoff ?? BACKOFF;
    this.#keepAlive = options.ref;
  }

  /** Makes the thread, if there is none and none is under way. */
  start(): void {
    if (this.#state === 'idle') this.#launch();
  }

  /**
   * Sends `message`; starts the thread if need be. Between threads it waits for the next one, in order, cloned (and what is
   * transferred moved) at the time of the call. What was posted to a thread that then crashed is lost: commands are the
   * caller's to repeat, state goes through `onUp`. Answers `false`, and drops it, once `stop` was called.
   *
   * @throws DataCloneError for a message that can't be cloned
   */
  post(message: unknown, transfer: readonly Transferable[] = []): boolean {
    if (this.#state === 'stopping' || this.#state === 'stopped') return false;
    if (this.#state === 'up') {
      this.#worker?.postMessage(message, transfer);
      return true;
    }
    this.#queue.push(structuredClone({ message, transfer: [...transfer] }, { transfer: [...transfer] }));
    this.start();
    return true;
  }

  /** Ends a thread that no longer answers, as if it had crashed with `reason`: another one follows after the back-off. */
  restart(reason: Error): void {
    if (this.#state !== 'up' && this.#state !== 'starting') return;
    this.#restartReason = reason;
    void this.#worker?.terminate();
  }

  /**
   * Asks the thread to end, and terminates it when it hasn't after `timeout` milliseconds (0: at once). Idempotent: later
   * calls get the promise of the first. Until it settles the process is kept alive, so that it can be awaited at top level.
   * Native code that blocks (`execSync`) can't be interrupted, and is waited for.
   */
  stop(timeout = 5000): Promise<'ended' | 'terminated'> {
    this.#stopped ??= this.#end(timeout);
    return this.#stopped;
  }

  ref(): void {
    this.#keepAlive = true;
    this.#worker?.ref();
    this.#timer?.ref();
  }

  unref(): void {
    this.#keepAlive = false;
    if (this.#state === 'stopping') return;
    this.#worker?.unref();
    this.#timer?.unref();
  }

  status(): {
    state: ThreadState;
    threadId: number | undefined;
    restarts: number;
    lastError: { name: string; message: string } | undefined;
  } {
    const error = this.#lastError;
    return {
      state: this.#state,
      threadId: this.#worker?.threadId,
      restarts: this.#restarts,
      lastError: error && { name: error.name, message: error.message },
    };
  }

  #launch(): void {
    const { url, name, workerData, resourceLimits, clock } = this.#options;
    this.#state = 'starting';
    this.#timer = undefined;
    let worker: Worker;
    try {
      const execArgv = threadExecArgv();
      worker = new Worker(url, {
        name,
        workerData: workerData?.(),
        ...(execArgv ? { execArgv } : {}),
        ...(resourceLimits ? { resourceLimits } : {}),
      });
    } catch (thrown) {
      this.#goDown(toError(thrown), undefined, undefined);
      return;
    }
    const { threadId } = worker;
    let error: Error | undefined;
    this.#worker = worker;
    worker.once('online', () => {
      // `terminate` may have been called meanwhile, by `stop` or `restart`.
      if (this.#state !== 'starting') return;
      this.#state = 'up';
      this.#upSince = clock.monotonic();
      this.#call('onUp', () => this.#options.onUp?.(worker));
      if (!this.#keepAlive && this.#worker === worker) this.unref();
      for (const { message, transfer } of this.#queue.splice(0)) worker.postMessage(message, transfer);
    });
    worker.on('message', (message: unknown) => this.#call('onMessage', () => this.#options.onMessage?.(message)));
    worker.on('messageerror', (thrown) => report(thrown, this.#options.onError, `a message of the thread ${name}`));
    worker.on('error', (thrown: unknown) => {
      error = toError(thrown);
    });
    worker.once('exit', (exitCode) => {
      this.#worker = undefined;
      if (this.#state !== 'stopping') this.#goDown(error ?? this.#restartReason, exitCode, threadId);
    });
    // Last: a listener for 'message' refs the worker again, here as in `onUp`.
    if (!this.#keepAlive) worker.unref();
  }

  #goDown(error: Error | undefined, exitCode: number | undefined, threadId: number | undefined): void {
    const { clock, random } = this.#options;
    if (this.#upSince !== undefined && clock.monotonic() - this.#upSince >= this.#backoff.max) this.#crashes = 0;
    this.#upSince = undefined;
    this.#restartReason = undefined;
    this.#lastError = error ?? this.#lastError;
    const restartInMs = backoffDelay(this.#crashes, this.#backoff, random);
    this.#crashes += 1;
    this.#restarts += 1;
    this.#state = 'backing-off';
    this.#timer = clock.setTimer(() => this.#launch(), restartInMs);
    if (!this.#keepAlive) this.#timer.unref();
    this.#call('onDown', () => this.#options.onDown?.({ error, exitCode, threadId, restartInMs }));
  }

  async #end(timeout: number): Promise<'ended' | 'terminated'> {
    const { clock } = this.#options;
    const worker = this.#worker;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#queue = [];
    if (!worker) {
      this.#state = 'stopped';
      return 'ended';
    }
    this.#state = 'stopping';
    worker.ref();
    let outcome: 'ended' | 'terminated' = 'ended';
    const terminate = (): void => {
      outcome = 'terminated';
      void worker.terminate();
    };
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    if (timeout > 0) {
      worker.postMessage(STOP_MESSAGE);
      this.#timer = clock.setTimer(terminate, timeout);
    } else {
      terminate();
    }
    await gone;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#state = 'stopped';
    return outcome;
  }

  #call(callback: string, call: () => void): void {
    try {
      call();
    } catch (thrown) {
      report(thrown, this.#options.onError, `the \`${callback}\` of the thread ${this.#options.name}`);
    }
  }
}
