/**
 * Reading JSON that may hold anything: a file that another process wrote, perhaps of another release, perhaps half a wreck. What a
 * shape answers has exactly the fields that it names, each of its type and bounded.
 */

export type Shape<T> = (value: unknown) => T;
export type Shaped<S> = S extends Shape<infer T> ? T : never;

export class ShapeError extends Error {}

const fail = (expected: string): never => {
  throw new ShapeError(`Expected ${expected}`);
};

/** Longer texts are cut. */
export const text =
  (longest: number): Shape<string> =>
  (value) =>
    typeof value === 'string' ? value.slice(0, longest) : fail('a text');

export const number: Shape<number> = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : fail('a number'));

export const flag: Shape<boolean> = (value) => (typeof value === 'boolean' ? value : fail('true or false'));

export const optional =
  <T>(shape: Shape<T>): Shape<T | undefined> =>
  (value) =>
    value === undefined || value === null ? undefined : shape(value);

/** Of longer lists the rest is left out. */
export const list =
  <T>(most: number, shape: Shape<T>): Shape<T[]> =>
  (value) =>
    Array.isArray(value) ? value.slice(0, most).map(shape) : fail('a list');

export const matching =
  (pattern: RegExp): Shape<string> =>
  (value) =>
    typeof value === 'string' && pattern.test(value) ? value : fail(`a text like ${pattern.source}`);

export function object<F extends Record<string, Shape<unknown>>>(fields: F): Shape<{ [K in keyof F]: Shaped<F[K]> }> {
  const all = Object.entries(fields);
  return (value) => {
    if (typeof value !== 'object' || value === null) return fail('an object');
    const from = value as Record<string, unknown>;
    return Object.fromEntries(all.map(([name, shape]) => [name, shape(from[name])])) as { [K in keyof F]: Shaped<F[K]> };
  };
}

/** @throws ShapeError, or the SyntaxError of what isn't JSON */
export function parse<T>(bytes: Buffer, shape: Shape<T>): T {
  return shape(JSON.parse(bytes.toString('utf8')));
}
