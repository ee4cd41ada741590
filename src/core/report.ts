/** What becomes of an error that has no caller to go to: it is reported, and can't hurt anyone. */
export type OnError = (error: Error) => void;

export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`A non-error was thrown: ${typeof thrown}`, { cause: thrown });
}

/** Hands `error` to `onError`; without one, or when that one throws, it becomes a process warning. Never throws. */
export function report(error: unknown, onError: OnError | undefined, where: string): void {
  const reason = toError(error);
  if (onError) {
    try {
      onError(reason);
      return;
    } catch (thrown) {
      warn(toError(thrown), `the \`onError\` of ${where} threw`);
    }
  }
  warn(reason, where);
}

function warn(error: Error, where: string): void {
  process.emitWarning(`${where}: ${error.name}: ${error.message}`, {
    type: 'AdvancedCachingWarning',
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(error.stack === undefined ? {} : { detail: error.stack }),
  });
}
