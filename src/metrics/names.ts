/** What is past the bound counts under this name. */
export const OTHER = 'other';

/**
 * A bounded set of names: those made from keys, or from what an error calls itself, must not fill the memory or a metrics backend. The first
 * come stay; all others are `other`.
 */
export class Names {
  readonly #known = new Set<string>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#known.size >= this.#limit;
  }

  /** The name itself, or `other` when there is no place for it. */
  of(name: string): string {
    if (this.#known.has(name) || name === OTHER) return name;
    if (this.isFull) return OTHER;
    this.#known.add(name);
    return name;
  }
}

/** Names of caches, of a collector in a process. */
export const MAX_CACHES = 100;
export const MAX_OPERATIONS = 16;
export const MAX_ERROR_TYPES = 24;

const LONGEST = 120;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]{0,59}$/u;

/** As much of a cache's name as a backend takes. */
export function cacheNameOf(name: string): string {
  return name.length > LONGEST ? name.slice(0, LONGEST).toWellFormed() : name;
}

/** A word of code: an operation, a class of errors. Anything else (a message, an address, a key) is `otherwise`. */
export function wordOf(text: string, otherwise: string): string {
  return IDENTIFIER.test(text) ? text : otherwise;
}
