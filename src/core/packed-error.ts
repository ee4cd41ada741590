import { AdvancedCachingError } from './errors.js';

/** An error as it travels between threads: structured clone would drop its `code` and its name. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  /** Whether it is an error of this library. */
  readonly isOurs: boolean;
}

export function packError(error: Error): PackedError {
  return {
    name: error.name,
    message: error.message,
    isOurs: AdvancedCachingError.is(error),
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

export function unpackError({ name, message, code, stack, isOurs }: PackedError): Error {
  const error =
    isOurs && code !== undefined
      ? new AdvancedCachingError(code, message)
      : Object.assign(new Error(message), code === undefined ? {} : { code });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** An error in a status: plain data, without what only a debugger wants. */
export interface ErrorSummary {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** Of a failure between this process and Redis: `connection`, `timeout`, `out-of-memory`, … (docs/fleet.md lists them). */
  readonly kind?: string;
  /** When it was met: Unix time in seconds. */
  readonly time: number;
}

/** @param at Unix time in milliseconds */
export function summarize(error: Error, at: number, kind?: string): ErrorSummary {
  const { name, message, code } = packError(error);
  return { name, message, ...(code === undefined ? {} : { code }), ...(kind === undefined ? {} : { kind }), time: at / 1000 };
}
