/**
 * A count in two words of memory that threads share. One thread adds, any thread reads, nobody locks or waits; an addition is one
 * plain store.
 *
 * ```
 * LOW    counts modulo 2^31
 * HIGH   how often LOW has passed a multiple of 2^30: the count is HIGH halves of 2^30, and the lower 30 bits of LOW
 * ```
 * Why a reading is never torn, and never of two moments:
 * 1. The ECMAScript memory model forbids tearing of an Int32 (`IsNoTearConfiguration`); it allows it for 8 bytes. So no word is half
 *    written, on any processor.
 * 2. LOW passes a half first, HIGH follows. In between HIGH is one behind, and bit 30 of LOW, which has the parity of the half that
 *    LOW is in, tells so. HIGH is never ahead: it is stored atomically after LOW, and read before it.
 * 3. HIGH is read again after LOW: if it is the same, LOW is not of a later half than the next one, since between two halves lie 2^30
 *    additions.
 * 4. A thread that ends between the two stores leaves a HIGH that is one behind: case 2, for readers and for a successor.
 *
 * A reading may be a moment old. It is exact once the reader has synchronized with the writer: got a message, or its `exit` event.
 */

/** The words of one counter. */
export const COUNTER_WORDS = 2;
/** What one `add` may add at most. */
export const LARGEST_STEP = 0x3fffffff;
const MODULO = 0x7fffffff;
const HALF = 0x40000000;

/** Adds `by`, a whole number of 0 to `LARGEST_STEP`. For the one thread that writes these words. */
export function add(words: Int32Array, at: number, by: number): void {
  const low = words[at] as number;
  const next = (low + by) & MODULO;
  words[at] = next;
  if (((low ^ next) & HALF) !== 0) Atomics.store(words, at + 1, halves(words[at + 1] as number, low) + 1);
}

export function countOf(words: Int32Array, at: number): number {
  for (;;) {
    const high = Atomics.load(words, at + 1);
    const low = Atomics.load(words, at);
    if (Atomics.load(words, at + 1) === high) return halves(high, low) * HALF + (low & (HALF - 1));
  }
}

/** Up to here `LOW` may be raised by a plain store of its successor, without `add`. */
export function nextHalf(low: number): number {
  return (low & HALF) + HALF;
}

function halves(high: number, low: number): number {
  return high + (((low >>> 30) ^ high) & 1);
}
