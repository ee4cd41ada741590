// @ts-check
import { bg } from 'advanced-caching';

/** How often the list is loaded anew. */
export const INTERVAL = '2s';

/**
 * Registers the writer. Any number of processes of the host may do this: one of them runs the loader, the others stand by and
 * take over when it dies.
 *
 * @param {(error: Error) => void} onError
 */
export function writeCities(onError) {
  return bg.write(INTERVAL, {
    key: 'cities',
    scope: 'host',
    loader: new URL('./load-cities.js', import.meta.url),
    // Six megabytes in 250 texts: v8's format copies them, where JSON would escape and parse them.
    serializer: 'v8',
    timeout: '20s',
    maxBytes: 32_000_000,
    onError,
  });
}
