import { isThenable } from './single-flight.js';

/** What something that may be synchronous answers: a value at once, or a Promise of it. */
export type Answer<T> = T | Promise<T>;

/**
 * Goes on with an answer: at once where it is a value, so that a chain of synchronous steps stays synchronous.
 * What is answered here must never itself be a thenable that is meant as a value.
 */
export function andThen<A, B>(answer: Answer<A>, next: (value: A) => Answer<B>): Answer<B> {
  return isThenable(answer) ? (answer as Promise<A>).then(next) : next(answer);
}

/** All answers: an array at once where none is a Promise. */
export function allOf<T>(answers: readonly Answer<T>[]): Answer<T[]> {
  return answers.some(isThenable) ? Promise.all(answers) : (answers as T[]);
}
