import type { Clock, Timer } from '../core/clock.js';
import { StoppedError } from '../core/errors.js';
import { checkFunction, show } from '../core/options.js';
import { report, toError } from '../core/report.js';
import type { OnError } from '../core/report.js';
import { backoffDelay } from './backoff.js';
import type { Backoff } from './backoff.js';

/** The states of a schedule. */
export type RepeaterState =
  /** Made and not started: only `trigger` runs it. */
  | 'idle'
  /** The timer of the next run is set. */
  | 'waiting'
  /** The last run failed, and the timer of its retry is set. */
  | 'retrying'
  /** A run is under way; the timer counts the starts that it delays. */
  | 'running'
  /** `stop` was called during a run, which may still end. */
  | 'stopping'
  /** For good. */
  | 'stopped';

export interface RepeaterOptions {
  /** What warnings call it. */
  readonly name: string;
  /** Milliseconds from the start of a run to the start of the next; more than 0. */
  readonly interval: number;
  /** One run. Runs never overlap. `signal` is aborted by `stop({ abort: true })`. */
  readonly run: (signal: AbortSignal) => Promise<void> | void;
  readonly clock: Clock;
  /** From 0 up to 1; for the jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Whether `start` runs at once; otherwise the first run comes after one interval. */
  readonly runImmediately: boolean;
  /** Whether the schedule keeps the process alive. */
  readonly ref: boolean;
  /** Gets the error of each failed run, once; default a process warning. */
  readonly onError?: OnError | undefined;
  /** Called when a run outlasts its interval, and for each further one, with how many starts this run has delayed. */
  readonly onLate?: ((missed: number) => void) | undefined;
  /** How soon a failed run is retried. Default `base` a quarter of the interval, at most 1 s; `max` the interval, which it can't exceed. */
  readonly retry?: Backoff | undefined;
}

/** Plain data. Moments are Unix time in milliseconds. */
export interface RepeaterStatus {
  readonly state: RepeaterState;
  readonly running: boolean;
  readonly runs: number;
  readonly failures: number;
  readonly consecutiveFailures: number;
  /** Starts that were delayed because the run before outlasted its interval. */
  readonly late: number;
  readonly lastStartedAt: number | undefined;
  readonly lastDurationMs: number | undefined;
  readonly lastError: { readonly name: string; readonly message: string; readonly code?: string } | undefined;
  readonly nextAt: number | undefined;
}

interface Run {
  readonly controller: AbortController;
  readonly startedAt: number;
  readonly done: Promise<void>;
  missed: number;
}

/** So that the processes of a fleet that start together spread over a fifth of the interval. */
const JITTER = 0.1;

/**
 * Runs something every `interval`, never twice at a time.
 *
 * The schedule counts from the start of a run: the next one is due an interval later, give or take 10 %, and that jitter
 * is taken out again before the next is added, so it never accumulates. One timer at most is set, on a clock that nobody
 * sets: however long the event loop was blocked, however many starts a slow run delayed, one run makes up for all.
 */
export class Repeater {
  readonly #options: RepeaterOptions;
  readonly #random: () => number;
  readonly #retry: Backoff;
  #state: RepeaterState = 'idle';
  #scheduled = false;
  #keepAlive: boolean;
  #timer: Timer | undefined;
  #run: Run | undefined;
  /** When the next run is due, on the monotonic clock, and how much of that is jitter. */
  #due = 0;
  #jitter = 0;
  #runs = 0;
  #failures = 0;
  #consecutiveFailures = 0;
  #late = 0;
  #lastStartedAt: number | undefined;
  #lastDurationMs: number | undefined;
  #lastError: Error | undefined;

  /** @throws RangeError for an interval that isn't a finite number above 0 */
  constructor(options: RepeaterOptions) {
    const { interval, retry } = options;
    if (!(Number.isFinite(interval) && interval > 0)) {
      throw new RangeError(`Expected \`interval\` to be more than 0 milliseconds and finite, got ${show(interval)}`);
    }
    checkFunction('onError', options.onError);
    checkFunction('onLate', options.onLate);
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#keepAlive = options.ref;
    this.#retry = {
      base: retry?.base ?? Math.min(interval / 4, 1000),
      max: Math.min(retry?.max ?? interval, interval),
    };
  }

  /**
   * Starts the schedule; with `runImmediately`, `run` is called before this returns. Starting twice is a no-op.
   *
   * @throws StoppedError after `stop`
   */
  start(): void {
    if (this.#state === 'stopping' || this.#state === 'stopped') throw this.#stopped();
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#run) this.#scheduleFrom(this.#run.startedAt);
    else if (this.#options.runImmediately) void this.#begin(0);
    else {
      this.#state = 'waiting';
      this.#scheduleFrom(this.#options.clock.monotonic());
    }
  }

  /**
   * Runs now, or joins the run under way; settles as that run does. The schedule then counts from its start. An error
   * that nobody awaits is no unhandled rejection: `onError` has it.
   */
  trigger(): Promise<void> {
    if (this.#state === 'stopping' || this.#state === 'stopped') return Promise.reject(this.#stopped());
    return this.#run ? this.#run.done : this.#begin(0);
  }

  /**
   * Ends the schedule for good; idempotent. Waits for a run under way, as long as it takes: a run that heeds its signal
   * ends soon with `abort`. What a run throws after it was aborted is not reported. A run must not await its own `stop`.
   */
  async stop({ abort = false }: { abort?: boolean } = {}): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#scheduled = false;
    if (!this.#run) {
      this.#state = 'stopped';
      return;
    }
    this.#state = 'stopping';
    const { done, controller } = this.#run;
    if (abort) controller.abort(this.#stopped());
    await done.catch(() => {});
  }

  ref(): void {
    this.#keepAlive = true;
    this.#timer?.ref();
  }

  unref(): void {
    this.#keepAlive = false;
    this.#timer?.unref();
  }

  status(): RepeaterStatus {
    const { clock } = this.#options;
    const error = this.#lastError;
    const code = error && 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
    return {
      state: this.#state,
      running: this.#run !== undefined,
      runs: this.#runs,
      failures: this.#failures,
      consecutiveFailures: this.#consecutiveFailures,
      late: this.#late,
      lastStartedAt: this.#lastStartedAt,
      lastDurationMs: this.#lastDurationMs,
      lastError: error && { name: error.name, message: error.message, ...code },
      nextAt: this.#timer && clock.wall() + Math.max(0, this.#due - clock.monotonic()),
    };
  }

  /** @param jitter how much of this run's start was jitter, to be taken out again */
  #begin(jitter: number): Promise<void> {
    const { clock } = this.#options;
    const controller = new AbortController();
    const startedAt = clock.monotonic();
    const { promise: done, resolve, reject } = deferred();
    // Nobody may be waiting for it, and a failure goes to `onError` in any case.
    done.catch(() => {});
    this.#run = { controller, startedAt, done, missed: 0 };
    this.#state = 'running';
    this.#runs += 1;
    this.#lastStartedAt = clock.wall();
    if (this.#scheduled) this.#scheduleFrom(startedAt - jitter);

    new Promise<void>((settle) => settle(this.#options.run(controller.signal))).then(
      () => {
        this.#finish(undefined);
        resolve();
      },
      (thrown: unknown) => {
        this.#finish(toError(thrown));
        reject(thrown);
      },
    );
    return done;
  }

  #finish(error: Error | undefined): void {
    const { clock, name, onError } = this.#options;
    const run = this.#run as Run;
    const now = clock.monotonic();
    this.#run = undefined;
    this.#lastDurationMs = now - run.startedAt;
    if (error === undefined) {
      this.#consecutiveFailures = 0;
      this.#lastError = undefined;
    } else if (!run.controller.signal.aborted) {
      this.#failures += 1;
      this.#consecutiveFailures += 1;
      this.#lastError = error;
    }

    if (this.#state === 'stopping') this.#state = 'stopped';
    else if (!this.#scheduled) this.#state = 'idle';
    else this.#scheduleAfter(run, error, now);
    if (error && !run.controller.signal.aborted) report(error, onError, name);
  }

  /** The timer already stands at the next start; a failure or a run that took too long moves it. */
  #scheduleAfter(run: Run, error: Error | undefined, now: number): void {
    this.#state = error ? 'retrying' : 'waiting';
    this.#countMissed(run, now);
    if (!this.#scheduled) return;
    const late = run.missed > 0;
    if (error) {
      const retryAt = now + backoffDelay(this.#consecutiveFailures - 1, this.#retry, this.#random);
      if (late || retryAt < this.#due) this.#set(retryAt, 0);
    } else if (late) {
      // Through a timer, so that a loader that is always late still leaves the event loop a turn between its runs.
      this.#set(now, 0);
    }
  }

  #onTimer(): void {
    const now = this.#options.clock.monotonic();
    if (!this.#run) {
      void this.#begin(this.#jitter);
      return;
    }
    this.#countMissed(this.#run, now);
    if (this.#scheduled) this.#set(this.#run.startedAt + (this.#run.missed + 1) * this.#options.interval, 0);
  }

  /** Counts the starts that `run` has delayed by now. It calls the owner, who may stop the schedule. */
  #countMissed(run: Run, now: number): void {
    const { interval, name, onLate, onError } = this.#options;
    if (now < this.#due) return;
    const missed = Math.max(run.missed + 1, Math.floor((now - run.startedAt) / interval));
    this.#late += missed - run.missed;
    run.missed = missed;
    try {
      onLate?.(missed);
    } catch (thrown) {
      report(thrown, onError, `the \`onLate\` of ${name}`);
    }
  }

  #scheduleFrom(start: number): void {
    const { interval } = this.#options;
    const jitter = interval * JITTER * (2 * this.#random() - 1);
    this.#set(start + interval + jitter, jitter);
  }

  #set(due: number, jitter: number): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#due = due;
    this.#jitter = jitter;
    this.#timer = clock.setTimer(() => this.#onTimer(), Math.max(0, due - clock.monotonic()));
    if (!this.#keepAlive) this.#timer.unref();
  }

  #stopped(): StoppedError {
    return new StoppedError(`${this.#options.name} was stopped`);
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (reason: unknown) => void } {
  let resolve!: () => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
