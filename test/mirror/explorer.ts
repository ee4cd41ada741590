/**
 * A model checker for one reader and one writer, in one thread, over the real code. The writer (`publishSteps`, through
 * a recording access) becomes a list of events, one for each word stored and each few bytes copied. The reader then runs
 * once for each distinguishable schedule: before each of its touches, any number of events may happen.
 *
 * Schedules in which the reader sees the same are the same. So at a touch it suffices to stay, or to advance to each
 * later event that changes what this touch sees: by induction every other schedule sees what one of these sees, since
 * the earliest moment that shows a value leaves the most events for later touches.
 */
import type { Snapshot } from '../../dist/core/snapshot.js';
import type { SharedAccess } from '../../dist/mirror/access.js';
import { direct } from '../../dist/mirror/access.js';
import { createRing, openRing, type Ring, VERSION, VERSION_MASK } from '../../dist/mirror/layout.js';
import { publishSteps } from '../../dist/mirror/protocol.js';

/** One touch by a writer: a word, or some bytes. */
export type Event = { readonly byteLength: number } & (
  | { readonly kind: 'word'; readonly index: number; readonly value: number }
  | { readonly kind: 'bytes'; readonly at: number; readonly bytes: Uint8Array }
);

/** What a writer did to a ring, from a starting image on, and what a reader may take from it. */
export interface World {
  readonly words: Int32Array;
  readonly data: Uint8Array;
  readonly maxByteLength: number;
  readonly slots: number;
  readonly events: readonly Event[];
  /** By ring version. */
  readonly published: ReadonlyMap<number, Snapshot>;
}

export type Steps = (ring: Ring, snapshot: Snapshot, access: SharedAccess, chunk: number) => Generator<void, number>;

export interface Plan {
  readonly slots: 2 | 4;
  readonly start: number;
  /** Sizes of what is published before the reader starts, and while it runs. */
  readonly before: readonly number[];
  readonly during: readonly number[];
  /** Bytes per touch of the writer. */
  readonly chunk?: number;
  /** Whether all times of the snapshots differ: many more schedules. */
  readonly times?: boolean;
  readonly maxBytes?: number;
  /** The first publication of `during` dies after this many events; a successor does them all. */
  readonly dieAfter?: number;
  readonly steps?: Steps;
  readonly mutateWriter?: (access: SharedAccess) => SharedAccess;
  /** Default `snapshotOf`. */
  readonly make?: typeof snapshotOf;
}

export function snapshotOf(epoch: number, version: number, size: number, times = false): Snapshot {
  return {
    epoch,
    version,
    createdAt: times ? 1_000_000 + version * 1.1 : 0,
    createdAtMonotonic: times ? version * 7.7 : 0,
    freshFor: times && version % 2 === 1 ? Infinity : 0,
    codec: 'json',
    bytes: new Uint8Array(size).fill((epoch * 101 + version * 37 + size) & 0xff),
  };
}

/** Runs the writer of a plan on a real ring and records it. */
export function prepare(plan: Plan): World {
  const { slots, start, before, during, chunk = 3, times = false, maxBytes = 64, steps = publishSteps, make = snapshotOf } = plan;
  const ring = createRing(maxBytes, { slots, startVersion: start });
  const published = new Map<number, Snapshot>();
  let number = 0;
  let epoch = 1;
  const run = (size: number, access: SharedAccess): void => {
    const snapshot = make(epoch, ++number, size, times);
    for (const generator = steps(ring, snapshot, access, chunk); ; ) {
      if (Atomics.load(ring.words, VERSION) === ((start + number) & VERSION_MASK)) published.set((start + number) & VERSION_MASK, snapshot);
      if (generator.next().done) break;
    }
  };
  for (const size of before) run(size, direct);
  const words = ring.words.slice();
  const data = new Uint8Array(ring.buffer).slice(ring.words.byteLength);

  const events: Event[] = [];
  const recording = recordInto(events, ring);
  const writer = plan.mutateWriter ? plan.mutateWriter(recording) : recording;
  if (plan.dieAfter !== undefined) {
    const dying = dieAfter(writer, plan.dieAfter, events);
    try {
      run(during[0] as number, dying);
    } catch (error) {
      if (error !== DEATH) throw error;
    }
    // What it published counts; what it didn't is published again, by another epoch.
    number = (Atomics.load(ring.words, VERSION) - start) & VERSION_MASK;
    if (number > before.length) published.set((start + number) & VERSION_MASK, make(1, number, during[0] as number, times));
    epoch = 2;
  }
  for (const size of during) run(size, writer);
  return { words, data, maxByteLength: ring.buffer.maxByteLength, slots, events, published };
}

const DEATH = new Error('the writer died');

function dieAfter(access: SharedAccess, count: number, events: Event[]): SharedAccess {
  const alive = <A extends unknown[], R>(touch: (...args: A) => R) => {
    return (...args: A): R => {
      if (events.length >= count) throw DEATH;
      return touch(...args);
    };
  };
  return {
    ...access,
    store: alive(access.store),
    exchange: alive(access.exchange),
    compareExchange: alive(access.compareExchange),
    copyIn: alive(access.copyIn),
  };
}

function recordInto(events: Event[], ring: Ring): SharedAccess {
  const note = (index: number): void => {
    events.push({ kind: 'word', index, value: ring.words[index] as number, byteLength: ring.buffer.byteLength });
  };
  return {
    ...direct,
    store(words, index, value) {
      direct.store(words, index, value);
      note(index);
    },
    exchange(words, index, value) {
      const old = direct.exchange(words, index, value);
      note(index);
      return old;
    },
    compareExchange(words, index, expected, value) {
      const old = direct.compareExchange(words, index, expected, value);
      if (old === expected) note(index);
      return old;
    },
    copyIn(target, source) {
      direct.copyIn(target, source);
      events.push({ kind: 'bytes', at: target.byteOffset, bytes: source.slice(), byteLength: ring.buffer.byteLength });
    },
  };
}

/** What a reader's run gets: a ring in its starting state, an access with gaps, and the gap before a plain read. */
export interface Run {
  readonly ring: Ring;
  readonly access: SharedAccess;
  /** Lets the writer advance to any event that changes this word. */
  gap(index: number): void;
  /** How many events have happened. */
  now(): number;
}

export interface ExploreOptions {
  /** Bytes per touch of the reader's copy, and whether it copies from the end. */
  readonly piece?: number;
  readonly backwards?: boolean;
  /** Stops here, as if the writer had. */
  readonly until?: number;
  /** Ends the search at the first run that answers true. */
  readonly stopAtFirst?: boolean;
}

/** Calls `body` once for each distinguishable schedule; it answers whether it saw something FORBIDDEN. */
export function explore(world: World, body: (run: Run) => boolean, options: ExploreOptions = {}): { schedules: number; forbidden: number } {
  const { piece = 4, backwards = false, until = world.events.length, stopAtFirst = false } = options;
  const events = world.events.slice(0, until);
  const changes = wordChanges(world.words, events);
  const end = Math.max(world.data.length + world.words.byteLength, ...events.map((event) => event.byteLength));
  /** Each choice of the current run: the moments it could advance to, and which it took. */
  const choices: { moments: number[]; taken: number }[] = [];
  let depth = 0;
  let now = 0;
  const ring = image(world, end);
  let schedules = 0;
  let forbidden = 0;

  function choose(moments: readonly number[]): void {
    const later = moments.filter((moment) => moment > now);
    if (later.length === 0) return;
    let choice = choices[depth];
    if (choice === undefined) {
      choice = { moments: [now, ...later], taken: 0 };
      choices.push(choice);
    }
    depth++;
    for (const to = choice.moments[choice.taken] as number; now < to; now++) apply(ring, events[now] as Event);
  }
  const gap = (index: number): void => choose(changes.get(index) ?? []);
  const access: SharedAccess = {
    ...direct,
    load(words, index) {
      gap(index);
      return direct.load(words, index);
    },
    readModifyWrite(words, index) {
      gap(index);
      return direct.readModifyWrite(words, index);
    },
    copyOut(source) {
      const copy = new Uint8Array(source.byteLength);
      const starts = [];
      for (let at = 0; at < copy.length; at += piece) starts.push(at);
      for (const at of backwards ? starts.reverse() : starts) {
        const from = source.byteOffset + at;
        choose(byteChanges(events, from, Math.min(from + piece, source.byteOffset + copy.length)));
        copy.set(source.subarray(at, at + piece), at);
      }
      return copy;
    },
    view(buffer, offset, length) {
      return new Proxy(new Int32Array(buffer, offset, length), {
        get(words, name) {
          const word = typeof name === 'string' ? Number(name) : Number.NaN;
          if (Number.isNaN(word)) return Reflect.get(words, name) as unknown;
          const at = offset + 4 * word;
          choose(byteChanges(events, at, at + 4));
          return words[word];
        },
      });
    },
  };

  for (;;) {
    depth = 0;
    now = 0;
    rewind(ring, world);
    schedules++;
    if (body({ ring, access, gap, now: () => now })) {
      forbidden++;
      if (stopAtFirst) break;
    }
    while (choices.length > 0) {
      const last = choices.at(-1) as { moments: number[]; taken: number };
      if (++last.taken < last.moments.length) break;
      choices.pop();
    }
    if (choices.length === 0) break;
  }
  return { schedules, forbidden };
}

/** As long from the start as it becomes (a mapping for each schedule costs more than the schedule). */
function image(world: World, byteLength: number): Ring {
  const buffer = new SharedArrayBuffer(byteLength, { maxByteLength: world.maxByteLength });
  new Int32Array(buffer, 0, world.words.length).set(world.words);
  return openRing(buffer);
}

function rewind(ring: Ring, world: World): void {
  ring.words.set(world.words);
  new Uint8Array(ring.buffer, world.words.byteLength).fill(0).set(world.data);
}

function apply(ring: Ring, event: Event): void {
  if (event.kind === 'word') ring.words[event.index] = event.value;
  else new Uint8Array(ring.buffer, event.at, event.bytes.length).set(event.bytes);
}

/** For each word, after how many events it has another value. */
function wordChanges(initial: Int32Array, events: readonly Event[]): Map<number, number[]> {
  const values = initial.slice();
  const changes = new Map<number, number[]>();
  events.forEach((event, at) => {
    if (event.kind !== 'word' || values[event.index] === event.value) return;
    values[event.index] = event.value;
    changes.set(event.index, [...(changes.get(event.index) ?? []), at + 1]);
  });
  return changes;
}

function byteChanges(events: readonly Event[], from: number, to: number): number[] {
  const moments: number[] = [];
  events.forEach((event, at) => {
    if (event.kind === 'bytes' && event.at < to && event.at + event.bytes.length > from) moments.push(at + 1);
  });
  return moments;
}
