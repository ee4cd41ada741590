import type { Clock } from '../core/clock.js';
import { TimeoutError } from '../core/errors.js';

/** What a loader is called with. */
export interface LoaderContext<T> {
  /** Aborted when the result is no longer wanted: at the timeout, and at a shutdown that doesn't wait. */
  readonly signal: AbortSignal;
  /** The value that is served now; `undefined` before the first one. */
  readonly previous: T | undefined;
}

/** The user's function whose result is kept. */
export type Loader<T> = (context: LoaderContext<T>) => T | Promise<T>;

export interface RunLoaderOptions<T> {
  /** Milliseconds; `undefined` for no limit. */
  readonly timeout: number | undefined;
  /** Asked only when the loader looks: a value of 10 MB takes 100 ms to decode. */
  readonly previous: () => T | undefined;
  readonly clock: Clock;
  /** Ends the run from outside: its reason becomes the rejection, at once. */
  readonly signal?: AbortSignal;
}

/**
 * Calls `loader` (at once, in this turn of the event loop) and answers its result. At the timeout, or when
 * `options.signal` is aborted, the promise rejects at once and the loader's signal is aborted; what a loader brings after
 * that, result or error, is dropped. The timer doesn't keep the process alive.
 *
 * A loader that blocks the thread past its timeout is refused too: its result comes too late, timer or not.
 *
 * @throws (rejects) TimeoutError, the reason of `options.signal`, or what the loader threw
 */
export function runLoader<T>(loader: Loader<T>, { timeout, previous, clock, signal }: RunLoaderOptions<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const controller = new AbortController();
    const startedAt = clock.monotonic();
    const release = (): void => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    // The rejection goes first: whatever a listener of the loader's signal does, the caller has its answer.
    const abandon = (reason: unknown): void => {
      release();
      reject(reason);
      controller.abort(reason);
    };
    const expire = (): void => abandon(new TimeoutError(`The loader took longer than its timeout of ${timeout} ms`));
    const onAbort = (): void => abandon(signal?.reason);

    const timer = timeout === undefined ? undefined : clock.setTimer(expire, timeout);
    timer?.unref();
    signal?.addEventListener('abort', onAbort, { once: true });

    const context: LoaderContext<T> = {
      signal: controller.signal,
      get previous() {
        return previous();
      },
    };
    // Both handlers stay attached after `abandon`, so that a late rejection has somewhere to go; settling twice is a no-op.
    new Promise<T>((settle) => settle(loader(context))).then(
      (value) => {
        if (controller.signal.aborted) return;
        if (timeout !== undefined && clock.monotonic() - startedAt > timeout) {
          expire();
          return;
        }
        release();
        resolve(value);
      },
      (error: unknown) => {
        release();
        reject(error);
      },
    );
  });
}
