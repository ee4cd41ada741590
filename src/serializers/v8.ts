import { deserialize, serialize } from 'node:v8';
import { SerializationError } from '../core/errors.js';
import type { Serializer } from '../core/serializer.js';

/**
 * The structured-clone format of V8: `Map`, `Set`, `Date`, `bigint`, typed arrays, cycles, `undefined`. Only for bytes
 * that nobody else could have written, since V8 accepts most corrupt payloads without an error, and between processes
 * whose Node versions read one another's format (a newer V8 reads an older one's bytes, not the reverse).
 */
export const v8: Serializer = {
  name: 'v8',
  dumps(value) {
    try {
      return serialize(value);
    } catch (cause) {
      // V8's message quotes the value (`() => secret could not be cloned`), so it stays out, cause and all.
      throw new SerializationError(`The structured-clone format can't hold this value (${(cause as Error).name})`);
    }
  },
  loads(bytes) {
    try {
      return deserialize(bytes);
    } catch (cause) {
      throw new SerializationError(`These ${bytes.byteLength} bytes are not in V8's format`, { cause });
    }
  },
};
