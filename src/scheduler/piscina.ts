import { checkOptions, refuse, show } from '../core/options.js';
import type { Loader } from './loader.js';

/** The one method of a Piscina pool that is called. */
export interface PiscinaPool {
  run(task: PiscinaTask, options?: { filename?: string | null; name?: string | null; signal?: AbortSignal | null }): Promise<unknown>;
}

/** The argument of the pool's task. */
export interface PiscinaTask {
  /** The value that is served now, where `passPrevious` asks for it. */
  readonly previous: unknown;
}

export interface PiscinaLoaderOptions {
  /** The task's module: a `file:` URL or an absolute path; default the pool's own `filename`. */
  readonly filename?: string | URL;
  /** Which export of it; default the pool's own `name` (`'default'`). */
  readonly name?: string;
  /**
   * Whether the task gets the present value as `previous`. It is cloned for every run, on this event loop, which for a
   * value of 10 MB takes about 100 ms: so only when asked for. Default false.
   */
  readonly passPrevious?: boolean;
}

/**
 * A loader whose work runs on a Piscina pool, the schedule staying here. At the writer's timeout the task is aborted:
 * Piscina takes it from its queue or, when it is running, ends its thread and starts another.
 *
 * @throws TypeError for what isn't a pool and for wrong options
 * @example
 * const pool = new Piscina({ maxThreads: 2 });
 * const rates = bg.write(60, {
 *   key: 'rates',
 *   timeout: 10,
 *   loader: piscinaLoader(pool, { filename: new URL('./refresh.js', import.meta.url), name: 'loadRates' }),
 * });
 */
export function piscinaLoader<T = unknown>(pool: PiscinaPool, options: PiscinaLoaderOptions = {}): Loader<T> {
  if (typeof (pool as Partial<PiscinaPool> | null | undefined)?.run !== 'function') {
    throw new TypeError(`Expected \`pool\` to be a Piscina pool (an object with a method run(task, options)), got ${show(pool)}`);
  }
  checkOptions('piscinaLoader', options, ['filename', 'name', 'passPrevious']);
  const { filename, name, passPrevious = false } = options;
  if (filename !== undefined && typeof filename !== 'string' && !(filename instanceof URL)) {
    refuse('filename', 'a file: URL or an absolute path', filename);
  }
  if (name !== undefined && typeof name !== 'string') refuse('name', 'a string', name);
  if (typeof passPrevious !== 'boolean') refuse('passPrevious', 'a boolean', passPrevious);

  // Piscina reads `null` as "the pool's own".
  const where = { filename: filename === undefined ? null : String(filename), name: name ?? null };
  return (context) =>
    pool.run({ previous: passPrevious ? context.previous : undefined }, { ...where, signal: context.signal }) as Promise<T>;
}
