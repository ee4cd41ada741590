import { isNewer } from '../../core/snapshot.js';
import type { Ring } from '../../mirror/layout.js';
import { newestConfirmation, newestMeta } from '../../mirror/protocol.js';
import { type News, newsOf, NO_NEWS } from '../ports.js';
import type { Look } from '../redis/look.js';
import { FIRST_MOMENT, momentOf } from '../redis/position.js';

/** By so many milliseconds two times of Redis may differ that were brought to this host's clock by different round trips. */
const TOLERANCE = 1000;

/** Whether Redis has something that a ring hasn't: a newer snapshot, or the newer time of one that was confirmed. */
export function isBehind(ring: Ring, { meta, header, matches, offset }: Look): boolean {
  if (!header) return false;
  const have = newestMeta(ring);
  if (!have) return true;
  if (meta && matches && isNewer(meta, have)) return true;
  if (!matches && have.version >= FIRST_MOMENT) return momentOf(header.createdAt) > have.version;
  const at = Math.max(have.createdAtMonotonic, newestConfirmation(ring)?.createdAtMonotonic ?? 0);
  return header.createdAt * 1000 + offset > at + TOLERANCE;
}

/** What a look has found. */
export function newsIn({ meta }: Look): News {
  return meta ? newsOf(meta) : NO_NEWS;
}
