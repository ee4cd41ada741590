import { createRequire } from 'node:module';
import { MissingDependencyError } from './errors.js';

const load = createRequire(import.meta.url);

/**
 * An optional peer, loaded at the moment it is needed and at once: what needs it can then be made and used synchronously.
 *
 * @param name what to load: the package, or an entry point of it (`'msgpackr/index-no-eval'`)
 * @param feature what needs it, as the beginning of the message
 * @param options.isPrivate a copy of the module for the library alone: what it is told stays out of the application's
 * @throws MissingDependencyError where it isn't installed
 */
export function loadPeer<T>(name: string, feature: string, { isPrivate = false }: { readonly isPrivate?: boolean } = {}): T {
  const dependency = name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
  let path: string;
  try {
    path = load.resolve(name);
  } catch (cause) {
    throw new MissingDependencyError(dependency, feature, { cause });
  }
  const others = load.cache[path];
  if (isPrivate) delete load.cache[path];
  try {
    return load(path) as T;
  } finally {
    if (isPrivate) delete load.cache[path];
    if (isPrivate && others) load.cache[path] = others;
  }
}
