/**
 * Memory in which all threads of a process count, each in lanes of its own. One growable buffer:
 *
 * ```
 * head      MAGIC LAYOUT         what this is
 *           INSTANCE x2          tells two arenas apart (random)
 *           SINCE x2             Unix ms of its making, a float64
 *           NEXT                 the first free block: raised by an atomic addition, whoever takes one
 *           NEWEST               the block of the newest series; 0 for none. By compare-exchange
 * lanes     OWNER x LANES        thread id + 1; 0 for a free lane. By compare-exchange
 * block     OLDER                the block of the series before it; 0 for none
 *           LANE                 whose it is
 *           WORDS                how many words it counts in
 *           TEXT                 the length of its key in bytes
 *           key                  JSON in UTF-8, then zeroes up to a multiple of 64 bytes
 *           words                the counters, written by the owner of the lane alone
 * ```
 * 1. A series is written completely before NEWEST says that it is there, and never moves or ends: readers walk from NEWEST, see whole series
 *    only, and keep what they have seen. A thread that ends before that leaves a block that nobody finds.
 * 2. Only a thread that is provably dead loses its lane (its `exit` event came). The next new thread takes the lane with its series, and goes
 *    on counting in them: so no count is lost, there is one writer at a time, and memory is bounded by how many threads there were at
 *    one time. What the dead one had and nobody else (its share of the memory in use) the new one starts at zero.
 * 3. Blocks are multiples of 128 bytes, so that no two threads write to one cache line, nor to a pair that the processor fetches together.
 */
import { randomInt } from 'node:crypto';
import { systemClock } from '../../core/clock.js';
import type { Lane, Series, SeriesKey } from './memory.js';

const MAGIC = 0;
const LAYOUT = 1;
const INSTANCE = 2;
const SINCE = 4;
const NEXT = 6;
const NEWEST = 7;
const OWNERS = 32;
const LANES = 992;

/** Words of a block. */
const OLDER = 0;
const LANE = 1;
const WORDS = 2;
const TEXT = 3;
const HEAD_BYTES = 16;

const BLOCK = 128;
const LINE = 64;
const FIRST_BLOCK = ((OWNERS + LANES) * 4) / BLOCK;
const MAGIC_VALUE = 0x41434d32;
const LAYOUT_VALUE = 1;
const STEP_BYTES = 64 * 1024;
const MAX_BYTES = 256 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A lane of an arena, and the series in it that this thread knows. */
export class ArenaLane implements Lane {
  readonly number: number;
  readonly #owners: Int32Array;

  constructor(owners: Int32Array, number: number) {
    this.#owners = owners;
    this.number = number;
  }

  thread(): number | undefined {
    const owner = Atomics.load(this.#owners, OWNERS + this.number);
    return owner === 0 ? undefined : owner - 1;
  }
}

export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly instance: string;
  readonly since: number;
  /** Of the head and the lanes. Of fixed length, as all views here are. */
  readonly #head: Int32Array;
  readonly #lanes: ArenaLane[] = [];
  readonly #known: Series[] = [];
  #newestKnown = 0;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#head = new Int32Array(buffer, 0, OWNERS + LANES);
    this.instance = `${this.#head[INSTANCE]}.${this.#head[INSTANCE + 1]}`;
    this.since = new Float64Array(buffer, SINCE * 4, 1)[0] as number;
  }

  static create(): Arena {
    const buffer = new SharedArrayBuffer(STEP_BYTES, { maxByteLength: MAX_BYTES });
    const head = new Int32Array(buffer, 0, OWNERS);
    head[LAYOUT] = LAYOUT_VALUE;
    head[INSTANCE] = randomInt(0x7fffffff);
    head[INSTANCE + 1] = randomInt(0x7fffffff);
    new Float64Array(buffer, SINCE * 4, 1)[0] = systemClock.wall();
    head[NEXT] = FIRST_BLOCK;
    head[MAGIC] = MAGIC_VALUE;
    return new Arena(buffer);
  }

  /** Answers `undefined` for what isn't an arena of this layout: another copy of the package may have made it. */
  static open(buffer: unknown): Arena | undefined {
    if (!(buffer instanceof SharedArrayBuffer) || buffer.byteLength < STEP_BYTES) return undefined;
    const head = new Int32Array(buffer, 0, OWNERS);
    return head[MAGIC] === MAGIC_VALUE && head[LAYOUT] === LAYOUT_VALUE ? new Arena(buffer) : undefined;
  }

  /** Takes a free lane for a thread; `undefined` when all are taken. */
  claim(thread: number): ArenaLane | undefined {
    for (let number = 0; number < LANES; number++) {
      if (Atomics.compareExchange(this.#head, OWNERS + number, 0, thread + 1) === 0) return this.#lane(number);
    }
    return undefined;
  }

  /** Frees the lanes of a thread that is provably dead. Whoever hears of it may call this, at any time: ids of threads don't come again. */
  free(thread: number): void {
    for (let number = 0; number < LANES; number++) Atomics.compareExchange(this.#head, OWNERS + number, thread + 1, 0);
  }

  /** Makes a series in a lane of this thread's; `undefined` when there is no memory left. */
  add(lane: ArenaLane, key: SeriesKey, words: number): Int32Array | undefined {
    const text = encoder.encode(JSON.stringify(key));
    const textBytes = Math.ceil((HEAD_BYTES + text.byteLength) / LINE) * LINE;
    const blocks = Math.ceil((textBytes + words * 4) / BLOCK);
    const block = Atomics.add(this.#head, NEXT, blocks);
    const at = block * BLOCK;
    if (!this.#reach(at + blocks * BLOCK)) return undefined;
    const header = new Int32Array(this.buffer, at, HEAD_BYTES / 4);
    header[LANE] = lane.number;
    header[WORDS] = words;
    header[TEXT] = text.byteLength;
    new Uint8Array(this.buffer, at + HEAD_BYTES, text.byteLength).set(text);
    for (;;) {
      const newest = Atomics.load(this.#head, NEWEST);
      header[OLDER] = newest;
      if (Atomics.compareExchange(this.#head, NEWEST, newest, block) === newest) break;
    }
    return new Int32Array(this.buffer, at + textBytes, words);
  }

  /** All series, the oldest first. The same array each time, which grows. */
  series(): readonly Series[] {
    const newest = Atomics.load(this.#head, NEWEST);
    const found: Series[] = [];
    for (let block = newest; block !== this.#newestKnown; ) {
      const header = new Int32Array(this.buffer, block * BLOCK, HEAD_BYTES / 4);
      found.push(this.#read(block * BLOCK, header));
      block = header[OLDER] as number;
    }
    this.#newestKnown = newest;
    for (let i = found.length - 1; i >= 0; i--) this.#known.push(found[i] as Series);
    return this.#known;
  }

  #read(at: number, header: Int32Array): Series {
    const textLength = header[TEXT] as number;
    const textBytes = Math.ceil((HEAD_BYTES + textLength) / LINE) * LINE;
    // A text decoder is for private bytes.
    const text = new Uint8Array(this.buffer, at + HEAD_BYTES, textLength).slice();
    return {
      key: JSON.parse(decoder.decode(text)) as SeriesKey,
      words: new Int32Array(this.buffer, at + textBytes, header[WORDS]),
      lane: this.#lane(header[LANE] as number),
    };
  }

  #lane(number: number): ArenaLane {
    return (this.#lanes[number] ??= new ArenaLane(this.#head, number));
  }

  #reach(end: number): boolean {
    while (this.buffer.byteLength < end) {
      if (end > MAX_BYTES) return false;
      try {
        this.buffer.grow(Math.min(Math.ceil(end / STEP_BYTES) * STEP_BYTES, MAX_BYTES));
      } catch {
        // Another thread has made it larger than that meanwhile; or there is no memory.
        if (this.buffer.byteLength < end) return false;
      }
    }
    return true;
  }
}
