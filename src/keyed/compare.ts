/**
 * What has changed from one version to another, exactly, in steps that leave the event loop its turn. The first of three ways that can
 * be gone:
 *
 * 1. The newer snapshot says itself what has changed since (changes.ts): costs what has changed.
 * 2. It doesn't reach back so far: the shadow of the older version is compared with it, record by record.
 * 3. There is no shadow yet, since the older version was lost before it could be copied: everything is new, and `from` is 0.
 *
 * Each step ends with the question whether the snapshot is still there. If not, all is dropped, and the next version is begun with.
 */
import { WireFormatError } from '../core/errors.js';
import type { Adoption } from './adoption.js';
import { oldStates } from './changes.js';
import { Diff } from './diff.js';
import { sipHash } from './hash.js';
import { packKey, textOfKey } from './key.js';
import { KEY, keyBytesAt, type Table } from './layout.js';
import { EXPIRED, readHash } from './lookup.js';
import { RecordTable } from './records.js';
import { Shadow, type ValueHash } from './shadow.js';

/** Records between two looks at the clock and at the slot. */
const STEP = 64;

/** Stops after each step. */
export type Work<T> = Generator<undefined, T>;

/** The keys that differ. */
export interface Difference {
  /** The mirror's number of the older version, 0 for nothing. */
  readonly from: number;
  readonly added: string[];
  readonly changed: string[];
  readonly removed: string[];
  /** What keys have now, for the shadow; `undefined`: it can't be brought up to date, and is to be made anew. */
  readonly updates: ReadonlyMap<string, ValueHash> | undefined;
}

/**
 * @param since the older version; `undefined` for none
 * @throws WireFormatError for records that aren't whole
 */
export function* compare(now: Adoption, since: Adoption | undefined, shadow: Shadow | undefined): Work<Difference | typeof EXPIRED> {
  const touched = since && (yield* touchedSince(now, since));
  if (touched === EXPIRED) return EXPIRED;
  if (since && touched) return yield* compareTouched(now, since.number, touched);
  return yield* compareAll(now, since && shadow ? since.number : 0, since && shadow);
}

/** The keys that the snapshot knows to have been touched, with what they had then; `undefined` where it doesn't reach back so far. */
function* touchedSince(now: Adoption, since: Adoption): Work<Map<string, ValueHash> | undefined | typeof EXPIRED> {
  const { words, changesAt, changesWords, changesCheck, seed0, seed1 } = now.packed;
  const section = new Int32Array(changesWords);
  for (let word = 0; word < changesWords; word++) section[word] = words[changesAt + word] as number;
  if (!now.holds()) return EXPIRED;
  if (sipHash(section, 0, section.byteLength, seed0, seed1) !== changesCheck) return undefined;
  const touched = new Map<string, ValueHash>();
  for (const states = oldStates(section, since.meta); ; ) {
    const state = states.next();
    if (state.done) return state.value ? touched : undefined;
    touched.set(state.value.key, state.value.hash);
    if (touched.size % STEP === 0) yield;
  }
}

function* compareTouched(now: Adoption, from: number, touched: ReadonlyMap<string, ValueHash>): Work<Difference | typeof EXPIRED> {
  const { seed0, seed1 } = now.packed;
  const hash = new Int32Array(2);
  const updates = new Map<string, ValueHash>();
  const difference: Difference = { from, added: [], changed: [], removed: [], updates };
  for (const [key, before] of touched) {
    const isThere = readHash(now, packKey(key), seed0, seed1, hash);
    if (isThere === EXPIRED) return EXPIRED;
    const [low, high] = hash as unknown as [number, number];
    updates.set(key, isThere ? [low, high] : undefined);
    if (!isThere) {
      if (before) difference.removed.push(key);
    } else if (!before) {
      difference.added.push(key);
    } else if (before[0] !== low || before[1] !== high) {
      difference.changed.push(key);
    }
    if (updates.size % STEP === 0) yield;
  }
  return difference;
}

function* compareAll(now: Adoption, from: number, shadow: Shadow | undefined): Work<Difference | typeof EXPIRED> {
  const { packed } = now;
  const { seed0, seed1 } = packed;
  const before = shadow?.table ?? new RecordTable({ seed0, seed1 });
  const difference: Difference = { from, added: [], changed: [], removed: [], updates: undefined };
  const push = (to: string[], table: Table, at: number): void => {
    const keyBytes = keyBytesAt(table, at);
    if (keyBytes >= 0) to.push(textOfKey(table.words, at + KEY, keyBytes));
  };
  const diff = new Diff(
    before,
    packed,
    {
      added: (at) => push(difference.added, packed, at),
      changed: (at) => push(difference.changed, packed, at),
      removed: (at) => push(difference.removed, before, at),
    },
    shadow !== undefined && shadow.codec !== packed.codec,
  );
  for (;;) {
    const outcome = diff.step(STEP);
    if (!now.holds()) return EXPIRED;
    if (outcome === 'broken') throw brokenRecords();
    if (outcome === 'done') return difference;
    yield;
  }
}

/** A copy of a version to compare later ones with. @throws WireFormatError for records that aren't whole */
export function* makeShadow(of: Adoption): Work<Shadow | typeof EXPIRED> {
  const shadow = new Shadow(of);
  for (;;) {
    const outcome = shadow.copy(of, STEP);
    if (!of.holds()) return EXPIRED;
    if (outcome === 'broken') throw brokenRecords();
    if (outcome === 'done') return shadow;
    yield;
  }
}

/** Brings a shadow up to the version that the updates led to. */
export function* updateShadow(shadow: Shadow, updates: ReadonlyMap<string, ValueHash>): Work<void> {
  let done = 0;
  for (const [key, value] of updates) {
    shadow.set(key, value);
    if (++done % STEP === 0) yield;
  }
}

function brokenRecords(): WireFormatError {
  return new WireFormatError('A record of this keyed snapshot is corrupt: its length leads out of it');
}
