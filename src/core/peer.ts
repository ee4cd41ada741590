import { createRequire } from 'node:module';
import { MissingDependencyError } from './errors.js';

const load = createRequire(import.meta.url);

/**
 * An optional peer, loaded at the moment it is needed and at once: what needs it can then be made and used synchronously.
 *
 * @param name what to load: the package, or an entry point of it (`'msgpackr/index-no-eval'`)
 * @param feature what needs it, as the beginning of the message
 * @throws MissingDependencyError where it isn't installed
 */
export function loadPeer<T>(name: string, feature: string): T {
  const dependency = name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
  try {
    load.resolve(name);
  } catch (cause) {
    throw new MissingDependencyError(dependency, feature, { cause });
  }
  return load(name) as T;
}
