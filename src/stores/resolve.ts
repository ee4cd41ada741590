import { refuse } from '../core/options.js';
import { type CacheStorage, type StoreOption, isCacheStorage } from '../core/store.js';

const EXPECTED = 'a store (an object with every method of CacheStorage), a class of one, or a function that makes one';

/** @throws TypeError for what can't be a `store` option */
export function checkStoreOption(option: unknown): void {
  if (option !== undefined && typeof option !== 'function' && !isCacheStorage(option)) refuse('store', EXPECTED, option);
}

/**
 * The store that an option means: an instance as it is; of a class or a factory a new one, each time.
 *
 * @throws TypeError for what isn't a store and doesn't make one
 */
export function resolveStore<S extends CacheStorage>(option: StoreOption<S>): S {
  if (typeof option !== 'function') {
    checkStoreOption(option);
    return option;
  }
  const made: unknown = isClass(option) ? new (option as new () => S)() : (option as () => S)();
  if (made instanceof Promise) {
    // Nobody will wait for it, and its failure must not end the process.
    made.catch(() => {});
    throw new TypeError('Expected the `store` function to make a store at once, got a Promise: make the store first, then pass it');
  }
  if (!isCacheStorage(made)) refuse('store', EXPECTED, made);
  return made as S;
}

function isClass(option: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(option)) || isCacheStorage((option as { prototype?: unknown }).prototype);
}
