import { checkOptions, refuse } from '../core/options.js';

/** What `configure` sets. */
export interface Settings {
  /**
   * Which application the keys of scope `'host'` and `'fleet'` belong to. Default: `ADVANCED_CACHING_NAMESPACE`, else the
   * real path of the application's root (the nearest `package.json` above the main module).
   */
  readonly namespace?: string;
  /** Where the snapshots of scope `'host'` are kept. Default: `ADVANCED_CACHING_DIRECTORY`, else `/dev/shm` on Linux, else the system's temporary directory. */
  readonly directory?: string;
}

let settings: Settings = {};

/**
 * Sets what all keys of this thread share. Call it before the first `bg.write` or `bg.read`: what is registered keeps what
 * it had. It holds for the calling thread; the environment variables reach every thread and process.
 *
 * @throws TypeError for an unknown or wrong setting
 * @example
 * configure({ namespace: 'shop@2.4.1' });
 */
export function configure(next: Settings): void {
  checkOptions('configure', next, ['namespace', 'directory']);
  for (const [name, value] of Object.entries(next)) {
    if (value !== undefined && (typeof value !== 'string' || value === '')) refuse(name, 'a non-empty string', value);
  }
  settings = { ...settings, ...next };
}

export function currentSettings(): Settings {
  const directory = settings.directory ?? process.env['ADVANCED_CACHING_DIRECTORY'];
  return {
    ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
    ...(directory === undefined ? {} : { directory }),
  };
}
