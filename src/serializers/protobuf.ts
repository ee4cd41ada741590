import { SerializationError } from '../core/errors.js';
import { refuse } from '../core/options.js';
import type { Serializer } from '../core/serializer.js';

/** What is used of a message type: a `protobufjs` reflection `Type`, or a static class that its `pbjs` generated. */
export interface ProtobufType<T extends object = object> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  /** Why a value is no such message; `null` where it is one. */
  verify?(message: Record<string, unknown>): string | null;
}

/**
 * Messages of one type, as Protocol Buffers. Takes messages and plain objects of the same shape; gives messages. A value that the
 * type's `verify` refuses isn't stored (protobufjs alone would write a wrong type as 0 or ''). Fields the type doesn't know are lost.
 *
 * @throws TypeError for what is no message type
 * @example
 * const { User } = (await protobufjs.load('user.proto')).lookup('app');
 * const users = new RedisCache(redis, { prefix: 'users:', serializer: serializers.protobuf(User) });
 */
export function protobuf<T extends object>(type: ProtobufType<T>): Serializer {
  const candidate = type as Partial<ProtobufType<T>> | null | undefined;
  if (typeof candidate?.encode !== 'function' || typeof candidate.decode !== 'function') {
    refuse('type', 'a protobufjs Type or a generated static class (with encode and decode)', type);
  }
  return {
    name: 'protobuf',
    dumps(value) {
      if (typeof value !== 'object' || value === null) {
        throw new SerializationError(
          `Expected a message for Protocol Buffers, got a value of type ${value === null ? 'null' : typeof value}`,
        );
      }
      let fault: string | null | undefined;
      let bytes: Uint8Array | undefined;
      try {
        fault = type.verify?.(value as Record<string, unknown>);
        if (!fault) bytes = type.encode(value as T).finish();
      } catch (cause) {
        throw new SerializationError(`Protocol Buffers can't hold this value (${(cause as Error).name})`);
      }
      // `verify` names the field and what was expected of it, never the value.
      if (fault || !bytes) throw new SerializationError(`This is no such message for Protocol Buffers: ${fault}`);
      return bytes;
    },
    loads(bytes) {
      try {
        return type.decode(bytes);
      } catch (cause) {
        throw new SerializationError(`These ${bytes.byteLength} bytes are no such message of Protocol Buffers (${(cause as Error).name})`);
      }
    },
  };
}
