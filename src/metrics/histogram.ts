/**
 * Durations in buckets of equal relative width, after HdrHistogram (Gil Tene, hdrhistogram.org): 64 buckets for each doubling, from 1 ns to
 * 73 minutes; what is longer counts as that. A figure read from them is off by at most 0.8 %. Memory is taken by octaves, when they
 * are first met: 512 bytes each, 37 at most.
 *
 * Written here, since Node's own histogram (`perf_hooks`) doesn't tell its buckets, which Prometheus and Cloud Monitoring want, and
 * can't live in memory that threads share.
 */
import { COUNTER_WORDS, add, countOf } from './counter.js';

const BUCKETS = 64;
/** The bits of a bucket's number within its octave. */
const BITS = 6;
const LONGEST_NS = 2 ** 42 - 1;
const NS_PER_SECOND = 1e9;

/** The words of one octave. */
export const OCTAVE_WORDS: number = BUCKETS * COUNTER_WORDS;

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);
/** Which of the two words of a float64 has its exponent. */
const UPPER: number = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;

/** One histogram, for the thread that writes it. */
export class HistogramWriter {
  readonly #octaves: Int32Array[] = [];
  readonly #open: (octave: number) => Int32Array;

  /** @param open makes the memory of an octave, or finds it: `OCTAVE_WORDS` words */
  constructor(open: (octave: number) => Int32Array) {
    this.#open = open;
  }

  /** @param count how many durations this one stands for */
  record(durationSeconds: number, count: number): void {
    const ns = Math.round(Math.min(Math.max(durationSeconds * NS_PER_SECOND, 0), LONGEST_NS));
    let octave = 0;
    let bucket = ns;
    if (ns >= BUCKETS) {
      // The float64 has the answer: its exponent is the octave, and the first bits of its mantissa are the bucket.
      double[0] = ns;
      const upper = halves[UPPER] as number;
      octave = (upper >>> 20) - 1023 - BITS + 1;
      bucket = (upper >>> (20 - BITS)) & (BUCKETS - 1);
    }
    add((this.#octaves[octave] ??= this.#open(octave)), bucket * COUNTER_WORDS, count);
  }
}

/** The middle of the whole nanoseconds that a bucket holds. Up to 128 ns that is the only one. */
function middleOf(octave: number, bucket: number): number {
  if (octave === 0) return bucket;
  const width = 2 ** (octave - 1);
  return (BUCKETS + bucket) * width + (width - 1) / 2;
}

/** What was recorded, of one thread or of all of them. */
export class Distribution {
  /** By octave: the counts of its buckets. */
  readonly #octaves: (number[] | undefined)[] = [];
  count = 0;

  addOctave(octave: number, words: Int32Array): void {
    const counts = (this.#octaves[octave] ??= new Array<number>(BUCKETS).fill(0));
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = countOf(words, bucket * COUNTER_WORDS);
      counts[bucket] = (counts[bucket] as number) + count;
      this.count += count;
    }
  }

  /** What came since an earlier reading of the same histogram. */
  since(earlier: Distribution): Distribution {
    const news = new Distribution();
    for (const [octave, counts] of this.#octaves.entries()) {
      news.#octaves[octave] = counts?.map((count, bucket) => count - (earlier.#octaves[octave]?.[bucket] ?? 0));
    }
    news.count = this.count - earlier.count;
    return news;
  }

  /** The duration in seconds that the given share of all (0 to 1) doesn't exceed; 0 when nothing was recorded. */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(this.count * share));
    let seen = 0;
    let last = 0;
    for (const { seconds, count } of this) {
      seen += count;
      last = seconds;
      if (seen >= rank) break;
    }
    return last;
  }

  /** All durations together, in seconds. */
  get sum(): number {
    let sum = 0;
    for (const { seconds, count } of this) sum += seconds * count;
    return sum;
  }

  /** In seconds; 0 when nothing was recorded. */
  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** At most `limit` durations with the same quantiles: evenly from all of them. */
  *sample(limit: number): Generator<{ seconds: number; count: number }> {
    const share = Math.min(1, limit / this.count);
    let seen = 0;
    for (const { seconds, count } of this) {
      const before = Math.round(seen * share);
      seen += count;
      yield { seconds, count: Math.round(seen * share) - before };
    }
  }

  /** How many durations lie between the bounds (seconds, rising): up to the first, up to the second, …, and past the last. */
  between(bounds: readonly number[]): number[] {
    const counts = new Array<number>(bounds.length + 1).fill(0);
    let at = 0;
    for (const { seconds, count } of this) {
      while (at < bounds.length && seconds > (bounds[at] as number)) at++;
      counts[at] = (counts[at] as number) + count;
    }
    return counts;
  }

  /** The buckets that hold something, rising: the middle of each and its count. */
  *[Symbol.iterator](): Generator<{ seconds: number; count: number }> {
    for (const [octave, counts] of this.#octaves.entries()) {
      for (const [bucket, count] of (counts ?? []).entries()) {
        if (count === 0) continue;
        yield { seconds: middleOf(octave, bucket) / NS_PER_SECOND, count };
      }
    }
  }
}
