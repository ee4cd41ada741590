import { KeyTemplateError } from '../core/errors.js';
import { type Parameter, parametersOf } from './parameters.js';
import type { Template } from './template.js';

/** Where a placeholder's value comes from: an argument, or a property of the first argument. */
export interface Placeholder {
  /** As it is written, for messages. */
  readonly label: string;
  readonly argument: number;
  readonly property: string | undefined;
  /** What stands in for `undefined`: the literal default of the parameter list. */
  readonly fallback: string | number | bigint | boolean | undefined;
  /** Whether the argument may be left out as a whole, since its pattern defaults to `{}`. */
  readonly optional: boolean;
  /** Added to the message when the value is missing. */
  readonly hint: string;
}

type AnyFunction = (...args: never[]) => unknown;

/**
 * Finds every placeholder's source: first `params`, then the properties of a first argument that the function takes apart, then
 * the names in the function's own source.
 *
 * @throws KeyTemplateError, with what to do about it, for a name that none of them knows
 */
export function resolvePlaceholders(
  template: Template,
  source: string,
  fn: AnyFunction,
  params: readonly string[] | undefined,
): Placeholder[] {
  const parameters = template.names.length === 0 ? undefined : parametersOf(fn);
  let position = 0;
  return template.names.map((name) => {
    if (name === '') return positional(position++, parameters);
    const found = fromParams(name, params, parameters) ?? fromPattern(name, parameters) ?? fromNames(name, source, parameters);
    if (found) return found;
    throw unresolved(name, source, fn, parameters);
  });
}

function positional(index: number, parameters: readonly Parameter[] | undefined): Placeholder {
  return argument(`{} (argument ${index + 1})`, index, parameters?.[index]);
}

function fromParams(
  name: string,
  params: readonly string[] | undefined,
  parameters: readonly Parameter[] | undefined,
): Placeholder | undefined {
  const index = params?.indexOf(name) ?? -1;
  return index === -1 ? undefined : argument(`{${name}} (argument ${index + 1})`, index, parameters?.[index]);
}

function fromPattern(name: string, parameters: readonly Parameter[] | undefined): Placeholder | undefined {
  const first = parameters?.[0];
  const properties = first?.properties;
  const property = properties?.find((one) => one.name === name) ?? properties?.find((one) => one.local === name);
  if (!first || !property) return undefined;
  return {
    label: `{${name}} (property ${property.name} of argument 1)`,
    argument: 0,
    property: property.name,
    fallback: property.default?.value,
    optional: first.defaultsToEmpty,
    hint: hintFor(property),
  };
}

function fromNames(name: string, source: string, parameters: readonly Parameter[] | undefined): Placeholder | undefined {
  const index = parameters?.findIndex((parameter) => parameter.name === name) ?? -1;
  const parameter = parameters?.[index];
  if (!parameter) return undefined;
  if (parameter.isRest) {
    throw new KeyTemplateError(
      `The key template '${source}' names {${name}}, which is a rest parameter: a list has no text that only it has. Give a function: key: (...${name}) => \`...\``,
    );
  }
  return argument(`{${name}} (argument ${index + 1})`, index, parameter);
}

function argument(label: string, index: number, parameter: Parameter | undefined): Placeholder {
  return {
    label,
    argument: index,
    property: undefined,
    fallback: parameter?.default?.value,
    optional: false,
    hint: parameter ? hintFor(parameter) : '',
  };
}

function hintFor(declared: Pick<Parameter, 'hasDefault' | 'default'>): string {
  if (!declared.hasDefault || declared.default) return '';
  return '. Its default is an expression, which only the function can evaluate: pass the argument, or give a key function';
}

function unresolved(name: string, source: string, fn: AnyFunction, parameters: readonly Parameter[] | undefined): KeyTemplateError {
  const seen = parameters?.flatMap((parameter) => parameter.name ?? parameter.properties?.map((property) => property.name) ?? []);
  const why = seen
    ? `has ${seen.length === 0 ? 'no named parameters' : `the parameters ${seen.join(', ')}`}`
    : 'does not show its parameters (it is native, bound, or a class)';
  return new KeyTemplateError(
    `Expected the key template '${source}' to name parameters of ${fn.name === '' ? 'the function' : fn.name}, which ${why}; {${name}} is not among them. ` +
      `Name them in the options (params: ['${name}']), or give a key function: key: (${name}) => \`...\``,
  );
}
