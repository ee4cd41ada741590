/**
 * Checks of options, at the door. A message says what was expected and what came; it never shows the inside of a value.
 */

/** What came, in a few characters: primitives as they are, everything else by its type. */
export function show(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `a string of ${value.length} characters` : `'${value}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
  if (typeof value === 'object' && value !== null) {
    const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
    return typeof name === 'string' && name !== 'Object' ? `an instance of ${name}` : 'an object';
  }
  return String(value);
}

/** @throws TypeError that says what was expected and what came */
export function refuse(name: string, expected: string, got: unknown): never {
  throw new TypeError(`Expected \`${name}\` to be ${expected}, got ${show(got)}`);
}

/** @throws TypeError unless `options` is a plain bag of the `known` names (a misspelt one must not be ignored) */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) refuse(`${where} options`, 'an object', options);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`Expected the options of ${where} to be among ${known.join(', ')}, got '${name}'`);
    }
  }
}

export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') refuse(name, 'a function', value);
}

export function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') refuse(name, 'a boolean', value);
}

/** @throws RangeError unless `value` is absent or a whole number from `min` on */
export function checkCount(name: string, value: unknown, min = 1): void {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= min)) return;
  throw new RangeError(`Expected \`${name}\` to be a whole number of ${min} or more, got ${show(value)}`);
}

export function checkOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value as string)) {
    refuse(name, `one of ${allowed.map((word) => `'${word}'`).join(', ')}`, value);
  }
}

/** Of what is mirrored: its key stands in the header of each snapshot. */
const MAX_KEY_BYTES = 8192;
/** Of an entry: 10,000 characters of any script, and more. */
const MAX_STORE_KEY_BYTES = 65_536;

/**
 * A key is a well-formed, non-empty string of at most `maxBytes`: a lone surrogate would meet another key in UTF-8.
 *
 * @throws TypeError for what isn't a well-formed string, RangeError for one that is empty or too long
 */
export function checkKey(name: string, key: unknown, maxBytes: number = MAX_KEY_BYTES): asserts key is string {
  if (typeof key !== 'string') refuse(name, 'a string', key);
  if (key.length === 0) throw new RangeError(`Expected \`${name}\` to be a non-empty string, got ''`);
  if (key.length * 3 > maxBytes && Buffer.byteLength(key) > maxBytes) {
    throw new RangeError(`Expected \`${name}\` to be at most ${maxBytes} bytes of UTF-8, got ${Buffer.byteLength(key)}`);
  }
  if (!key.isWellFormed()) throw new TypeError(`Expected \`${name}\` to be well-formed Unicode, got a lone surrogate`);
}

/** `checkKey` for the key of an entry in a store: at most 64 KiB. */
export function checkStoreKey(key: unknown): asserts key is string {
  checkKey('key', key, MAX_STORE_KEY_BYTES);
}
