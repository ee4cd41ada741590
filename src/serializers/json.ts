import { SerializationError } from '../core/errors.js';
import { show } from '../core/options.js';
import type { Serializer } from '../core/serializer.js';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * JSON in UTF-8: plain data, readable by every language, safe to take from a place that others can write.
 * What JSON has no word for is lost as `JSON.stringify` loses it (a `Map` becomes `{}`); what it can't write at all
 * (`undefined`, a function, a bigint, a cycle) is a `SerializationError`.
 */
export const json: Serializer = {
  name: 'json',
  dumps: (value) => Buffer.from(textOf(value), 'utf8'),
  loads(bytes) {
    try {
      return JSON.parse(decoder.decode(bytes));
    } catch (cause) {
      throw notJson(bytes.byteLength, cause);
    }
  },
};

/** The text that `json.dumps` makes bytes of. @throws SerializationError */
export function textOf(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new SerializationError(`JSON can't hold this value: ${(cause as Error).name}`, { cause });
  }
  if (text === undefined)
    throw new SerializationError(`JSON can't hold ${typeof value === 'object' ? show(value) : `a value of type ${typeof value}`}`);
  return text;
}

/** `json.loads` of the first bytes of a buffer, for those that are known to be UTF-8: half of its cost beside the parsing. @throws SerializationError */
export function parseStart(buffer: Buffer, bytes: number): unknown {
  try {
    return JSON.parse(buffer.toString('utf8', 0, bytes));
  } catch (cause) {
    throw notJson(bytes, cause);
  }
}

/** The engine's message quotes the text around the fault: a cached value, so it stays out, cause and all. */
function notJson(bytes: number, cause: unknown): SerializationError {
  return new SerializationError(`These ${bytes} bytes are not JSON (${(cause as Error).name})`);
}
