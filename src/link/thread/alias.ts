/**
 * A fleet's value has a name of its own on the host (two stores may have the same key). A reader without a store knows only the key:
 * so whoever relays the value to the host also holds the writer's role of the key itself, and publishes there where the value is.
 */
import { systemClock } from '../../core/clock.js';
import { report } from '../../core/report.js';
import type { Snapshot } from '../../core/snapshot.js';
import { leadHost } from '../host/lead.js';
import type { HostPlace } from '../host/place.js';
import type { Grant } from '../ports.js';

/** No serializer has this name: whoever doesn't know it can't take the bytes for a value. */
const ALIAS = 'advanced-caching/alias';

/** The name under which the value is; `undefined` for a snapshot that is itself a value. */
export function aliasTarget({ codec, bytes }: Snapshot): string | undefined {
  return codec === ALIAS ? Buffer.from(bytes).toString() : undefined;
}

/**
 * Says at `key` that the value is at `target`, as soon as nobody else writes there, until `end` is called.
 *
 * @param onError gets each failure once in a row
 */
export function holdAlias(place: HostPlace, key: string, target: string, onError: (error: Error) => void): () => Promise<void> {
  const candidate = leadHost({ place, key, onSnapshot: () => undefined, onGranted: (grant) => void say(grant), onError });

  async function say({ epoch, last }: Grant): Promise<void> {
    if (last && aliasTarget(last) === target) return;
    try {
      await candidate.publish({
        epoch,
        version: (last?.version ?? 0) + 1,
        createdAt: systemClock.wall(),
        createdAtMonotonic: systemClock.monotonic(),
        freshFor: Number.POSITIVE_INFINITY,
        codec: ALIAS,
        bytes: Buffer.from(target),
      });
    } catch (error) {
      report(error, onError, `the host link of '${key}'`);
    }
  }
  return () => candidate.close();
}
