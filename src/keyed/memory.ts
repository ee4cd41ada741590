const PAGE = 64 * 1024;

/**
 * Memory that grows in place: what is in it isn't copied, and its pages are touched once. For that it is the growable kind of a
 * `SharedArrayBuffer`, though no other thread ever sees it (views of a resizable `ArrayBuffer` cost five times as much to use). The
 * garbage collector doesn't know its size, so who builds again and again keeps it.
 */
export class Memory {
  words: Int32Array;
  #buffer: SharedArrayBuffer;
  #index: Int32Array = new Int32Array(0);

  /** @param reserved bytes: past them it does move */
  constructor(reserved: number = 16 * PAGE) {
    this.#buffer = new SharedArrayBuffer(PAGE, { maxByteLength: Math.max(PAGE, reserved) });
    this.words = new Int32Array(this.#buffer, 0, PAGE / 4);
  }

  /** Whether that many bytes are a good part of it, and it is worth keeping. */
  isUsed(bytes: number): boolean {
    return bytes * 4 >= this.#buffer.byteLength;
  }

  /** Zeros for an index of so many words: those of the one before, if there are as many. It may be written while the one before is read. */
  index(words: number, before?: Int32Array): Int32Array {
    if (before?.buffer === this.#index.buffer || this.#index.length < words) this.#index = new Int32Array(words);
    return this.#index.subarray(0, words).fill(0);
  }

  /** At least so many words, with what was in them. */
  grow(words: number): Int32Array {
    const needed = Math.max(words * 4, Math.ceil((this.#buffer.byteLength * 1.125) / PAGE) * PAGE);
    if (words * 4 > this.#buffer.maxByteLength) {
      const moved = new SharedArrayBuffer(needed, { maxByteLength: 2 * needed });
      new Int32Array(moved).set(this.words);
      this.#buffer = moved;
    } else {
      this.#buffer.grow(Math.min(needed, this.#buffer.maxByteLength));
    }
    this.words = new Int32Array(this.#buffer, 0, this.#buffer.byteLength >>> 2);
    return this.words;
  }
}
