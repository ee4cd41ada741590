import { KeyTemplateError } from '../core/errors.js';

/**
 * How the values in a template with two or more placeholders are kept apart, so that `('a:b', 'c')` and `('a', 'b:c')` get two keys.
 *
 * 1. In every value `%` is written `%25`. A value in which a separator would be found too early (in it, or across its end, with
 *    the separator that follows) also has the separators' *marks*, one character of each, percent-encoded wherever they occur.
 * 2. So in `value + separator + rest` the first occurrence of the separator is the one after the value: the key can be taken
 *    apart again from the left, and percent-decoding each part gives back the value. What can be undone is injective.
 * 3. A mark must not occur in any escape that step 1 writes; digits do, so a separator of nothing but digits is refused.
 */
export interface Escaper {
  /** A text of nothing but decimal digits comes back as it is: no need to ask. */
  escape(text: string): string;
}

interface Separator {
  readonly text: string;
  readonly mark: string;
  readonly escaped: string;
}

/** @param between the texts between neighbouring placeholders */
export function escaper(between: readonly string[], template: string): Escaper {
  const separators = [...new Set(between)].map((text): Separator => {
    const mark = markOf(text);
    if (mark === undefined) {
      throw new KeyTemplateError(
        text === ''
          ? `The key template '${template}' has two placeholders with nothing between them: ('ab', 'c') and ('a', 'bc') would share a key. Put a separator there, such as ':'`
          : `The key template '${template}' has only '${text}' between two placeholders, which could be part of a value. Put a separator such as ':' there`,
      );
    }
    return { text, mark, escaped: percent(mark) };
  });
  const first = separators[0] as Separator;
  if (separators.length === 1 && first.text.length === 1) {
    // The usual template has one separator of one character; this is the path of every call.
    const { mark } = first;
    return { escape: (text) => (text.includes(mark) || text.includes('%') ? rewrite(text, separators) : text) };
  }
  return {
    escape: (text) => (text.includes('%') || separators.some(({ mark }) => text.includes(mark)) ? rewrite(text, separators) : text),
  };
}

function rewrite(value: string, separators: readonly Separator[]): string {
  const text = value.replaceAll('%', '%25');
  if (separators.every((separator) => (text + separator.text).indexOf(separator.text) === text.length)) return text;
  return separators.reduce((rest, { mark, escaped }) => rest.replaceAll(mark, escaped), text);
}

/** The first character that is fit to be escaped: punctuation before letters, and none that an escape is written with. */
function markOf(separator: string): string | undefined {
  const characters = Array.from(separator).filter((character) => !/[\dA-F%]/.test(character));
  return characters.find((character) => !/[\p{L}\p{N}]/u.test(character)) ?? characters[0];
}

function percent(character: string): string {
  return [...Buffer.from(character, 'utf8')].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
