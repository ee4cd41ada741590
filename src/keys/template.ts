import { KeyTemplateError } from '../core/errors.js';
import { isIdentifier } from './parameters.js';

/** `'order:{userId}:{}'` is three texts around two placeholders. */
export interface Template {
  /** One more than there are placeholders. */
  readonly texts: readonly string[];
  /** The names; `''` for a positional one. */
  readonly names: readonly string[];
}

/** @throws KeyTemplateError for braces that don't pair up, and for what stands in them and is not a name */
export function parseTemplate(source: string): Template {
  const texts: string[] = [];
  const names: string[] = [];
  let from = 0;
  for (;;) {
    const open = source.indexOf('{', from);
    const close = source.indexOf('}', from);
    if (open === -1 && close === -1) break;
    if (open === -1 || (close !== -1 && close < open)) throw bad(source, `'}' at ${close} closes nothing`);
    if (close === -1) throw bad(source, `'{' at ${open} is never closed`);
    const name = source.slice(open + 1, close);
    if (name.includes('{')) throw bad(source, `'{' at ${open} is followed by another one; braces can't be doubled to stand for themselves`);
    if (name !== '' && !isIdentifier(name)) throw bad(source, `'{${name}}' holds something other than a parameter's name`);
    texts.push(source.slice(from, open));
    names.push(name);
    from = close + 1;
  }
  texts.push(source.slice(from));
  return { texts, names };
}

function bad(template: string, what: string): KeyTemplateError {
  return new KeyTemplateError(
    `Expected the key template '${template}' to hold placeholders such as {} or {userId}: ${what}. For anything else, give a function: key: (id) => \`...\``,
  );
}
