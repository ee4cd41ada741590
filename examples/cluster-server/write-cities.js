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
    // Record by record: 25 MB, of which a reader decodes what it is asked for.
    keyed: true,
    loader: new URL('./load-cities.js', import.meta.url),
    timeout: '20s',
    maxBytes: 48_000_000,
    onError,
  });
}
