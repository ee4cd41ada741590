import { KeyTemplateError } from '../core/errors.js';
import { checkStoreKey, refuse, show } from '../core/options.js';
import { escaper } from './escape.js';
import { type Placeholder, resolvePlaceholders } from './placeholders.js';
import { parseTemplate } from './template.js';
import { textOf } from './text.js';

/** What an option called `key` takes: a template, or a function of the same arguments as the cached function's. */
export type KeyOption = string | ((...args: never[]) => string);

/** A template, made ready for one function. */
export interface KeyPlan {
  /** The key, where it doesn't depend on the arguments. */
  readonly fixed: string | undefined;
  /** The arguments that alone decide the key, where each placeholder is a whole argument. */
  readonly positions: readonly number[] | undefined;
  /**
   * The key of these arguments, not checked: for looking one up, since no store holds a bad key.
   *
   * @throws KeyTemplateError for arguments that don't fill the template
   */
  build(args: ArrayLike<unknown>): string;
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
  if (placeholders.length === 0) return plan(key, [], () => key);
  const positions = placeholders.every((one) => one.property === undefined) ? placeholders.map((one) => one.argument) : undefined;
  return plan(undefined, positions, builder(template.texts, placeholders, key));
}

function plan(fixed: string | undefined, positions: readonly number[] | undefined, build: (args: ArrayLike<unknown>) => string): KeyPlan {
  return {
    fixed,
    positions,
    build,
    keyOf(args) {
      const key = build(args);
      checkStoreKey(key);
      return key;
    },
  };
}

function fromFunction(key: (...args: unknown[]) => unknown): KeyPlan {
  const build = (args: ArrayLike<unknown>): string => {
    const made = Reflect.apply(key, undefined, args);
    if (typeof made !== 'string') throw new KeyTemplateError(`Expected the key function to answer a string, got ${show(made)}`);
    return made;
  };
  return plan(undefined, undefined, build);
}

function builder(texts: readonly string[], placeholders: readonly Placeholder[], source: string): (args: ArrayLike<unknown>) => string {
  const [head, middle, tail] = texts as [string, string, string];
  const read = placeholders.map((placeholder) => reader(placeholder, source));
  const [first, second] = read as [Reader, Reader];
  if (read.length === 1) return (args) => head + first(args) + middle;
  const { escape } = escaper(texts.slice(1, -1), source);
  const safe = (value: string | number): string | number => (typeof value === 'number' ? value : escape(value));
  if (read.length === 2) return (args) => head + safe(first(args)) + middle + safe(second(args)) + tail;
  return (args) => {
    let key: string = head;
    for (let i = 0; i < read.length; i++) key += `${safe((read[i] as Reader)(args))}${texts[i + 1]}`;
    return key;
  };
}

/** Answers a text, or a whole number from 0 on: its text is digits, which never need escaping. */
type Reader = (args: ArrayLike<unknown>) => string | number;

function reader(placeholder: Placeholder, source: string): Reader {
  const { argument, property } = placeholder;
  if (property !== undefined) {
    return (args) => {
      const object = args[argument] as Record<string, unknown> | undefined;
      const value = typeof object === 'object' && object !== null ? object[property] : propertyOf(object, property, placeholder, source);
      return typeof value === 'string' ? value : textOrDefault(value, placeholder, source);
    };
  }
  return (args) => {
    const value = args[argument];
    if (typeof value === 'string') return value;
    if (typeof value === 'number' && value >>> 0 === value) return value;
    return textOrDefault(value, placeholder, source);
  };
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
