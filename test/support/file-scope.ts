import test from 'ava';
import type { Scope } from './process.js';

/** What is undone after all tests of the file, the last first. */
export function fileScope(): Scope {
  const undo: (() => unknown)[] = [];
  test.after.always(async () => {
    for (const step of undo.reverse()) await step();
  });
  return { teardown: (step) => void undo.push(step) };
}

/** What is made by its first user, and once. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
