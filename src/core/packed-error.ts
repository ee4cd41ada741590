import { AdvancedCachingError } from './errors.js';

/** An error as it travels between threads: structured clone would drop its `code` and its name. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
}

export function packError(error: Error): PackedError {
  return {
    name: error.name,
    message: error.message,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

export function unpackError({ name, message, code, stack }: PackedError): Error {
  const error = code?.startsWith('ERR_') ? new AdvancedCachingError(code, message) : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
