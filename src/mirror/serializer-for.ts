import { WireFormatError } from '../core/errors.js';
import type { Serializer } from '../core/serializer.js';
import { isSerializerName, serializers } from '../serializers/resolve.js';

/**
 * What the bytes of a snapshot are decoded with.
 *
 * @param key for messages
 * @param codec what the snapshot calls its format
 * @param own what the reader was given
 * @throws WireFormatError for a format that this reader can't read
 */
export function serializerFor(key: string, codec: string, own: Serializer | undefined): Serializer {
  if (own === undefined) {
    if (isSerializerName(codec)) return serializers[codec];
    if (codec === 'keyed') throw new WireFormatError(`'${key}' is written with \`keyed: true\`: read it with bg.read.keyed`);
    throw new WireFormatError(`Snapshots of '${key}' have a custom format: pass its \`serializer\` to bg.read`);
  }
  if (own.name !== undefined && codec !== '' && own.name !== codec) {
    throw new WireFormatError(`Snapshots of '${key}' are in the format '${codec}', got a \`serializer\` for '${own.name}'`);
  }
  return own;
}
