/** What went wrong, the same fault in several threads or at several times as one. */
import { shortHash } from './identity.js';
import type { Pace } from './pace.js';
import type { ErrorReport } from './report.js';
import type { Row } from './rows.js';
import type { Thread } from './threads.js';

export interface ErrorRow extends Row {
  readonly kind: 'error';
  /** What it happened to: a key, or the name of a cached function or thread. */
  readonly subject: string;
  readonly where: 'writer' | 'mirror' | 'function' | 'thread';
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string | undefined;
  /** As often as it was seen to happen. */
  readonly count: number;
  /** The last time: Unix time in seconds. */
  readonly time: number;
}

const MOST = 200;

/** By thread and fault: what was counted, or when it was met. */
type Met = Map<string, number>;

/** Whose messages hold no value, credential or key of the user's: the library's own (see core/errors.ts). */
export const OWN_CODES: ReadonlySet<string> = new Set([
  'ERR_KEY_TEMPLATE',
  'ERR_DUPLICATE_WRITER',
  'ERR_SERIALIZATION',
  'ERR_WIRE_FORMAT',
  'ERR_SNAPSHOT_TOO_LARGE',
  'ERR_VALIDATION',
  'ERR_STORE',
  'ERR_MIRROR_CLOSED',
  'ERR_STALE',
  'ERR_VIEW_EXPIRED',
  'ERR_TIMEOUT',
  'ERR_STOPPED',
  'ERR_PROTOCOL',
  'ERR_MISSING_DEPENDENCY',
]);

export class Faults {
  readonly #showsMessages: boolean;
  readonly #rows = new Map<string, ErrorRow>();
  #met: Met = new Map();

  /** @param showsMessages whether the messages of errors that aren't the library's are kept: they may hold anything */
  constructor(showsMessages: boolean) {
    this.#showsMessages = showsMessages;
  }

  async rows(threads: readonly Thread[], now: number, pace: Pace): Promise<ErrorRow[]> {
    const met: Met = new Map();
    for (const { id: at, report } of threads) {
      if (pace.isDue()) await pace.rest();
      for (const { key, lastError } of report.writers) this.#error(at, 'writer', key, lastError, met);
      for (const { key, lastError } of report.mirrors) this.#error(at, 'mirror', key, lastError, met);
      for (const { name: subject, id, errors } of report.caches) {
        if (errors.length === 0) continue;
        for (const { operation, type, count, time } of errors) {
          const name = `${at} ${id} ${operation} ${type}`;
          const more = count - (this.#met.get(name) ?? 0);
          met.set(name, count);
          const message = operation === 'load' ? 'in its own code' : `while it was to ${operation}`;
          if (more > 0) this.#add({ where: 'function', subject, name: type, code: undefined, message, time: time || now }, more);
        }
      }
      for (const { what, lastError, restarts } of report.helpers) {
        const name = `${at} ${what}`;
        const more = restarts - (this.#met.get(name) ?? 0);
        met.set(name, restarts);
        const fault = { subject: what, name: lastError ?? 'Crash', code: undefined, message: 'It was started anew', time: now };
        if (more > 0) this.#add({ where: 'thread', ...fault }, more);
      }
    }
    this.#met = met;
    return [...this.#rows.values()];
  }

  /** What may be said of an error. */
  redact<E extends ErrorReport | undefined>(error: E): E {
    if (error === undefined || this.#mayTell(error)) return error;
    return { ...error, message: undefined };
  }

  #error(at: string, where: 'writer' | 'mirror', subject: string, error: ErrorReport | undefined, met: Met): void {
    if (!error) return;
    const name = `${at} ${where} ${subject}`;
    met.set(name, error.time);
    if (this.#met.get(name) === error.time) return;
    const { name: type, code, message, time } = this.redact(error);
    this.#add({ where, subject, name: type, code, message, time }, 1);
  }

  #add(fault: Omit<ErrorRow, 'id' | 'kind' | 'count'>, more: number): void {
    const { where, subject, name, code, message } = fault;
    const id = `e${shortHash(JSON.stringify([where, subject, name, code, message]))}`;
    const before = this.#rows.get(id);
    this.#rows.delete(id);
    this.#rows.set(id, { ...fault, id, kind: 'error', count: (before?.count ?? 0) + more, time: Math.max(fault.time, before?.time ?? 0) });
    const [oldest] = this.#rows.keys();
    if (this.#rows.size > MOST && oldest !== undefined) this.#rows.delete(oldest);
  }

  #mayTell({ code }: ErrorReport): boolean {
    return this.#showsMessages || (code !== undefined && OWN_CODES.has(code));
  }
}
