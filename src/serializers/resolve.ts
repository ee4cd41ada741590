import { refuse } from '../core/options.js';
import type { Serializer } from '../core/serializer.js';
import { json } from './json.js';
import { v8 } from './v8.js';

/** The serializers that come with the library. */
export const serializers: { readonly json: Serializer; readonly v8: Serializer } = Object.freeze({ json, v8 });

export type SerializerName = keyof typeof serializers;

/** What an option called `serializer` takes: a name, or any object with `dumps` and `loads`. */
export type SerializerOption = SerializerName | Serializer;

export function isSerializerName(name: unknown): name is SerializerName {
  return typeof name === 'string' && Object.hasOwn(serializers, name);
}

/** @throws TypeError for a name that isn't known and for an object without `dumps` and `loads` */
export function resolveSerializer(option: SerializerOption | undefined, fallback: Serializer = json): Serializer {
  if (option === undefined) return fallback;
  if (isSerializerName(option)) return serializers[option];
  if (typeof option === 'object' && option !== null && typeof option.dumps === 'function' && typeof option.loads === 'function') {
    return option;
  }
  return refuse(
    'serializer',
    `one of ${Object.keys(serializers)
      .map((name) => `'${name}'`)
      .join(', ')}, or an object with dumps and loads`,
    option,
  );
}
