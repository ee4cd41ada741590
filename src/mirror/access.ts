/**
 * The seam through which every shared word and every shared byte is touched. Production uses `direct`; a test passes an
 * access that lets a writer take steps in each gap between two touches of a reader (test/mirror/schedules.test.ts).
 */
export interface SharedAccess {
  load(words: Int32Array, index: number): number;
  store(words: Int32Array, index: number, value: number): void;
  exchange(words: Int32Array, index: number, value: number): number;
  compareExchange(words: Int32Array, index: number, expected: number, value: number): number;
  /** `Atomics.or(words, index, 0)`: a read that takes part in the order of writes. See `protocol.ts`, case 3. */
  readModifyWrite(words: Int32Array, index: number): number;
  notify(words: Int32Array, index: number): void;
  /** A plain copy into shared memory. */
  copyIn(target: Uint8Array, source: Uint8Array): void;
  /** A plain copy out of shared memory, into fresh private bytes. */
  copyOut(source: Uint8Array): Uint8Array;
  /** Words for plain reads. What is read through them counts once the slot is validated, and as a place to look at only within bounds. */
  view(buffer: SharedArrayBuffer, byteOffset: number, length: number): Int32Array;
}

export const direct: SharedAccess = {
  load: (words, index) => Atomics.load(words, index),
  store: (words, index, value) => {
    Atomics.store(words, index, value);
  },
  exchange: (words, index, value) => Atomics.exchange(words, index, value),
  compareExchange: (words, index, expected, value) => Atomics.compareExchange(words, index, expected, value),
  readModifyWrite: (words, index) => Atomics.or(words, index, 0),
  notify: (words, index) => {
    Atomics.notify(words, index);
  },
  copyIn: (target, source) => target.set(source),
  copyOut: (source) => {
    const copy = new Uint8Array(source.byteLength);
    copy.set(source);
    return copy;
  },
  view: (buffer, byteOffset, length) => new Int32Array(buffer, byteOffset, length),
};
