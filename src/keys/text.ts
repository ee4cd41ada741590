import { KeyTemplateError } from '../core/errors.js';
import { show } from '../core/options.js';

/**
 * The text of a placeholder's value.
 *
 * @throws KeyTemplateError for `null` and whatever has no text of its own: `[object Object]` would make one key of all objects
 */
export function textOf(value: unknown, placeholder: string, template: string): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'object':
      if (value !== null) return textOfObject(value, placeholder, template);
      break;
    default:
      break;
  }
  throw new KeyTemplateError(
    `The key template '${template}' needs a string, number, bigint or boolean for ${placeholder}, got ${value === null ? 'null' : `a ${typeof value}`}`,
  );
}

function textOfObject(value: object, placeholder: string, template: string): string {
  // `Date.prototype.toString` leaves the milliseconds out and writes in the time zone of the process.
  const isDate = value instanceof Date;
  if (isDate && !Number.isNaN(value.getTime())) return value.toISOString();
  const { toString } = value as { toString?: unknown };
  if (!isDate && typeof toString === 'function' && toString !== Object.prototype.toString) {
    const text: unknown = toString.call(value);
    if (typeof text === 'string' && !text.includes('[object ')) return text;
  }
  throw new KeyTemplateError(
    `The key template '${template}' needs a value with a text of its own for ${placeholder}, got ${show(value)}. ` +
      'Take what identifies it, with a function: key: (user) => `user:${user.id}`',
  );
}
