import type { Serializer } from '../../../dist/index.js';

/** JSON, and how often bytes came as far as being decoded. */
export class Counting implements Serializer {
  decoded = 0;

  readonly dumps = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

  readonly loads = (bytes: Uint8Array): unknown => {
    this.decoded++;
    return JSON.parse(Buffer.from(bytes).toString());
  };
}
