import { KeyTemplateError } from '../core/errors.js';
import { checkStoreKey, refuse, show } from '../core/options.js';
import { escaper } from './escape.js';
import { type Placeholder, resolvePlaceholders } from './placeholders.js';
import { parseTemplate } from './template.js';
import { textOf } from './text.js';

/** What an option called `key` takes: a template, or a function of the same arguments as the cached function's. */
export type KeyOption = string | ((...args: never[]) => string);

/** Where a placeholder's value is: an argument, or a property of one. */
export type Place = Pick<Placeholder, 'argument' | 'property'>;

/** A template, made ready for one function. */
export interface KeyPlan {
  /** The key, where it doesn't depend on the arguments. */
  readonly fixed: string | undefined;
  /** The key function, where there is one. What it makes is a key only once `keyMade` has seen it. */
  readonly fn: ((...args: unknown[]) => unknown) | undefined;
  /** The values that alone decide the key, in the order of the placeholders; `undefined` for a key function. */
  readonly places: readonly Place[] | undefined;
  /**
   * The values at the places; a key function's are the arguments.
   *
   * @throws KeyTemplateError where there is no object to take a property from
   */
  values(args: ArrayLike<unknown>): ArrayLike<unknown>;
  /**
   * The key of these values, not checked: for looking one up, since no store holds a bad key.
   *
   * @throws KeyTemplateError for values that don't fill the template
   */
  join(values: ArrayLike<unknown>): string;
  /**
   * The key of these arguments.
   *
   * @throws KeyTemplateError for arguments that don't fill the template, TypeError or RangeError for a key that isn't one
   */
  keyOf(args: ArrayLike<unknown>): string;
}

/** What can be said of a `key` option before the function is known. */
export function checkKeyOption(key: unknown): asserts key is KeyOption {
  if (typeof key === 'function') return;
  if (typeof key !== 'string') refuse('key', 'a key template or a function', key);
  if (parseTemplate(key).names.length === 0) checkStoreKey(key);
}

/**
 * @param params the names of the function's parameters, for a function whose source doesn't show them
 * @throws KeyTemplateError for a template that can't be read or resolved
 */
export function compileKey(key: KeyOption, fn: (...args: never[]) => unknown, params?: readonly string[]): KeyPlan {
  checkKeyOption(key);
  if (typeof key === 'function') return fromFunction(key as (...args: unknown[]) => unknown);
  const template = parseTemplate(key);
  const placeholders = resolvePlaceholders(template, key, fn, params);
  if (placeholders.length === 0) return plan({ fixed: key, fn: undefined, places: [], values: same, join: () => key });
  // The usual template takes the arguments as they come: they are the values, and nothing is copied.
  const inOrder = placeholders.every((one, i) => one.property === undefined && one.argument === i);
  const values = inOrder ? same : (args: ArrayLike<unknown>): unknown[] => placeholders.map((one) => valueOf(args, one, key));
  return plan({ fixed: undefined, fn: undefined, places: placeholders, values, join: joiner(template.texts, placeholders, key) });
}

function same(args: ArrayLike<unknown>): ArrayLike<unknown> {
  return args;
}

function plan(parts: Omit<KeyPlan, 'keyOf'>): KeyPlan {
  return {
    ...parts,
    keyOf(args) {
      const key = parts.join(parts.values(args));
      checkStoreKey(key);
      return key;
    },
  };
}

function fromFunction(fn: (...args: unknown[]) => unknown): KeyPlan {
  const join = (args: ArrayLike<unknown>): string => keyMade(Reflect.apply(fn, undefined, args));
  return plan({ fixed: undefined, fn, places: undefined, values: same, join });
}

/** @throws KeyTemplateError for what a key function made that isn't a string */
export function keyMade(made: unknown): string {
  if (typeof made !== 'string') throw new KeyTemplateError(`Expected the key function to answer a string, got ${show(made)}`);
  return made;
}

function joiner(texts: readonly string[], placeholders: readonly Placeholder[], source: string): KeyPlan['join'] {
  const [head, middle, tail] = texts as [string, string, string];
  const [first, second] = placeholders as [Placeholder, Placeholder];
  if (placeholders.length === 1) return (values) => head + text(values[0], first, source) + middle;
  const { escape } = escaper(texts.slice(1, -1), source);
  const safe = (value: unknown, placeholder: Placeholder): string | number => {
    const made = text(value, placeholder, source);
    return typeof made === 'number' ? made : escape(made);
  };
  if (placeholders.length === 2) return (values) => head + safe(values[0], first) + middle + safe(values[1], second) + tail;
  return (values) => {
    let key: string = head;
    for (let i = 0; i < placeholders.length; i++) key += `${safe(values[i], placeholders[i] as Placeholder)}${texts[i + 1]}`;
    return key;
  };
}

/** A text, or a whole number from 0 on: its text is digits, which never need escaping. */
function text(value: unknown, placeholder: Placeholder, source: string): string | number {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && value >>> 0 === value) return value;
  return textOrDefault(value, placeholder, source);
}

function valueOf(args: ArrayLike<unknown>, placeholder: Placeholder, source: string): unknown {
  const { argument, property } = placeholder;
  const value = args[argument];
  return property === undefined ? value : propertyOf(value, property, placeholder, source);
}

function propertyOf(object: unknown, property: string, placeholder: Placeholder, source: string): unknown {
  if (object === undefined && placeholder.optional) return undefined;
  if (object === undefined || object === null) {
    throw new KeyTemplateError(`The key template '${source}' needs an object for ${placeholder.label}, got ${String(object)}`);
  }
  return (object as Record<string, unknown>)[property];
}

function textOrDefault(value: unknown, placeholder: Placeholder, source: string): string {
  const given = value === undefined ? placeholder.fallback : value;
  if (given === undefined) {
    throw new KeyTemplateError(`The key template '${source}' needs a value for ${placeholder.label}, got undefined${placeholder.hint}`);
  }
  return textOf(given, placeholder.label, source);
}
