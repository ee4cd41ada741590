import { show } from '../core/options.js';
import type { Loader } from './loader.js';

/** A loader, with all that its module exports. */
export interface LoadedModule<T> {
  readonly loader: Loader<T>;
  readonly exports: Readonly<Record<string, unknown>>;
}

/**
 * Imports a loader from a module.
 *
 * A module that fails while it is evaluated stays failed for the life of its thread (Node keeps the error), so a retry
 * needs a new thread; one that wasn't found is looked for again.
 *
 * @param href the module's URL; its hash, if any, names the export: `new URL('./refresh.js#rates', import.meta.url).href`
 * @param exportName overrides the hash; default `'default'`
 * @throws (rejects) TypeError when there is no such export or it isn't a function; what the import threw
 */
export async function loadLoader<T = unknown>(href: string, exportName?: string): Promise<LoadedModule<T>> {
  const url = parse(href);
  const name = exportName ?? (nameInHash(url) || 'default');
  // Without the hash: Node would make one instance of the module for each hash.
  url.hash = '';
  const exports = unwrap((await import(url.href)) as Readonly<Record<string, unknown>>);
  const found = Object.hasOwn(exports, name) ? exports[name] : undefined;
  if (typeof found === 'function') return { loader: found as Loader<T>, exports };
  if (Object.hasOwn(exports, name))
    throw new TypeError(`Expected the export '${name}' of ${url.href} to be a function, got ${show(found)}`);
  const names = Object.keys(exports).sort();
  const has = names.length === 0 ? 'nothing' : names.map((each) => `'${each}'`).join(', ');
  throw new TypeError(`Expected ${url.href} to export a function '${name}', it exports ${has}`);
}

function parse(href: string): URL {
  const url = URL.canParse(href) ? new URL(href) : undefined;
  if (url) return url;
  throw new TypeError(`Expected \`loader\` to be the URL of a module, as in new URL('./refresh.js', import.meta.url), got ${show(href)}`);
}

function nameInHash(url: URL): string {
  try {
    return decodeURIComponent(url.hash.slice(1));
  } catch (cause) {
    throw new TypeError(`Expected the hash of ${url.href} to be the name of an export, percent-encoded`, { cause });
  }
}

/** A CommonJS module shows its `module.exports` as `default`; one compiled from ESM has the real default inside it. */
function unwrap(namespace: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const inner = namespace['default'];
  if (typeof inner !== 'object' || inner === null) return namespace;
  return '__esModule' in inner ? (inner as Readonly<Record<string, unknown>>) : { ...inner, ...namespace };
}
