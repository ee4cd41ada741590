import { refuse } from '../core/options.js';
import type { Serializer } from '../core/serializer.js';
import { json } from './json.js';
import { loadMsgpackr, msgpack } from './msgpack.js';
import { type ProtobufType, protobuf } from './protobuf.js';
import { v8 } from './v8.js';

export type SerializerName = 'json' | 'v8' | 'msgpack';

/** The serializers that come with the library. */
export const serializers: Readonly<Record<SerializerName, Serializer>> & {
  readonly protobuf: <T extends object>(type: ProtobufType<T>) => Serializer;
} = Object.freeze({ json, v8, msgpack, protobuf });

const NAMES: readonly SerializerName[] = ['json', 'v8', 'msgpack'];

/** What an option called `serializer` takes: a name, or any object with `dumps` and `loads`. */
export type SerializerOption = SerializerName | Serializer;

export function isSerializerName(name: unknown): name is SerializerName {
  return NAMES.includes(name as SerializerName);
}

/**
 * @throws TypeError for a name that isn't known and for an object without `dumps` and `loads`; MissingDependencyError for one whose
 * package isn't installed
 */
export function resolveSerializer(option: SerializerOption | undefined, fallback: Serializer = json): Serializer {
  if (option === undefined) return fallback;
  const serializer: unknown = isSerializerName(option) ? serializers[option] : option;
  if (!isSerializer(serializer)) {
    refuse('serializer', `one of ${NAMES.map((name) => `'${name}'`).join(', ')}, or an object with dumps and loads`, option);
  }
  // Now, while there is someone to tell.
  if (serializer === msgpack) loadMsgpackr();
  return serializer;
}

function isSerializer(value: unknown): value is Serializer {
  const candidate = value as Partial<Serializer> | null;
  return (
    typeof candidate === 'object' && candidate !== null && typeof candidate.dumps === 'function' && typeof candidate.loads === 'function'
  );
}
