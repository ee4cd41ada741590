import { endOfBrackets, listAt, tokenAt } from './tokens.js';

/** A default written in a parameter list: its value where it is a literal, else `undefined` (it can't be known without running it). */
export type Default = { readonly value: string | number | bigint | boolean } | undefined;

/** What a function's source says of one parameter. */
export interface Parameter {
  /** `undefined` for a pattern. */
  readonly name: string | undefined;
  readonly isRest: boolean;
  readonly hasDefault: boolean;
  readonly default: Default;
  /** The properties that an object pattern takes out, by property name; `undefined` for anything else. */
  readonly properties: readonly Property[] | undefined;
  /** Whether the pattern as a whole defaults to `{}`. */
  readonly defaultsToEmpty: boolean;
}

export interface Property {
  readonly name: string;
  /** The local name, where it was renamed to a plain one. */
  readonly local: string;
  readonly hasDefault: boolean;
  readonly default: Default;
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;
const QUOTED = /^(?:'([^'\\]*)'|"([^"\\]*)")$/;

export function isIdentifier(text: string): boolean {
  return IDENTIFIER.test(text);
}

/**
 * The parameters of a function, read from its source; `undefined` where the source doesn't show them (a native or bound function,
 * a class, something that this reader doesn't understand).
 */
// The type is the widest that every function has.
export function parametersOf(fn: (...args: never[]) => unknown): Parameter[] | undefined {
  const source = Function.prototype.toString.call(fn);
  if (/\{\s*\[native code\]\s*\}\s*$/.test(source.slice(-40))) return undefined;
  const at = parameterListAt(source);
  if (at === undefined) return undefined;
  if (typeof at === 'string') return [plain(at)];
  const parameters = listAt(source, at).items.map(parameter);
  return parameters.includes(undefined) ? undefined : (parameters as Parameter[]);
}

/** Where the list's bracket opens, or the one name of an arrow function without brackets. */
function parameterListAt(source: string): number | string | undefined {
  let before = '';
  let last = '';
  for (let i = 0; i < source.length; ) {
    const token = tokenAt(source, i, before);
    const text = source.slice(i, token.end);
    if (token.kind === 'gap') {
      i = token.end;
      continue;
    }
    if (text === '(') return i;
    if (text === '=>') return isIdentifier(last) ? last : undefined;
    if (before === '' && text === 'class' && !opensList(source, token.end)) return undefined;
    before = text;
    if (token.kind === 'word') last = text;
    // A computed name: `[Symbol.iterator](id) {}`.
    i = text === '[' ? endOfBrackets(source, i) : token.end;
  }
  return undefined;
}

/** Whether a list follows at once, as in a method that is called `class`. */
function opensList(source: string, at: number): boolean {
  return source.slice(at).trimStart().startsWith('(');
}

function plain(name: string): Parameter {
  return { name, isRest: false, hasDefault: false, default: undefined, properties: undefined, defaultsToEmpty: false };
}

function parameter({ head, init }: { head: string; init: string | undefined }): Parameter | undefined {
  const isRest = head.startsWith('...');
  const target = isRest ? head.slice(3).trim() : head;
  const base = { isRest, hasDefault: init !== undefined, default: literal(init) };
  if (isIdentifier(target)) return { ...base, name: target, properties: undefined, defaultsToEmpty: false };
  if (target.startsWith('[')) return { ...base, name: undefined, properties: undefined, defaultsToEmpty: false };
  if (!target.startsWith('{')) return undefined;
  const properties = isRest ? undefined : propertiesOf(target);
  return { ...base, name: undefined, properties, defaultsToEmpty: init !== undefined && /^\{\s*\}$/.test(init) };
}

function propertiesOf(pattern: string): Property[] {
  const properties: Property[] = [];
  for (const { head, target, init } of listAt(pattern, 0).items) {
    const quoted = QUOTED.exec(head);
    const name = quoted ? (quoted[1] ?? quoted[2] ?? '') : head;
    // The rest of an object, and a computed property, have no name to go by.
    if (!quoted && !isIdentifier(name)) continue;
    const local = target !== undefined && isIdentifier(target) ? target : name;
    properties.push({ name, local, hasDefault: init !== undefined, default: literal(init) });
  }
  return properties;
}

const NUMBER = /^[+-]?(?:0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/;
const BIGINT = /^-?\d+n$/;
const PLAIN_TEXT = /^(?:'([^'\\\n]*)'|"([^"\\\n]*)"|`([^`\\$]*)`)$/;

function literal(text: string | undefined): Default {
  if (text === undefined) return undefined;
  const quoted = PLAIN_TEXT.exec(text);
  if (quoted) return { value: quoted[1] ?? quoted[2] ?? quoted[3] ?? '' };
  // A minifier writes `!0` and `!1`.
  if (text === 'true' || text === '!0') return { value: true };
  if (text === 'false' || text === '!1') return { value: false };
  if (BIGINT.test(text)) return { value: BigInt(text.slice(0, -1)) };
  return NUMBER.test(text) ? { value: text.startsWith('-') ? -Number(text.slice(1)) : Number(text) } : undefined;
}
