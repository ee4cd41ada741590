/** Turns values into bytes and back. `loads` gets bytes that are its own: nothing writes them afterwards. */
export interface Serializer {
  /** What the bytes are called in headers and messages: `'json'`, `'v8'`, … ; a custom one may leave it out. */
  readonly name?: string;
  dumps(value: unknown): Uint8Array;
  loads(bytes: Uint8Array): unknown;
}
