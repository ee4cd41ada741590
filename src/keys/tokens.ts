/**
 * Just enough of JavaScript's grammar to find where a parameter list begins, ends and is divided: strings, templates, regular
 * expressions and comments may hold any bracket or comma. One pass, each character read a bounded number of times; no regular
 * expression of our own runs over the text but sticky ones for single words.
 */
export type TokenKind = 'gap' | 'word' | 'literal' | 'punctuator';

export interface Token {
  readonly kind: TokenKind;
  readonly end: number;
}

const WORD = /(?:[\p{ID_Continue}$\\#]|\u200c|\u200d)+/uy;
/** After these words a slash begins a regular expression; after any other word it divides. */
const BEFORE_EXPRESSION = new Set([
  'typeof',
  'void',
  'delete',
  'new',
  'in',
  'of',
  'instanceof',
  'await',
  'yield',
  'return',
  'case',
  'do',
  'else',
  'throw',
]);

/** The token at `at`. `before` is the text of the last token that wasn't a gap. */
export function tokenAt(source: string, at: number, before: string): Token {
  const char = source[at] as string;
  if (char === '/') {
    const next = source[at + 1];
    if (next === '/') return { kind: 'gap', end: endOfLine(source, at) };
    if (next === '*') return { kind: 'gap', end: after(source, '*/', at + 2) };
    if (beginsExpression(before)) return { kind: 'literal', end: endOfRegex(source, at) };
    return { kind: 'punctuator', end: at + 1 };
  }
  if (char === "'" || char === '"') return { kind: 'literal', end: endOfString(source, at, char) };
  if (char === '`') return { kind: 'literal', end: endOfTemplate(source, at) };
  if (char.trim() === '') return { kind: 'gap', end: at + 1 };
  WORD.lastIndex = at;
  if (WORD.test(source)) return { kind: 'word', end: WORD.lastIndex };
  if (source.startsWith('=>', at)) return { kind: 'punctuator', end: at + 2 };
  return { kind: 'punctuator', end: at + 1 };
}

function beginsExpression(before: string): boolean {
  if (before === '' || BEFORE_EXPRESSION.has(before)) return true;
  return before.length <= 2 && '(,=:[!&|?{;+-*%~^<>=>'.includes(before);
}

function endOfLine(source: string, at: number): number {
  for (let i = at; i < source.length; i++) if ('\n\r\u2028\u2029'.includes(source[i] as string)) return i;
  return source.length;
}

function after(source: string, text: string, from: number): number {
  const found = source.indexOf(text, from);
  return found === -1 ? source.length : found + text.length;
}

function endOfString(source: string, at: number, quote: string): number {
  for (let i = at + 1; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === quote) return i + 1;
  }
  return source.length;
}

function endOfRegex(source: string, at: number): number {
  let inClass = false;
  for (let i = at + 1; i < source.length; i++) {
    const char = source[i];
    if (char === '\\') i++;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '/' && !inClass) {
      WORD.lastIndex = i + 1;
      return WORD.test(source) ? WORD.lastIndex : i + 1;
    }
  }
  return source.length;
}

function endOfTemplate(source: string, at: number): number {
  for (let i = at + 1; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === '`') return i + 1;
    else if (source[i] === '$' && source[i + 1] === '{') i = endOfBrackets(source, i + 1) - 1;
  }
  return source.length;
}

/** The index after the bracket that closes the one at `at`. */
export function endOfBrackets(source: string, at: number): number {
  let depth = 0;
  let before = '';
  for (let i = at; i < source.length; ) {
    const token = tokenAt(source, i, before);
    if (token.kind === 'punctuator') {
      if ('([{'.includes(source[i] as string)) depth++;
      else if (')]}'.includes(source[i] as string) && --depth === 0) return token.end;
    }
    if (token.kind !== 'gap') before = source.slice(i, token.end);
    i = token.end;
  }
  return source.length;
}

/** One element of a list in brackets, without its comments. */
export interface Item {
  /** What stands before the first `=` of its own (and, in a pattern, before the first `:`). */
  readonly head: string;
  /** What stands between `:` and `=`: the target of a renaming. */
  readonly target: string | undefined;
  /** What stands after `=`: the default. */
  readonly init: string | undefined;
}

/** The elements of the list in the brackets that open at `at`, and the index after the closing one. */
export function listAt(source: string, at: number): { items: Item[]; end: number } {
  const items: Item[] = [];
  let parts: [string, string | undefined, string | undefined] = ['', undefined, undefined];
  let part: 0 | 1 | 2 = 0;
  let depth = 0;
  let before = '';
  const finish = (): void => {
    const [head, target, init] = parts;
    if (head.trim() !== '') items.push({ head: head.trim(), target: target?.trim(), init: init?.trim() });
    parts = ['', undefined, undefined];
    part = 0;
  };
  for (let i = at; i < source.length; ) {
    const token = tokenAt(source, i, before);
    const text = source.slice(i, token.end);
    let isDivider = false;
    if (token.kind === 'punctuator') {
      if (depth === 1 && text === ',') {
        finish();
        isDivider = true;
      } else if (depth === 1 && ((text === ':' && part === 0) || (text === '=' && part < 2))) {
        part = text === ':' ? 1 : 2;
        parts[part] = '';
        isDivider = true;
      } else if ('([{'.includes(text)) {
        isDivider = depth++ === 0;
      } else if (')]}'.includes(text) && --depth === 0) {
        finish();
        return { items, end: token.end };
      }
    }
    if (!isDivider) parts[part] += token.kind === 'gap' ? ' ' : text;
    if (token.kind !== 'gap') before = text;
    i = token.end;
  }
  return { items, end: source.length };
}
