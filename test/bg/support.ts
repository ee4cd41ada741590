/** What the tests of `bg` share: a place of their own for whatever this process might leave, and waiting for what happens. */
import test from 'ava';
import { bg, type Mirror, type Writer } from '../../dist/index.js';
import { tempDir, until } from '../support/process.js';

/** No test touches the real directory of snapshots, nor meets another one in it. */
export const place: Readonly<Record<string, string>> = {
  ADVANCED_CACHING_DIRECTORY: tempDir({ teardown: () => {} }),
  ADVANCED_CACHING_NAMESPACE: `test ${process.pid}`,
};
Object.assign(process.env, place);

/** Call it at the top of a test file: ends all that its tests registered, and fails for a rejection that nobody handled. */
export function endAfterwards(): void {
  const rejections: unknown[] = [];
  process.on('unhandledRejection', (reason) => rejections.push(reason));
  test.after.always(async (t) => {
    await bg.shutdown({ wait: false });
    t.deepEqual(rejections, []);
  });
}

let keys = 0;

/** A key that no other test has. */
export function newKey(): string {
  keys++;
  return `key ${process.pid}.${keys}`;
}

export function fixture(name: string): URL {
  return new URL(`./fixtures/${name}`, import.meta.url);
}

/** Waits until a mirror or writer has published at least `version`. */
export async function reaches(subject: { status(): { version: number } }, version: number, deadline = 20_000): Promise<void> {
  await until(() => subject.status().version >= version, { deadline, what: `version ${version}` });
}

/** Collects what a writer or mirror reports. */
export function collect(): { errors: Error[]; onError: (error: Error) => void } {
  const errors: Error[] = [];
  return { errors, onError: (error) => void errors.push(error) };
}

export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** The warnings of the process while `work` ran, those of this library. */
export async function warningsOf(work: () => Promise<unknown>): Promise<Error[]> {
  const warnings: Error[] = [];
  const hear = (warning: Error): void => {
    if (warning.name === 'AdvancedCachingWarning') warnings.push(warning);
  };
  process.on('warning', hear);
  await work();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', hear);
  return warnings;
}

export type AnyMirror = Mirror<unknown>;
export type AnyWriter = Writer<unknown>;
