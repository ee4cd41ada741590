import { WireFormatError } from '../core/errors.js';
import { toError } from '../core/report.js';
import type { Serializer } from '../core/serializer.js';
import type { SnapshotMeta } from '../core/snapshot.js';
import { direct, type SharedAccess } from '../mirror/access.js';
import { LEN, OFF8, type Ring, readMeta, SEQ, slotOf, VERSION } from '../mirror/layout.js';
import { json } from '../serializers/json.js';
import type { Earlier } from './changes.js';
import { HEADER_WORDS, KEYED, openPacked, type Packed } from './layout.js';

const TRIES = 4;
const header = new Int32Array(HEADER_WORDS);

/** A keyed snapshot, while it is there. */
export interface Held {
  readonly packed: Packed;
  /** Of its values. */
  readonly serializer: Serializer;
  /** The mirror's number of this version. */
  readonly number: number;
  readonly createdAt: number | undefined;
  /** Whether what was seen of `packed.words` up to now counts. */
  holds(): boolean;
}

/**
 * A keyed snapshot in a slot of a ring, whose header was found sound: what a lookup goes by, until the slot holds another one. Making
 * one costs the same whatever the snapshot's size.
 */
export class Adoption implements Held {
  readonly ring: Ring;
  readonly ringVersion: number;
  readonly meta: SnapshotMeta;
  readonly packed: Packed;
  readonly serializer: Serializer;
  /** Given by its reader; 0 until then. */
  number = 0;
  readonly #access: SharedAccess;
  readonly #sequence: number;

  constructor(ring: Ring, ringVersion: number, meta: SnapshotMeta, packed: Packed, serializer: Serializer, access: SharedAccess) {
    this.ring = ring;
    this.ringVersion = ringVersion;
    this.meta = meta;
    this.packed = packed;
    this.serializer = serializer;
    this.#access = access;
    this.#sequence = slotOf(ring, ringVersion) + SEQ;
  }

  get createdAt(): number {
    return this.meta.createdAt;
  }

  /**
   * Whether the slot still holds this snapshot: asked after each look into `packed.words`, it says whether what was seen counts.
   * A read-modify-write, for the reason in mirror/protocol.ts, case 3.
   */
  holds(): boolean {
    return this.#access.readModifyWrite(this.ring.words, this.#sequence) === this.ringVersion;
  }
}

export type NotAdopted =
  | { readonly why: 'empty' | 'busy' }
  | { readonly why: 'refused'; readonly ringVersion: number; readonly error: Error };

/**
 * The newest snapshot of a ring. Never waits, tries at most four times against a faster writer.
 *
 * @param key for messages
 * @param serializerFor what a snapshot's values are decoded with. @throws to refuse it
 * @param views by slot: those of this ring that were made before, since making one costs more than all the rest
 */
export function adopt(
  ring: Ring,
  key: string,
  serializerFor: (codec: string) => Serializer,
  access: SharedAccess,
  views: (Int32Array | undefined)[] = [],
): Adoption | NotAdopted {
  const { words, buffer } = ring;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const ringVersion = access.load(words, VERSION);
    const slot = slotOf(ring, ringVersion);
    if (access.load(words, slot + SEQ) !== ringVersion) {
      // After the wrap 0 is a version like others, whose slot is reused only once VERSION has moved on.
      if (ringVersion === 0 && access.load(words, VERSION) === 0) return { why: 'empty' };
      continue;
    }
    const length = access.load(words, slot + LEN) >>> 0;
    const offset = access.load(words, slot + OFF8) * 8;
    const meta = readMeta(access, words, slot);
    const isInside = offset >= words.byteLength && offset + length <= buffer.byteLength && length % 8 === 0 && length >= HEADER_WORDS * 4;
    let all = isInside ? views[slot] : undefined;
    if (isInside && (all?.byteOffset !== offset || all.length !== length / 4)) all = views[slot] = access.view(buffer, offset, length / 4);
    if (all) for (let word = 0; word < HEADER_WORDS; word++) header[word] = all[word] as number;
    if (access.readModifyWrite(words, slot + SEQ) !== ringVersion) continue;
    // From here on everything read above is of one publish: a fault in it is the writer's, and stays.
    try {
      if (meta.codec !== KEYED) throw new WireFormatError(`'${key}' is not written with \`keyed: true\`: read it with bg.read`);
      if (!all) throw new WireFormatError(`A snapshot of '${key}' is not within its memory, or too short for a keyed one`);
      const packed = openPacked(all, header);
      return new Adoption(ring, ringVersion, meta, packed, serializerFor(packed.codec), access);
    } catch (error) {
      return { why: 'refused', ringVersion, error: toError(error) };
    }
  }
  return { why: 'busy' };
}

/** The snapshot that a ring has, for its owner, who compares the next one with it in place; `undefined` where there is none, or no sound one. */
export function earlierIn(ring: Ring): Earlier | undefined {
  const newest = adopt(ring, '', () => json, direct);
  return newest instanceof Adoption ? { packed: newest.packed, epoch: newest.meta.epoch, version: newest.meta.version } : undefined;
}
