import { checkBoolean, checkFunction, checkOptions, refuse } from '../core/options.js';
import type { ErrorSummary } from '../core/packed-error.js';
import { report } from '../core/report.js';
import { hasValue, type Health, health } from './bg.js';
import { answer, type HttpHandler, normalizePath, pathsOf } from './http.js';

export interface HealthHandlerOptions {
  /** Where it answers whether the process lives; default `'/live'`. */
  readonly live?: string | undefined;
  /** Where it answers whether the process can do its work; default `'/ready'`. */
  readonly ready?: string | undefined;
  /** What ready means. Default: every writer and mirror of this thread has a value. */
  readonly isReady?: ((health: Health) => boolean) | undefined;
  /** Whether `ready` also lists every writer and mirror: keys, states, versions, ages, names of errors. Default `false`: how many. */
  readonly details?: boolean | undefined;
}

/**
 * Answers health checks: 200 or 503, and plain JSON that holds no value and no error message. A probe of `live` says that the event
 * loop answers; one that fails means "restart me". A probe of `ready` says that values are there; one that fails means "no
 * requests yet".
 *
 * @throws TypeError for an option that can't be meant
 * @example
 * const checkHealth = healthHandler();
 * createServer((request, response) => {
 *   if (checkHealth(request, response)) return;
 *   …
 * });
 * app.use(healthHandler({ isReady: ({ ready }) => ready && !stopping }));
 */
export function healthHandler(options: HealthHandlerOptions = {}): HttpHandler {
  checkOptions('healthHandler', options, ['live', 'ready', 'isReady', 'details']);
  const { isReady = (now: Health) => now.ready, details = false } = options;
  checkFunction('isReady', options.isReady);
  checkBoolean('details', options.details);
  const live = pathOf('live', options.live ?? '/live');
  const ready = pathOf('ready', options.ready ?? '/ready');
  if (live === ready) refuse('ready', 'another path than `live`', options.ready);

  const judge = (now: Health): boolean => {
    try {
      return isReady(now);
    } catch (error) {
      report(error, undefined, 'the `isReady` of healthHandler');
      return false;
    }
  };

  return (request, response, next) => {
    const path = pathsOf(request)
      .map(normalizePath)
      .find((one) => one === live || one === ready);
    if (path === undefined) {
      next?.();
      return false;
    }
    const send = (status: number, body: unknown): void => answer(request, response, status, 'application/json', JSON.stringify(body));
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      send(405, { error: 'Expected GET or HEAD' });
    } else if (path === live) {
      send(200, { live: true });
    } else {
      const now = health();
      const isFine = judge(now);
      send(isFine ? 200 : 503, { ready: isFine, ...summaryOf(now), ...(details ? detailsOf(now) : {}) });
    }
    return true;
  };
}

function pathOf(name: string, path: unknown): string {
  if (typeof path !== 'string' || !path.startsWith('/')) refuse(name, 'a path that begins with a slash', path);
  return normalizePath(path);
}

function summaryOf({ writers, mirrors }: Health) {
  const count = <T>(all: readonly T[], is: (one: T) => boolean): number => all.filter(is).length;
  return {
    writers: { total: writers.length, interrupted: count(writers, ({ state }) => state === 'interrupted') },
    mirrors: {
      total: mirrors.length,
      interrupted: count(mirrors, ({ state }) => state === 'interrupted'),
      stale: count(mirrors, ({ isStale }) => isStale),
    },
    withoutValue: count([...writers, ...mirrors], (one) => !hasValue(one)),
  };
}

/** A message may hold what the user's own code wrote into it: its name and code have to do. */
const withoutMessage = (error: ErrorSummary | undefined) => error && { name: error.name, code: error.code, time: error.time };

function detailsOf({ writers, mirrors }: Health) {
  return {
    writerList: writers.map(({ key, name, scope, state, version, age, consecutiveFailures, lastError }) => ({
      key,
      name,
      scope,
      state,
      version,
      age,
      consecutiveFailures,
      lastError: withoutMessage(lastError),
    })),
    mirrorList: mirrors.map(({ key, state, via, version, age, isStale, lastError }) => ({
      key,
      state,
      via,
      version,
      age,
      isStale,
      lastError: withoutMessage(lastError),
    })),
  };
}
